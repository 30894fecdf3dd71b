//! Many calls at once, each party sending as a phone does, and the account of every packet of every stream.

mod account;
mod party;
mod traffic;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

use crate::call::{self, CallOptions};
use crate::counters;
use crate::endpoint::now_ns;
use crate::netns::Netns;
use crate::ng::NgClient;
use crate::sdp;
use crate::topology::{Family, Side, TwoNetworks};
use crate::wait::wait_until;

pub use account::{Account, Gap};
use party::Party;

/// Between two packets of a stream.
pub const SPACING: Duration = Duration::from_millis(20);

/// Calls whose parties send [`SPACING`] apart, and RTCP every second, until [`Load::stop`].
#[derive(Debug)]
pub struct Load {
    ids: Vec<String>,
    /// Of call `n`, the caller is `2 * n` and the callee the next.
    parties: Arc<Vec<Party>>,
    stopping: Arc<AtomicBool>,
    closing: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
    receiver: Option<JoinHandle<()>>,
    account: Account,
    drops: u64,
}

impl Load {
    /// Sets up `calls` calls; their parties begin to send.
    #[must_use]
    #[track_caller]
    pub fn start(net: &TwoNetworks, ng: &NgClient, calls: usize) -> Self {
        let mut parties = Vec::with_capacity(2 * calls);
        let callers = Party::bind(&net.caller, Side::A.far(Family::V4), calls);
        let callees = Party::bind(&net.callee, Side::B.far(Family::V4), calls);
        let mut ids = Vec::with_capacity(calls);
        for (mut caller, mut callee) in callers.into_iter().zip(callees) {
            let id = call::new_call_id();
            let options = CallOptions::default();
            let (offer, answer) = (sdp::audio(caller.address), sdp::audio(callee.address));
            let reply = ng.ok(&call::offer_request(&id, &offer, &options));
            callee.relay = call::sent_sdp(&reply);
            let reply = ng.ok(&call::answer_request(&id, &answer, &options));
            caller.relay = call::sent_sdp(&reply);
            ids.push(id);
            parties.extend([caller, callee]);
        }
        let parties = Arc::new(parties);
        let (stopping, closing) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let sender = traffic::send(parties.clone(), stopping.clone());
        let receiver = traffic::receive(parties.clone(), Arc::clone(&closing));
        Self {
            ids,
            parties,
            stopping,
            closing,
            sender: Some(sender),
            receiver: Some(receiver),
            account: Account::default(),
            drops: counters::backlog_drops(),
        }
    }

    /// Waits until `query` says of every call that the kernel forwards both its streams, and lets them be up for a moment more: a
    /// relay does not write its journal for every packet.
    #[track_caller]
    pub fn bring_into_kernel(&self, ng: &NgClient) {
        self.wait_for_kernel(ng);
        thread::sleep(Duration::from_secs(1));
    }

    /// Waits until `query` says of every call that the kernel forwards both its streams.
    #[track_caller]
    pub fn wait_for_kernel(&self, ng: &NgClient) {
        for id in &self.ids {
            wait_until("every stream in the kernel", || {
                call::are_in_kernel(&call::rtp_streams(&query(ng, id)))
            });
        }
    }

    /// From here on every packet counts.
    pub fn measure(&mut self) {
        self.drops = counters::backlog_drops();
        let first = self.parties.iter().map(Party::sent).collect();
        self.account = Account::from(now_ns(), first);
    }

    /// Notes what has just been done, for the account.
    pub fn note(&mut self, what: &str) {
        self.account.note(what);
    }

    /// The call-ids.
    #[must_use]
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// What `query` says of the packets of every call: RTP and RTCP in all, then those of each RTP stream.
    #[must_use]
    #[track_caller]
    pub fn counters(&self, ng: &NgClient) -> Vec<Vec<u64>> {
        let of_call = |id: &String| {
            let reply = query(ng, id);
            let totals = ["RTP", "RTCP"].map(|kind| reply["totals"][kind]["packets"].as_u64());
            let streams = call::rtp_streams(&reply);
            let streams = streams.iter().map(|s| s["stats"]["packets"].as_u64());
            totals
                .into_iter()
                .chain(streams)
                .map(Option::unwrap_or_default)
                .collect()
        };
        self.ids.iter().map(of_call).collect()
    }

    /// Offers and answers every call again, with the same SDP.
    ///
    /// # Panics
    /// If the relay then wants a stream elsewhere.
    #[track_caller]
    pub fn reinvite(&self, ng: &NgClient) {
        for (id, parties) in self.ids.iter().zip(self.parties.chunks_exact(2)) {
            let options = CallOptions::default();
            let [offer, answer] = [0, 1].map(|at| sdp::audio(parties[at].address));
            let reply = ng.ok(&call::offer_request(id, &offer, &options));
            assert_eq!(call::sent_sdp(&reply), parties[1].relay, "{id}");
            let reply = ng.ok(&call::answer_request(id, &answer, &options));
            assert_eq!(call::sent_sdp(&reply), parties[0].relay, "{id}");
        }
    }

    /// Ends every call, as a BYE of the caller does.
    #[track_caller]
    pub fn hang_up(&self, ng: &NgClient) {
        for id in &self.ids {
            ng.ok(&json!({"command": "delete", "call-id": id, "from-tag": "caller"}));
        }
    }

    /// When a packet arrived last, ns of CLOCK_MONOTONIC.
    #[must_use]
    pub fn last_arrival_ns(&self) -> u64 {
        let parties = self.parties.iter().map(Party::last_arrival_ns);
        parties.max().unwrap_or_default()
    }

    /// When RTCP arrived last at the party that has waited longest for it, ns of CLOCK_MONOTONIC.
    #[must_use]
    pub fn oldest_rtcp_ns(&self) -> u64 {
        let parties = self.parties.iter().map(Party::last_rtcp_ns);
        parties.min().unwrap_or_default()
    }

    /// Where the relay receives: every media address and port of every call.
    #[must_use]
    pub fn relay_addresses(&self) -> Vec<SocketAddr> {
        self.parties.iter().map(|party| party.relay).collect()
    }

    /// Ends the sending, waits until all has arrived or nothing comes any more, and accounts for every packet sent since
    /// [`Load::measure`].
    #[must_use]
    pub fn stop(&mut self) -> &Account {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(sender) = self.sender.take() {
            let _ = sender.join();
        }
        // Nothing is on its way for longer than this.
        const STILL: Duration = Duration::from_secs(1);
        let quiet_for = |since: u64| now_ns().saturating_sub(since) > STILL.as_nanos() as u64;
        let stopped = now_ns();
        loop {
            self.account.close(&self.parties);
            self.account.backlog_drops = counters::backlog_drops() - self.drops;
            if self.account.lost() == 0 || quiet_for(self.last_arrival_ns().max(stopped)) {
                return &self.account;
            }
            thread::sleep(SPACING);
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.closing.store(true, Ordering::Relaxed);
        for thread in [self.sender.take(), self.receiver.take()]
            .into_iter()
            .flatten()
        {
            let _ = thread.join();
        }
    }
}

/// ICMP errors that either side of the network has received so far: what a phone takes for the end of a call.
#[must_use]
pub fn unreachables(net: &TwoNetworks) -> u64 {
    let of = |ns: &Netns| counters::unreachables(ns);
    of(&net.caller) + of(&net.callee)
}

#[track_caller]
fn query(ng: &NgClient, id: &str) -> Value {
    ng.ok(&json!({"command": "query", "call-id": id}))
}
