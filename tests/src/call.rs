//! A call by the lab's own ng client: two endpoints, the relay between them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use serde_json::{Map, Value, json};

use crate::endpoint::Endpoint;
use crate::ng::NgClient;
use crate::sdp;
use crate::topology::{Family, Side, TwoNetworks};
use crate::wait::wait_until;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// How a call is set up.
#[derive(Clone, Debug)]
pub struct CallOptions {
    /// What the caller speaks.
    pub caller: Family,
    /// What the callee speaks.
    pub callee: Family,
    /// `flags` of offer and answer.
    pub flags: Vec<String>,
    /// More keys of offer and answer.
    pub keys: Map<String, Value>,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            caller: Family::V4,
            callee: Family::V4,
            flags: Vec::new(),
            keys: Map::new(),
        }
    }
}

impl CallOptions {
    /// A call between two parties that speak `caller` and `callee`.
    #[must_use]
    pub fn between(caller: Family, callee: Family) -> Self {
        Self {
            caller,
            callee,
            ..Self::default()
        }
    }

    /// Adds a flag.
    #[must_use]
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Adds a key.
    #[must_use]
    pub fn key(mut self, key: &str, value: &str) -> Self {
        self.keys.insert(key.to_owned(), value.into());
        self
    }
}

/// A call that has been answered.
#[derive(Debug)]
pub struct Call {
    /// The call-id.
    pub id: String,
    /// The caller's media.
    pub caller: Endpoint,
    /// The callee's media.
    pub callee: Endpoint,
    /// Where the caller sends to: the relay's address in the answer.
    pub caller_to: SocketAddr,
    /// Where the callee sends to: the relay's address in the offer.
    pub callee_to: SocketAddr,
}

impl Call {
    /// Sets a call up: endpoints, offer, answer.
    #[must_use]
    #[track_caller]
    pub fn set_up(net: &TwoNetworks, ng: &NgClient, options: &CallOptions) -> Self {
        let caller = Endpoint::bind(&net.caller, Side::A.far(options.caller));
        let callee = Endpoint::bind(&net.callee, Side::B.far(options.callee));
        let (offer, answer) = (sdp::audio(caller.address()), sdp::audio(callee.address()));
        Self::set_up_with(ng, options, (caller, &offer), (callee, &answer))
    }

    /// Sets a call up between endpoints that exist, each with the SDP it sends.
    #[must_use]
    #[track_caller]
    pub fn set_up_with(
        ng: &NgClient,
        options: &CallOptions,
        (caller, offer): (Endpoint, &str),
        (callee, answer): (Endpoint, &str),
    ) -> Self {
        let id = new_call_id();
        let callee_to = sent_sdp(&ng.ok(&offer_request(&id, offer, options)));
        let caller_to = sent_sdp(&ng.ok(&answer_request(&id, answer, options)));
        Self {
            id,
            caller,
            callee,
            caller_to,
            callee_to,
        }
    }

    /// Both parties send `count` packets at once; returns when all have arrived.
    ///
    /// # Panics
    /// If they do not arrive, or not each once, unchanged, and nothing else with them.
    #[track_caller]
    pub fn talk(&self, count: u32) {
        self.send_both(count);
        wait_until("every packet of both streams", || {
            self.callee.count_from(&self.caller) >= self.caller.sent()
                && self.caller.count_from(&self.callee) >= self.callee.sent()
        });
        self.assert_complete();
    }

    /// Both parties send `count` packets at once; nothing is awaited.
    pub fn send_both(&self, count: u32) {
        thread::scope(|scope| {
            scope.spawn(|| self.caller.send(self.caller_to, count));
            scope.spawn(|| self.callee.send(self.callee_to, count));
        });
    }

    /// Asserts that all that was sent so far has arrived, once, unchanged, from the relay, and nothing else.
    #[track_caller]
    pub fn assert_complete(&self) {
        for (receiver, sender, relay) in [
            (&self.callee, &self.caller, self.callee_to),
            (&self.caller, &self.callee, self.caller_to),
        ] {
            let mut report = receiver.report_of(sender);
            report.delays_ns.clear();
            assert!(report.is_complete(), "{report:?}");
            assert!(
                report.sources.keys().all(|source| *source == relay),
                "not from {relay}: {report:?}"
            );
        }
    }

    /// Sends RTCP both ways and waits for it.
    #[track_caller]
    pub fn exchange_rtcp(&self) {
        let (before_caller, before_callee) = (
            self.caller.rtcp_arrivals().len(),
            self.callee.rtcp_arrivals().len(),
        );
        self.caller.send_rtcp(sdp::rtcp_of(self.caller_to));
        wait_until("RTCP at the callee", || {
            self.callee.rtcp_arrivals().len() > before_callee
        });
        self.callee.send_rtcp(sdp::rtcp_of(self.callee_to));
        wait_until("RTCP at the caller", || {
            self.caller.rtcp_arrivals().len() > before_caller
        });
    }

    /// What `query` says about it.
    #[must_use]
    #[track_caller]
    pub fn query(&self, ng: &NgClient) -> Value {
        ng.ok(&json!({"command": "query", "call-id": self.id}))
    }

    /// The RTP streams of both parties, as `query` describes them.
    #[must_use]
    #[track_caller]
    pub fn rtp_streams(&self, ng: &NgClient) -> Vec<Value> {
        rtp_streams(&self.query(ng))
    }

    /// Whether `query` says of every RTP stream that the kernel forwards it.
    #[must_use]
    #[track_caller]
    pub fn is_in_kernel(&self, ng: &NgClient) -> bool {
        are_in_kernel(&self.rtp_streams(ng))
    }

    /// Lets both parties talk until `query` says that the kernel forwards both streams.
    #[track_caller]
    pub fn bring_into_kernel(&self, ng: &NgClient) {
        wait_until("both streams in the kernel", || {
            self.talk(2);
            self.is_in_kernel(ng)
        });
    }

    /// Ends it.
    #[track_caller]
    pub fn hang_up(&self, ng: &NgClient) {
        ng.ok(&json!({"command": "delete", "call-id": self.id, "from-tag": "caller"}));
    }
}

/// The RTP streams of every party in a reply to `query`.
#[must_use]
pub fn rtp_streams(reply: &Value) -> Vec<Value> {
    let tags = reply["tags"].as_object().cloned().unwrap_or_default();
    let medias = tags
        .values()
        .filter_map(|tag| tag["medias"].as_array())
        .flatten();
    medias.map(|media| media["streams"][0].clone()).collect()
}

/// Whether the kernel forwards all of these streams of a call.
#[must_use]
pub fn are_in_kernel(streams: &[Value]) -> bool {
    let has = |stream: &Value, flag: &str| {
        stream["flags"]
            .as_array()
            .is_some_and(|flags| flags.iter().any(|f| f == flag))
    };
    streams.len() >= 2
        && streams
            .iter()
            .all(|s| has(s, "kernelized") && !has(s, "no kernel support"))
}

/// A call-id nobody has used.
#[must_use]
pub fn new_call_id() -> String {
    format!(
        "call-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// An offer by `caller` from network a to network b.
#[must_use]
pub fn offer_request(call: &str, sdp: &str, options: &CallOptions) -> Value {
    let family = match options.callee {
        Family::V4 => "IP4",
        Family::V6 => "IP6",
    };
    let mut request = json!({
        "command": "offer", "call-id": call, "from-tag": "caller", "sdp": sdp, "ICE": "remove",
        "replace": ["origin", "session-connection"], "direction": ["a", "b"], "address family": family,
        "flags": options.flags,
    });
    add(&mut request, &options.keys);
    request
}

/// The answer of `callee` to it.
#[must_use]
pub fn answer_request(call: &str, sdp: &str, options: &CallOptions) -> Value {
    let mut request = json!({
        "command": "answer", "call-id": call, "from-tag": "caller", "to-tag": "callee", "sdp": sdp, "ICE": "remove",
        "replace": ["origin", "session-connection"], "flags": options.flags,
    });
    add(&mut request, &options.keys);
    request
}

/// Where the relay wants the stream of the SDP it sent.
#[must_use]
#[track_caller]
pub fn sent_sdp(reply: &Value) -> SocketAddr {
    let sdp = reply["sdp"]
        .as_str()
        .unwrap_or_else(|| panic!("no SDP in {reply}"));
    sdp::media(sdp).unwrap_or_else(|| panic!("no media in {sdp}"))
}

fn add(request: &mut Value, keys: &Map<String, Value>) {
    if let Some(request) = request.as_object_mut() {
        request.extend(keys.clone());
    }
}
