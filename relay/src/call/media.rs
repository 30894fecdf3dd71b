//! One media of a party: what its SDP said, and our ports that face it.

use std::net::SocketAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Timestamp, extmap};
use crate::datapath::PayloadTypes;
use crate::plan::{EndpointLearning, Family, LocalPort, PortPair, Silences, StreamId};
use crate::sdp::{CodecList, Protocol};

/// A media that moves between remote endpoints goes back to the ports it had with one of the last few of them.
const KEPT_PORT_SETS: usize = 3;

/// A media section as it stands between us and one party.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Media {
    /// The word after `m=`.
    pub(super) kind: String,
    pub(super) protocol: Protocol,
    /// The first format.
    pub(super) payload_type: Option<u8>,
    /// Its encoding, for `query`.
    pub(super) codec: Option<String>,
    /// The address family of our ports.
    pub(super) family: Family,
    /// Where the party receives; `None` until it has said so.
    pub(super) remote: Option<Remote>,
    /// The party sends to us.
    pub(super) receives: bool,
    /// We send to the party.
    pub(super) sends: bool,
    /// RTP and RTCP share a port (RFC 5761).
    pub(super) rtcp_mux: bool,
    /// They do so by what was answered last: the next offer has no port to fall back to.
    pub(super) rtcp_mux_agreed: bool,
    /// The offer decided on `rtcp_mux`; the answer is not asked.
    pub(super) rtcp_mux_decided: bool,
    /// Port 0 in the last offer or answer. Ports are let go when that has been answered.
    pub(super) rejected: bool,
    /// Passes through us: neither over TCP nor a `message`.
    pub(super) relayed: bool,
    /// The section of the same party whose ports it lies on, if not on its own ([`super::bundle`]).
    pub(super) carrier: Option<usize>,
    /// The section's `a=mid`.
    pub(super) mid: Option<Bytes>,
    /// The party is not shown this section and does not count it.
    pub(super) hidden: bool,
    /// The codecs that the party was offered; none if it was not, or has made an offer itself since.
    pub(super) offered_codecs: CodecList,
    /// It has answered that.
    pub(super) has_answered: bool,
    /// The `ptime` that its answers are written with (`ptime-reverse`).
    pub(super) ptime: Option<u32>,
    pub(super) extensions: extmap::Known,
    /// An answer has been seen.
    pub(super) public: bool,
    pub(super) learning: EndpointLearning,
    pub(super) strict_source: bool,
    pub(super) media_handover: bool,
    pub(super) asymmetric: bool,
    /// The party is sent nothing before it has sent something.
    pub(super) nat_wait: bool,
    /// The party is sent empty packets until it has sent something.
    pub(super) pierce_nat: bool,
    /// What the party sends of these payload types is not passed on where it is shorter than usual (`block-short`).
    pub(super) never_short: PayloadTypes,
    /// Which way goes what the party sends.
    pub(super) course: Course,
    /// The payload types that the party named.
    pub(super) payload_types: PayloadTypes,
    /// Those of them that carry telephone events (RFC 4733).
    pub(super) events: PayloadTypes,
    /// Their clock rates in Hz, those of 8000 Hz excepted.
    pub(super) event_rates: Vec<(u8, u32)>,
    /// Those of them whose silence is known.
    pub(super) silences: Silences,
    /// RTCP is not passed on but made here.
    pub(super) generates_rtcp: bool,
    /// Hz, of the first payload type.
    pub(super) clock_rate: u32,
    /// Counts the offers and answers about it.
    pub(super) signalled: u64,
    /// Counts how often what was learned of its source was forgotten.
    pub(super) resets: u64,
    pub(super) created: Timestamp,
    /// Since when its timeout runs, if no packet comes.
    pub(super) since: Timestamp,
    /// Our ports; those announced last at the end.
    port_sets: Vec<PortSet>,
    /// The RTP port of those that were last part of an answered offer. An offer may be refused, so it takes its answer
    /// to send from other ports.
    answered: Option<StreamId>,
}

/// Which way goes what a party sends (`media echo`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Course {
    /// To whoever hears the party.
    #[default]
    Onward,
    /// Nowhere.
    Astray,
    /// Back to the party.
    Back,
}

/// Where a party receives, as it said. The address may be unspecified: the old form of hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remote {
    pub(super) rtp: SocketAddr,
    pub(super) rtcp: Option<SocketAddr>,
}

/// A pair of ports and whom it was taken for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PortSet {
    pub(super) pair: PortPair,
    pub(super) interface: usize,
    pub(super) family: Family,
    /// Where the *other* party receives; `None` until that is known, then the first endpoint is adopted.
    pub(super) peer: Option<SocketAddr>,
}

/// What stands for whatever a snapshot of another version does not say.
impl Default for Media {
    fn default() -> Self {
        Self::new(Timestamp::default())
    }
}

impl Media {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            kind: String::new(),
            protocol: Protocol::RtpAvp,
            payload_type: None,
            codec: None,
            family: Family::V4,
            remote: None,
            receives: true,
            sends: true,
            rtcp_mux: false,
            rtcp_mux_agreed: false,
            rtcp_mux_decided: false,
            rejected: false,
            relayed: true,
            carrier: None,
            mid: None,
            hidden: false,
            offered_codecs: CodecList::default(),
            has_answered: false,
            ptime: None,
            extensions: extmap::Known::default(),
            public: false,
            learning: EndpointLearning::default(),
            strict_source: false,
            media_handover: false,
            asymmetric: false,
            nat_wait: false,
            pierce_nat: false,
            never_short: PayloadTypes::NONE,
            course: Course::default(),
            payload_types: PayloadTypes::NONE,
            events: PayloadTypes::NONE,
            event_rates: Vec::new(),
            generates_rtcp: false,
            silences: Silences::default(),
            clock_rate: 8000,
            signalled: 0,
            resets: 0,
            created: now,
            since: now,
            port_sets: Vec::new(),
            answered: None,
        }
    }

    /// The ports that are announced to the party.
    pub(super) fn ports(&self) -> Option<&PortPair> {
        self.port_sets.last().map(|set| &set.pair)
    }

    /// All ports: those in use, and earlier ones at which the party's packets may still arrive.
    pub(super) fn all_ports(&self) -> impl Iterator<Item = &PortPair> {
        self.port_sets.iter().map(|set| &set.pair)
    }

    /// The ports that are sent from.
    pub(super) fn sending_ports(&self) -> Option<&PortPair> {
        let answered = self
            .all_ports()
            .find(|pair| Some(pair.rtp.id) == self.answered);
        answered.or_else(|| self.ports())
    }

    /// Takes note that the ports announced are part of an answered offer.
    pub(super) fn settle_ports(&mut self) {
        if self.carrier.is_some() {
            self.drop_ports();
        }
        self.answered = self.ports().map(|pair| pair.rtp.id);
    }

    /// Where RTCP to the party leaves from.
    pub(super) fn rtcp_port(&self) -> Option<&LocalPort> {
        let pair = self.sending_ports()?;
        Some(if self.rtcp_mux { &pair.rtp } else { &pair.rtcp })
    }

    /// Where RTP is sent to; `None` while that is unknown or zero.
    pub(super) fn rtp_endpoint(&self) -> Option<SocketAddr> {
        self.remote.map(|remote| remote.rtp).filter(reachable)
    }

    /// Where RTCP is sent to on a port of its own; `None` while that is unknown, zero or multiplexed.
    pub(super) fn rtcp_endpoint(&self) -> Option<SocketAddr> {
        if self.rtcp_mux {
            return None;
        }
        self.remote.and_then(|remote| remote.rtcp).filter(reachable)
    }

    /// Whether a subscriber is to be sent to: it has answered, and not with `inactive`.
    pub(super) fn listens(&self) -> bool {
        self.sends && self.public && !self.rejected
    }

    /// Sets whether we receive from and send to the party; what is newly awaited is given its whole timeout.
    pub(super) fn expect(&mut self, receives: bool, sends: bool, now: Timestamp) {
        if receives && !self.receives {
            self.since = now;
        }
        self.receives = receives;
        self.sends = sends;
    }

    /// Sets where the party receives; from the first time on, its packets are awaited. A zero address is no reason to face
    /// the party from another family: `0.0.0.0` is hold in IPv6 calls, too.
    pub(super) fn locate(&mut self, remote: Remote, now: Timestamp) {
        if self.remote.is_none() {
            self.since = now;
        }
        self.remote = Some(remote);
        if !remote.rtp.ip().is_unspecified() || self.port_sets.is_empty() {
            self.family = Family::of(remote.rtp.ip());
        }
    }

    /// Makes the ports that fit current, if there are any: same interface and family, same peer or none yet. With
    /// `latch`, the current ones fit any peer.
    pub(super) fn reuse_ports(
        &mut self,
        interface: usize,
        family: Family,
        peer: SocketAddr,
        latch: bool,
    ) -> bool {
        let current = self.port_sets.len().saturating_sub(1);
        let found = self
            .port_sets
            .iter()
            .enumerate()
            .rev()
            .find(|(index, set)| {
                let any_peer = set.peer.is_none() || (latch && *index == current);
                set.interface == interface
                    && set.family == family
                    && (any_peer || set.peer.is_some_and(|known| same_peer(known, peer)))
            });
        let Some((index, _)) = found else {
            return false;
        };
        let mut set = self.port_sets.remove(index);
        let keep = peer.ip().is_unspecified() && set.peer.is_some();
        if !keep {
            set.peer = Some(peer);
        }
        self.port_sets.push(set);
        true
    }

    /// Makes new ports current. The oldest ones beyond a few are forgotten, those that are sent from excepted.
    pub(super) fn add_ports(&mut self, set: PortSet) {
        if self.port_sets.len() >= KEPT_PORT_SETS {
            let sending = self.answered;
            let oldest = |set: &PortSet| Some(set.pair.rtp.id) != sending;
            if let Some(oldest) = self.port_sets.iter().position(oldest) {
                self.port_sets.remove(oldest);
            }
        }
        self.port_sets.push(set);
    }

    /// Exchanges every set of ports for the one that `again` makes of it; forgets those it makes nothing of.
    pub(super) fn exchange_ports(&mut self, mut again: impl FnMut(PortSet) -> Option<PortSet>) {
        let answered = self.answered.take();
        for before in std::mem::take(&mut self.port_sets) {
            let was_answered = answered == Some(before.pair.rtp.id);
            let Some(set) = again(before) else { continue };
            if was_answered {
                self.answered = Some(set.pair.rtp.id);
            }
            self.port_sets.push(set);
        }
    }

    /// Forgets what was found out about the party by answers and packets (flag `reset`).
    pub(super) fn forget(&mut self) {
        self.rtcp_mux = false;
        self.rtcp_mux_agreed = false;
        self.rtcp_mux_decided = false;
        self.carrier = None;
        self.offered_codecs.clear();
        self.resets += 1;
    }

    /// Lets all ports go: the media was rejected.
    pub(super) fn drop_ports(&mut self) {
        self.port_sets.clear();
    }
}

fn reachable(endpoint: &SocketAddr) -> bool {
    !endpoint.ip().is_unspecified() && endpoint.port() != 0
}

/// A party on hold by a zero address is still where it was.
fn same_peer(known: SocketAddr, peer: SocketAddr) -> bool {
    if known.ip().is_unspecified() || peer.ip().is_unspecified() {
        return known.port() == peer.port();
    }
    known == peer
}
