//! What an engine tells about a flow: where it is forwarded and what was counted. Shared without locks between the
//! engine that writes it and everybody who reads it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Why a stream is forwarded in user space, in words an operator understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// No flow has been asked for (yet): nothing confirmed, or taken back.
    NotInstalled = 1,
    /// The relay runs with the null engine (no table, no privilege, or built without).
    NoEngine = 2,
    /// The interface of the local address has no engine attached.
    NoEngineOnInterface = 3,
    /// No route to the destination.
    NoRoute = 4,
    /// The next hop's link-layer address is not resolved (yet).
    NextHopUnresolved = 5,
    /// The destination is an address of this machine.
    DestinationIsLocal = 6,
    /// The egress interface is down.
    InterfaceDown = 7,
    /// The table is full, or what has just become free in it must rest.
    TableFull = 8,
    /// The address or port it arrives at or leaves from is not granted to this relay.
    NotGranted = 9,
    /// The engine was given up at run time: the device did not send its packets.
    EngineGivenUp = 10,
    /// No packet from a confirmed source yet.
    SourceNotConfirmed = 11,
    /// The stream has no receiver, or a receiver whose endpoint is unknown.
    NoReceiver = 12,
    /// RTCP and other non-RTP streams are handled in user space.
    NotRtp = 13,
    /// One source feeds more receivers than the kernel makes copies for.
    TooManyReceivers = 14,
    /// The egress interface can't take what the ingress engine sends: no Ethernet, or native XDP without XDP there.
    EgressUnsupported = 15,
    /// The egress interface has not been granted to this relay (yet).
    EgressNotGranted = 16,
    /// The node's agent has taken the table back.
    TableLost = 17,
    /// Media is not passed on as it came: not at all, silenced, or without some of its header extensions.
    MediaAltered = 18,
    /// What arrives is recorded.
    BeingRecorded = 19,
    /// One source feeds several receivers, some of them in the other address family.
    ReceiversOfOtherFamily = 20,
    /// One source feeds several receivers, and the engine where it arrives is XDP, which makes no copies.
    SeveralReceiversByXdp = 21,
    /// Packets that are shorter than usual are not passed on.
    ShortHeldBack = 22,
}

impl Reason {
    /// The text `query` gives as `kernel reason`.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::NotInstalled => "no flow installed",
            Self::NoEngine => "kernel forwarding is off for this relay",
            Self::NoEngineOnInterface => "no kernel engine on the interface of the local address",
            Self::NoRoute => "no route to the destination",
            Self::NextHopUnresolved => "link-layer address of the next hop not resolved",
            Self::DestinationIsLocal => "the destination is an address of this machine",
            Self::InterfaceDown => "the egress interface is down",
            Self::TableFull => "the flow table is full",
            Self::NotGranted => "an address or port is not granted to this relay",
            Self::EngineGivenUp => "the interface does not send what the kernel engine forwards",
            Self::SourceNotConfirmed => "no packet from a confirmed source yet",
            Self::NoReceiver => "no receiver with a known endpoint",
            Self::NotRtp => "not RTP: handled in user space",
            Self::TooManyReceivers => "more than eight receivers",
            Self::EgressUnsupported => {
                "the egress interface can't send what the kernel engine forwards"
            }
            Self::EgressNotGranted => "the egress interface is not granted to this relay",
            Self::TableLost => "the node's agent has taken the table back",
            Self::MediaAltered => "media is blocked, silenced, echoed, or loses header extensions",
            Self::BeingRecorded => "being recorded",
            Self::ReceiversOfOtherFamily => {
                "several receivers, some of them in the other address family"
            }
            Self::SeveralReceiversByXdp => "several receivers, which XDP makes no copies for",
            Self::ShortHeldBack => "packets that are too short are blocked",
        }
    }

    fn from_code(code: u8) -> Self {
        match code {
            2 => Self::NoEngine,
            3 => Self::NoEngineOnInterface,
            4 => Self::NoRoute,
            5 => Self::NextHopUnresolved,
            6 => Self::DestinationIsLocal,
            7 => Self::InterfaceDown,
            8 => Self::TableFull,
            9 => Self::NotGranted,
            10 => Self::EngineGivenUp,
            11 => Self::SourceNotConfirmed,
            12 => Self::NoReceiver,
            13 => Self::NotRtp,
            14 => Self::TooManyReceivers,
            15 => Self::EgressUnsupported,
            16 => Self::EgressNotGranted,
            17 => Self::TableLost,
            18 => Self::MediaAltered,
            19 => Self::BeingRecorded,
            20 => Self::ReceiversOfOtherFamily,
            21 => Self::SeveralReceiversByXdp,
            22 => Self::ShortHeldBack,
            _ => Self::NotInstalled,
        }
    }
}

/// Where a stream's packets are forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowState {
    /// In the kernel.
    Kernel,
    /// In user space, and why.
    UserSpace(Reason),
}

/// What the kernel measured for one SSRC of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SsrcCounters {
    /// The synchronisation source.
    pub ssrc: u32,
    /// Packets counted.
    pub packets: u64,
    /// Extended highest sequence number (RFC 3550 section 6.4.1).
    pub highest_sequence: u32,
    /// Packets lost: expected less received, not below zero.
    pub lost: u32,
    /// Interarrival jitter in RTP clock units (RFC 3550 section 6.4.1).
    pub jitter: u32,
}

/// A flow's state and kernel counters, written by the engine.
#[derive(Debug, Default)]
pub struct FlowReport {
    state: AtomicU8,
    packets: AtomicU64,
    bytes: AtomicU64,
    last_packet_ms: AtomicU64,
    ssrcs: Mutex<Vec<SsrcCounters>>,
}

impl FlowReport {
    const KERNEL: u8 = 0xff;

    /// Where the stream is forwarded now.
    #[must_use]
    pub fn state(&self) -> FlowState {
        match self.state.load(Ordering::Relaxed) {
            Self::KERNEL => FlowState::Kernel,
            code => FlowState::UserSpace(Reason::from_code(code)),
        }
    }

    /// Records where the stream is forwarded.
    pub fn set_state(&self, state: FlowState) {
        let code = match state {
            FlowState::Kernel => Self::KERNEL,
            FlowState::UserSpace(reason) => reason as u8,
        };
        self.state.store(code, Ordering::Relaxed);
    }

    /// Packets forwarded by the kernel since the stream began, all its flows together.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }

    /// UDP payload bytes forwarded by the kernel.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// When the kernel last forwarded a packet, in ms of CLOCK_MONOTONIC; 0 if it never did.
    #[must_use]
    pub fn last_packet_ms(&self) -> u64 {
        self.last_packet_ms.load(Ordering::Relaxed)
    }

    /// Per-SSRC measurements, as of the last refresh.
    #[must_use]
    pub fn ssrcs(&self) -> Vec<SsrcCounters> {
        self.ssrcs.lock().map(|s| s.clone()).unwrap_or_default()
    }

    /// Adds what has been forwarded since the last time, the latest of it at `last_packet_ms`.
    pub fn add(&self, packets: u64, bytes: u64, last_packet_ms: u64) {
        self.packets.fetch_add(packets, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.last_packet_ms
            .fetch_max(last_packet_ms, Ordering::Relaxed);
    }

    /// Goes on from what a table or a journal has known of the stream. Nothing is counted twice, however often and wherever
    /// it is told: of two totals of one stream the larger is the later.
    pub fn go_on_from(&self, packets: u64, bytes: u64, last_packet_ms: u64) {
        self.packets.fetch_max(packets, Ordering::Relaxed);
        self.bytes.fetch_max(bytes, Ordering::Relaxed);
        self.last_packet_ms
            .fetch_max(last_packet_ms, Ordering::Relaxed);
    }

    /// Overwrites the per-SSRC measurements.
    pub fn set_ssrcs(&self, ssrcs: impl Iterator<Item = SsrcCounters>) {
        if let Ok(mut held) = self.ssrcs.lock() {
            held.clear();
            held.extend(ssrcs);
        }
    }
}
