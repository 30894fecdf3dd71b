//! `rtcp-mux` and `generate RTCP`.

use super::word::{Set, Word, done};

/// `rtcp-mux`: who multiplexes RTP and RTCP on one port (RFC 5761).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RtcpMux {
    /// Offer it, with a port for RTCP to fall back to.
    pub offer: bool,
    /// Offer it without a fallback; implies `offer`.
    pub require: bool,
    /// Strip it from the offer, accept it towards the offerer.
    pub demux: bool,
    /// Accept it towards the offerer.
    pub accept: bool,
    /// Refuse it towards the offerer.
    pub reject: bool,
}

/// The words of `rtcp-mux`.
pub(super) const MUX: &[Word<Set>] = &[
    done("offer", |o| o.rtcp_mux.offer = true),
    done("require", |o| {
        o.rtcp_mux.offer = true;
        o.rtcp_mux.require = true;
    }),
    done("demux", |o| o.rtcp_mux.demux = true),
    done("accept", |o| o.rtcp_mux.accept = true),
    done("reject", |o| o.rtcp_mux.reject = true),
];

/// The words of `generate RTCP`.
pub(super) const GENERATE: &[Word<Set>] = &[
    done("on", |o| o.generate_rtcp = Some(true)),
    done("off", |o| o.generate_rtcp = Some(false)),
];
