//! The value types of options.

/// `ICE`: what happens to ICE attributes on their way through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ice {
    /// Not given, or `default`: as [`Self::Force`] if the SDP that came in has ICE, else none.
    #[default]
    Default,
    /// Strip it.
    Remove,
    /// Strip theirs, insert ours.
    Force,
    /// Keep theirs but relay candidates, add ours as relay candidates.
    ForceRelay,
    /// Add ours with a low priority beside theirs.
    Optional,
}

/// Towards whom we are an ICE-lite agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IceLite {
    /// Nobody.
    Off,
    /// The receiver of this message.
    Forward,
    /// The sender of this message.
    Backward,
    /// Both.
    Both,
}

/// `DTLS`: the role we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtls {
    /// No DTLS is offered or accepted.
    Off,
    /// We wait for the handshake.
    Passive,
    /// We begin the handshake.
    Active,
}

/// `address family`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressFamily {
    /// `IP4`
    Ip4,
    /// `IP6`
    Ip6,
}

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

/// `replace`: parts of the session description that are rewritten beyond what relaying needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replace {
    /// The address in o=.
    pub origin: bool,
    /// All of o=.
    pub origin_full: bool,
    /// s=
    pub session_name: bool,
    /// The user name in o=.
    pub username: bool,
    /// The version in o=, when the body changed.
    pub sdp_version: bool,
    /// The version in o=, always.
    pub force_increment_sdp_version: bool,
    /// A zero address of a medium on hold.
    pub zero_address: bool,
}

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
