//! What a flow is, independent of any engine.

use std::net::SocketAddr;

/// Names a flow: the stream (local port) its packets arrive at. Never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

/// RTP payload types (0..=127) as a bit set; bit N is payload type N.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PayloadTypes(pub u128);

impl PayloadTypes {
    /// Every payload type.
    pub const ALL: Self = Self(u128::MAX);
    /// No payload type.
    pub const NONE: Self = Self(0);

    /// Whether `payload_type` is one of them.
    #[must_use]
    pub fn contains(self, payload_type: u8) -> bool {
        self.0 & 1 << (payload_type & 0x7f) != 0
    }

    /// Those that are not in `others`.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

/// Which synchronisation sources (RFC 3550 section 5.1) pass without a look from user space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SsrcFilter {
    /// Any SSRC.
    Any,
    /// At most four known ones; others come up to user space.
    Known(Vec<u32>),
}

/// Receivers that one flow can have.
pub const MAX_RECEIVERS: usize = 1 + underpass_abi::MAX_FURTHER;

/// Where packets leave from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Our address and port that they leave from.
    pub from: SocketAddr,
    /// Where they go.
    pub to: SocketAddr,
    /// The TOS byte or traffic class they leave with.
    pub tos: u8,
}

/// One direction of one stream: what must arrive, and what it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Our address and port that the packets arrive at.
    pub local: SocketAddr,
    /// The only source they are accepted from; other sources come up.
    pub source: SocketAddr,
    /// Our address and port that they leave from.
    pub from: SocketAddr,
    /// Where they go; may be of the other address family than `local`.
    pub to: SocketAddr,
    /// The TOS byte or traffic class they leave with.
    pub tos: u8,
    /// Who else gets each packet: fewer than [`MAX_RECEIVERS`]. If anybody does, all receivers are of the address family of
    /// `local`.
    pub further: Box<[Receiver]>,
    /// Payload types that are passed on; others come up.
    pub payload_types: PayloadTypes,
    /// SSRCs that are passed on; others come up.
    pub ssrcs: SsrcFilter,
    /// RTP clock rate in Hz for jitter; 8000 where nothing better is known.
    pub clock_rate: u32,
}

impl Flow {
    /// Everybody who gets the packets, in order; at least one.
    pub fn receivers(&self) -> impl Iterator<Item = Receiver> + '_ {
        let Self { from, to, tos, .. } = *self;
        std::iter::once(Receiver { from, to, tos }).chain(self.further.iter().copied())
    }
}
