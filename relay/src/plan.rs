//! What signalling asks of media, as values: the words that `call` and `media` share.
//!
//! `call` decides and emits [`Action`]s; `media` carries them out. Neither knows the other.

mod digits;
mod quality;
mod recording;
mod sampled;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use digits::{Digits, Replacement, Substitute, TelephoneEvent, code_of, digit_of};
pub use quality::{Quality, Sample};
pub use recording::{Recording, RecordingId};
pub use sampled::Sampled;
use serde::{Deserialize, Serialize};

use crate::datapath::PayloadTypes;

/// Names one bound local UDP port for the life of the process; never reused, unlike the port's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId(pub u64);

/// Names a call for media: all streams of one call are served by one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallKey(pub u64);

/// IPv4 or IPv6, as in `address family`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// `IP4`
    V4,
    /// `IP6`
    V6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }
}

/// One address of a logical interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAddress {
    /// The address sockets are bound to.
    pub address: IpAddr,
    /// The address written into SDP (rtpengine's `addr!advertised`); the same unless configured.
    pub advertised: IpAddr,
}

/// A named interface of the `interface` option with its addresses, in order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogicalInterface {
    /// The name that `direction` refers to; `default` if none was given.
    pub name: Arc<str>,
    /// At least one address.
    pub addresses: Vec<LocalAddress>,
}

/// A bound local port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalPort {
    /// Its name.
    pub id: StreamId,
    /// Bound address and port.
    pub address: SocketAddr,
    /// The address for SDP; the port number is the same.
    pub advertised: IpAddr,
}

/// An even RTP port and the odd RTCP port above it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortPair {
    /// RTP, or RTP and RTCP where multiplexed.
    pub rtp: LocalPort,
    /// RTCP.
    pub rtcp: LocalPort,
}

impl PortPair {
    /// The port of a component.
    #[must_use]
    pub fn port(&self, component: Component) -> &LocalPort {
        match component {
            Component::Rtp => &self.rtp,
            Component::Rtcp => &self.rtcp,
        }
    }
}

/// No ports to be had: the pool of that address is used up (`Ran out of ports`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Ran out of ports")]
pub struct OutOfPorts;

/// A pair that a call had before a restart cannot be had again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetakeError {
    /// The relay has no such address any more.
    #[error("{0} is not a configured address any more")]
    NotConfigured(IpAddr),
    /// The kernel refuses, or the pair is taken.
    #[error("cannot bind {address} again: {reason}")]
    NotBound {
        /// The even port.
        address: SocketAddr,
        /// Why not.
        reason: String,
    },
}

/// Where `call` takes ports from. Ports are bound when handed out, both of a pair or neither.
pub trait PortSource {
    /// Takes a pair on `address` (one of the [`LocalAddress::address`]es).
    ///
    /// # Errors
    /// [`OutOfPorts`] when no rested pair is left.
    fn take(&mut self, address: &LocalAddress) -> Result<PortPair, OutOfPorts>;

    /// How many pairs can still be taken on `address`, at most; some of them may have to rest first.
    fn free(&self, address: &LocalAddress) -> usize;

    /// Takes the very pair that was had before a restart, whatever has arrived at it since. `rtp` names the even port; the
    /// pair has new names.
    ///
    /// # Errors
    /// [`RetakeError`] when it cannot be had.
    fn retake(&mut self, rtp: SocketAddr) -> Result<PortPair, RetakeError>;

    /// Gives back a pair that was taken and never became a stream, or whose streams have been closed.
    fn give_back(&mut self, pair: PortPair);
}

/// How a stream's source address is learned (rtpengine's `endpoint-learning`; ng-reference section 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointLearning {
    /// Never: the SDP address is kept.
    Off,
    /// From the first packet.
    Immediate,
    /// From the first packet later than 3 s after the last signalling.
    Delayed,
    /// By rank over 3 s: exact, same address, same port, anything.
    #[default]
    Heuristic,
}

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// RTP; RTCP too where the media is multiplexed.
    Rtp,
    /// RTCP alone.
    Rtcp,
}

/// One output of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    /// The stream whose socket passes the packets on, to its own endpoint.
    pub stream: StreamId,
    /// What becomes of them on the way.
    pub treatment: Treatment,
}

impl Sink {
    /// Passes everything on untouched.
    #[must_use]
    pub fn untouched(stream: StreamId) -> Self {
        Self {
            stream,
            treatment: Treatment::default(),
        }
    }
}

/// What becomes of RTP between a stream and one of its sinks. The default passes it on untouched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Treatment {
    /// `silence media`: speech is replaced by silence of the same length. What no silence is known for is passed on as it
    /// is, and so are telephone events.
    pub silence: bool,
    /// Payload types that are not passed on: all but telephone events for `block media`.
    pub dropped: PayloadTypes,
    /// Which RTP header extensions (RFC 8285) are passed on; `None`: all, and whatever else stands in their place.
    pub extensions: Option<ExtensionIds>,
    /// `media echo`: they go back to where they came from. Each source gets another name ([`Self::ssrc`]): by its own, they
    /// would look to it as if they had run in a loop (RFC 3550 section 8.2).
    pub echo: bool,
}

/// What tells the SSRC of an echo from that of its source.
const ECHO: u32 = u32::from_be_bytes(*b"echo");

impl Treatment {
    /// Everything is passed on untouched.
    #[must_use]
    pub fn is_none(&self) -> bool {
        !self.alters() && self.dropped == PayloadTypes::NONE
    }

    /// Packets that are passed on may not be what they were.
    #[must_use]
    pub fn alters(&self) -> bool {
        self.silence || self.echo || self.extensions.is_some()
    }

    /// What a source is called to those who receive it.
    #[must_use]
    pub fn ssrc(&self, ssrc: u32) -> u32 {
        if self.echo { ssrc ^ ECHO } else { ssrc }
    }
}

/// Ids of RTP header extensions as a bit set; bit N % 64 of word N / 64 is id N.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds(pub [u64; 4]);

impl ExtensionIds {
    /// Whether `id` is one of them.
    #[must_use]
    pub fn contains(&self, id: u8) -> bool {
        self.0[usize::from(id / 64)] & 1 << (id % 64) != 0
    }
}

impl FromIterator<u8> for ExtensionIds {
    fn from_iter<I: IntoIterator<Item = u8>>(ids: I) -> Self {
        let mut set = Self::default();
        for id in ids {
            set.0[usize::from(id / 64)] |= 1 << (id % 64);
        }
        set
    }
}

/// The payload type of comfort noise (RFC 3389), which some send without having said so.
pub const COMFORT_NOISE: u8 = 13;

/// The payload types whose silence is a byte that repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Silences {
    /// G.711 μ-law.
    pub pcmu: PayloadTypes,
    /// G.711 A-law.
    pub pcma: PayloadTypes,
    /// G.722.
    pub g722: PayloadTypes,
}

impl Silences {
    /// All of them.
    #[must_use]
    pub fn payload_types(&self) -> PayloadTypes {
        PayloadTypes(self.pcmu.0 | self.pcma.0 | self.g722.0)
    }
}

/// The static payload types of RFC 3551.
impl Default for Silences {
    fn default() -> Self {
        Self {
            pcmu: PayloadTypes(1),
            pcma: PayloadTypes(1 << 8),
            g722: PayloadTypes(1 << 9),
        }
    }
}

/// What becomes of RTCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RtcpHandling {
    /// It is encrypted, and says nothing to us.
    pub encrypted: bool,
    /// `generate-RTCP`: what arrives is not passed on.
    pub consumed: bool,
    /// `generate-RTCP`: the peer is sent reports made here.
    pub generated: Option<Generated>,
    /// The peer's profile knows no feedback messages (RFC 4585), that of those it hears does: it is sent none.
    pub without_feedback: bool,
}

/// Reports that are made here and leave through a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generated {
    /// How often, about.
    pub every_ms: u32,
    /// The stream of the same media that RTP comes and goes through.
    pub media: StreamId,
}

/// Everything signalling decides about one stream. A new plan replaces the old one whole. One that differs in `signalled`
/// only says nothing new: the stream's flow stays in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPlan {
    /// RTP or RTCP.
    pub component: Component,
    /// Where the peer said it receives; `None` while it is unanswered (or on hold with a zero address).
    pub endpoint: Option<SocketAddr>,
    /// The media has been answered: learning may begin. Packets are forwarded before that, too.
    pub public: bool,
    /// Counts the offers and answers about this media. A change restarts the learning window (3 s), so that a peer behind
    /// NAT that has moved and repeats its SDP is found again; a confirmed source stays until another one shows up.
    pub signalled: u64,
    /// Counts how often what was learned is to be forgotten. A change begins anew, at `endpoint`.
    pub resets: u64,
    /// How the source is learned.
    pub learning: EndpointLearning,
    /// After confirmation, packets from elsewhere are dropped and counted as errors.
    pub strict_source: bool,
    /// After confirmation, packets from elsewhere move the stream.
    pub media_handover: bool,
    /// The peer sends from elsewhere than it receives: learning never moves the send-to address.
    pub asymmetric: bool,
    /// `NAT-wait`: the peer is sent nothing before it has sent something.
    pub nat_wait: bool,
    /// `pierce-NAT`: the peer is sent empty packets until it has sent something.
    pub pierce_nat: bool,
    /// Where the RTP (or anything not RTCP) that arrives here is passed on.
    pub sinks: Vec<Sink>,
    /// Streams whose sockets pass on the RTCP that arrives here.
    pub rtcp_sinks: Vec<StreamId>,
    /// What becomes of RTCP.
    pub rtcp: RtcpHandling,
    /// Payload types that are passed on untouched; others are looked at by user space (and passed on too).
    /// [`PayloadTypes::NONE`]: not RTP (T.38, BFCP); all packets go to `sinks`.
    pub payload_types: PayloadTypes,
    /// Those that carry telephone events (RFC 4733).
    pub telephone_events: PayloadTypes,
    /// Their clock rates in Hz, those of 8000 Hz excepted.
    pub event_clock_rates: Vec<(u8, u32)>,
    /// What becomes of them.
    pub digits: Digits,
    /// They are told as [`TelephoneEvent`]s when they have ended.
    pub detect_events: bool,
    /// They are told as they begin and when they have ended.
    pub watch_digits: bool,
    /// Those that a `silence` knows silence for.
    pub silences: Silences,
    /// `block-short`: packets of these payload types are not passed on where they are shorter than is usual for the stream.
    pub never_short: PayloadTypes,
    /// RTP clock rate in Hz of the first payload type; 8000 where unknown.
    pub clock_rate: u32,
    /// TOS byte or traffic class of what leaves through this stream.
    pub tos: u8,
    /// What arrives here is recorded.
    pub recording: Option<RecordingId>,
}

impl StreamPlan {
    /// Telephone events are looked at by user space.
    #[must_use]
    pub fn follows_events(&self) -> bool {
        self.detect_events || self.watch_digits || self.digits != Digits::Pass
    }
}

/// What media is to do. Actions of one command are carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Begins serving a port that was taken from the pool.
    Open {
        /// The call it belongs to.
        call: CallKey,
        /// The port.
        port: LocalPort,
        /// What to do with its packets.
        plan: StreamPlan,
        /// The stream of the same party that it takes over from: what that one has learned holds here, too, as far as the
        /// party's endpoint in SDP is the same.
        predecessor: Option<StreamId>,
        /// What had been learned of it before a restart: it goes on from there.
        learned: Option<Box<Learned>>,
    },
    /// Makes the streams of pairs another call's, and served by its worker: two calls have become one.
    Move {
        /// The call they belong to from now on.
        call: CallKey,
        /// The pairs.
        pairs: Vec<PortPair>,
    },
    /// Replaces a stream's plan.
    Update {
        /// The stream.
        stream: StreamId,
        /// What to do from now on.
        plan: StreamPlan,
    },
    /// Stops serving both streams of a pair, ends their flows and gives the ports back to the pool.
    Close {
        /// The pair.
        pair: PortPair,
    },
    /// Tells the recorder what happens to a recording.
    Record(Recording),
}

/// Counters and state of one stream, user space and kernel together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamView {
    /// Packets received and passed on, user space.
    pub user_packets: u64,
    /// Their UDP payload bytes.
    pub user_bytes: u64,
    /// Packets that could not be passed on, or that strict-source refused.
    pub errors: u64,
    /// Packets sent to the stream's peer by user space. What the kernel sends to it counts at the streams it comes from.
    pub sent_packets: u64,
    /// Their UDP payload bytes.
    pub sent_bytes: u64,
    /// Packets that could not be sent to the peer.
    pub send_errors: u64,
    /// Packets forwarded by the kernel.
    pub kernel_packets: u64,
    /// Their UDP payload bytes.
    pub kernel_bytes: u64,
    /// When user space last saw a packet, ms of CLOCK_MONOTONIC; 0 never.
    pub last_user_ms: u64,
    /// When the kernel last forwarded one, ms of CLOCK_MONOTONIC; 0 never.
    pub last_kernel_ms: u64,
    /// The source is confirmed.
    pub confirmed: bool,
    /// The endpoint packets are sent to now (learned or from SDP).
    pub endpoint: Option<SocketAddr>,
    /// `None`: forwarded by the kernel. Else why it is not.
    pub kernel_reason: Option<&'static str>,
    /// SSRCs seen, in order of appearance, with what was measured.
    pub ssrcs: Vec<SsrcView>,
    /// What receivers said in the RTCP that arrived here.
    pub quality: Vec<Quality>,
    /// Sequence numbers that did not follow the one before.
    pub sequence: SequenceEvents,
}

/// How often sequence numbers did not follow the one before, as far as user space saw both; the kernel counts losses only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceEvents {
    /// The same number as the one before.
    pub duplicates: u64,
    /// Some were left out.
    pub skips: u64,
    /// The number jumped too far for that: the sender began anew.
    pub resets: u64,
    /// An earlier number came later.
    pub reordered: u64,
}

impl std::ops::AddAssign for SequenceEvents {
    fn add_assign(&mut self, other: Self) {
        self.duplicates += other.duplicates;
        self.skips += other.skips;
        self.resets += other.resets;
        self.reordered += other.reordered;
    }
}

/// What was measured for one received SSRC, user space and kernel together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SsrcView {
    /// The synchronisation source.
    pub ssrc: u32,
    /// Packets received.
    pub packets: u64,
    /// UDP payload bytes received; 0 where only the kernel counted.
    pub bytes: u64,
    /// Extended highest sequence number.
    pub highest_sequence: u32,
    /// Last RTP timestamp seen by user space.
    pub last_timestamp: u32,
    /// Packets lost.
    pub lost: u32,
    /// Interarrival jitter in RTP clock units.
    pub jitter: u32,
}

/// What media has learned and counted of one stream, in user space: enough to go on from after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Learned {
    /// [`StreamPlan::endpoint`] and [`StreamPlan::signalled`] of the plan that this is about.
    pub announced: Option<SocketAddr>,
    /// See `announced`.
    pub signalled: u64,
    /// The confirmed source.
    pub source: Option<SocketAddr>,
    /// The source was confirmed before the latest signalling and waits to be heard again.
    pub kept: bool,
    /// The endpoint packets are sent to.
    pub send_to: Option<SocketAddr>,
    /// The SSRCs of the confirmed source; `None` if they were too many to be told apart.
    pub ssrcs: Option<Vec<u32>>,
    /// Packets received and passed on.
    pub packets: u64,
    /// Their UDP payload bytes.
    pub bytes: u64,
    /// Packets that could not be passed on, or that strict-source refused.
    pub errors: u64,
    /// What was sent to the peer: packets, their UDP payload bytes, and packets that could not be sent.
    pub sent: (u64, u64, u64),
    /// When user space last saw a packet, ms of CLOCK_MONOTONIC; 0 never.
    pub last_ms: u64,
    /// What the kernel had counted, too, when this was looked at: packets, and their UDP payload bytes. The table knows it
    /// better, if it still has the flow.
    pub kernel: (u64, u64),
    /// What was measured of its SSRCs.
    pub heard: Vec<Heard>,
    /// What receivers said in the RTCP that arrived here.
    pub quality: Vec<Quality>,
}

/// What user space measured of one SSRC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heard {
    /// The measurements.
    pub view: SsrcView,
    /// Packets that came up while the kernel forwarded the flow: gaps to the kernel, but not lost.
    pub interleaved: u64,
}

/// Where `call` reads counters for `query`, `delete` and timeouts.
pub trait StreamReader {
    /// The stream's view, or `None` if it is not open (any more).
    fn view(&self, stream: StreamId) -> Option<StreamView>;

    /// When the stream last had a packet, in user space or in the kernel, ms of CLOCK_MONOTONIC; 0 never. `None` if it is
    /// not open (any more). Cheap: timeouts ask this of every call.
    fn last_packet_ms(&self, stream: StreamId) -> Option<u64>;

    /// What there is to go on from after a restart; `None` if the stream is not open (any more).
    fn learned(&self, stream: StreamId) -> Option<Learned>;

    /// [`StreamView::kernel_reason`] alone. Cheap: metrics ask this of every call.
    fn kernel_reason(&self, stream: StreamId) -> Option<Option<&'static str>>;
}
