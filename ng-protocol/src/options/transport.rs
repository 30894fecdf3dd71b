//! How media is carried: profile, address family, TOS, and which source address counts.

use super::word::{Set, Word, done};

/// `address family`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressFamily {
    /// `IP4`
    Ip4,
    /// `IP6`
    Ip6,
}

/// The words of `address family`.
pub(super) const FAMILY: &[Word<Set>] = &[
    done("ip4", |o| o.address_family = Some(AddressFamily::Ip4)),
    done("ip6", |o| o.address_family = Some(AddressFamily::Ip6)),
];

/// `transport protocol`: the profile of RTP media in the SDP that goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportProtocol {
    /// RFC 3551
    RtpAvp,
    /// RFC 4585
    RtpAvpf,
    /// RFC 3711
    RtpSavp,
    /// RFC 5124
    RtpSavpf,
    /// RFC 5764
    UdpTlsRtpSavp,
    /// RFC 5764 with RFC 5124
    UdpTlsRtpSavpf,
}

impl TransportProtocol {
    /// Every protocol.
    pub const ALL: [Self; 6] = [
        Self::RtpAvp,
        Self::RtpAvpf,
        Self::RtpSavp,
        Self::RtpSavpf,
        Self::UdpTlsRtpSavp,
        Self::UdpTlsRtpSavpf,
    ];

    /// As in an m= line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RtpAvp => "RTP/AVP",
            Self::RtpAvpf => "RTP/AVPF",
            Self::RtpSavp => "RTP/SAVP",
            Self::RtpSavpf => "RTP/SAVPF",
            Self::UdpTlsRtpSavp => "UDP/TLS/RTP/SAVP",
            Self::UdpTlsRtpSavpf => "UDP/TLS/RTP/SAVPF",
        }
    }
}

/// The words of `transport protocol`.
pub(super) const PROTOCOLS: &[Word<Set>] = &[
    // In an answer it stands for "as answered".
    done("accept", |o| o.transport_protocol_accept = true),
    done("rtp/avp", |o| {
        o.transport_protocol = Some(TransportProtocol::RtpAvp)
    }),
    done("rtp/avpf", |o| {
        o.transport_protocol = Some(TransportProtocol::RtpAvpf)
    }),
    done("rtp/savp", |o| {
        o.transport_protocol = Some(TransportProtocol::RtpSavp)
    }),
    done("rtp/savpf", |o| {
        o.transport_protocol = Some(TransportProtocol::RtpSavpf)
    }),
    done("udp/tls/rtp/savp", |o| {
        o.transport_protocol = Some(TransportProtocol::UdpTlsRtpSavp)
    }),
    done("udp/tls/rtp/savpf", |o| {
        o.transport_protocol = Some(TransportProtocol::UdpTlsRtpSavpf)
    }),
];

/// `endpoint-learning`: when the address that packets come from takes the place of the one in the SDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointLearning {
    /// Never.
    Off,
    /// With the first packet.
    Immediate,
    /// With the first packet after the learning window.
    Delayed,
    /// By how well the source matches, within the learning window.
    Heuristic,
}

/// The words of `endpoint-learning`.
pub(super) const LEARNING: &[Word<Set>] = &[
    done("off", |o| o.endpoint_learning = Some(EndpointLearning::Off)),
    done("immediate", |o| {
        o.endpoint_learning = Some(EndpointLearning::Immediate)
    }),
    done("delayed", |o| {
        o.endpoint_learning = Some(EndpointLearning::Delayed)
    }),
    done("heuristic", |o| {
        o.endpoint_learning = Some(EndpointLearning::Heuristic)
    }),
];

/// `TOS`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tos {
    /// This TOS byte or traffic class.
    Set(u8),
    /// The configured one (256 on the wire).
    Configured,
    /// As it is (negative on the wire).
    Unchanged,
}
