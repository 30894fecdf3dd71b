//! The transport protocol of an `m=` line.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The `proto` field of an `m=` line (RFC 8866 section 5.14); RTP profiles by name, anything else as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Protocol {
    /// `RTP/AVP`, RFC 3551.
    RtpAvp,
    /// `RTP/AVPF`, RFC 4585.
    RtpAvpf,
    /// `RTP/SAVP`, RFC 3711.
    RtpSavp,
    /// `RTP/SAVPF`, RFC 5124.
    RtpSavpf,
    /// `UDP/TLS/RTP/SAVP`, RFC 5764.
    UdpTlsRtpSavp,
    /// `UDP/TLS/RTP/SAVPF`, RFC 5764.
    UdpTlsRtpSavpf,
    /// Not RTP: `udptl`, `UDP/BFCP`, `TCP/MSRP` …
    Other(String),
}

impl From<String> for Protocol {
    fn from(name: String) -> Self {
        Self::from_name(&name)
    }
}

impl From<Protocol> for String {
    fn from(protocol: Protocol) -> Self {
        protocol.as_str().to_owned()
    }
}

impl Protocol {
    /// The protocol of this name; names of RTP profiles are compared without regard to case, as rtpengine does.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        const RTP: [Protocol; 6] = [
            Protocol::RtpAvp,
            Protocol::RtpAvpf,
            Protocol::RtpSavp,
            Protocol::RtpSavpf,
            Protocol::UdpTlsRtpSavp,
            Protocol::UdpTlsRtpSavpf,
        ];
        RTP.into_iter()
            .find(|protocol| protocol.as_str().eq_ignore_ascii_case(name))
            .unwrap_or_else(|| Self::Other(name.to_owned()))
    }

    /// The name as it is written in an `m=` line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::RtpAvp => "RTP/AVP",
            Self::RtpAvpf => "RTP/AVPF",
            Self::RtpSavp => "RTP/SAVP",
            Self::RtpSavpf => "RTP/SAVPF",
            Self::UdpTlsRtpSavp => "UDP/TLS/RTP/SAVP",
            Self::UdpTlsRtpSavpf => "UDP/TLS/RTP/SAVPF",
            Self::Other(name) => name,
        }
    }

    /// Whether it is RTP: payload types, RTCP, directions have a meaning.
    #[must_use]
    pub fn is_rtp(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// Whether media is encrypted (SRTP), by SDES or DTLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        matches!(
            self,
            Self::RtpSavp | Self::RtpSavpf | Self::UdpTlsRtpSavp | Self::UdpTlsRtpSavpf
        )
    }

    /// Whether the name of one may stand for the other with media left as it is: RTP, encrypted alike.
    #[must_use]
    pub fn is_exchangeable_with(&self, other: &Self) -> bool {
        let keys = |protocol: &Self| match protocol {
            Self::RtpAvp | Self::RtpAvpf => Some(0),
            Self::RtpSavp | Self::RtpSavpf => Some(1),
            Self::UdpTlsRtpSavp | Self::UdpTlsRtpSavpf => Some(2),
            Self::Other(_) => None,
        };
        keys(self).is_some() && keys(self) == keys(other)
    }

    /// Whether it has early RTCP feedback (RFC 4585).
    #[must_use]
    pub fn has_feedback(&self) -> bool {
        matches!(self, Self::RtpAvpf | Self::RtpSavpf | Self::UdpTlsRtpSavpf)
    }

    /// Whether datagrams of it can be relayed: RTP, `udptl` and all of `UDP/…`; what runs over TCP cannot.
    #[must_use]
    pub fn is_udp(&self) -> bool {
        let Self::Other(name) = self else {
            return true;
        };
        let transport = name.split('/').next().unwrap_or_default();
        transport.eq_ignore_ascii_case("udp") || transport.eq_ignore_ascii_case("udptl")
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rtp_profile_is_known_in_any_case() {
        assert_eq!(Protocol::from_name("rtp/savpf"), Protocol::RtpSavpf);
        assert_eq!(
            Protocol::from_name("UDP/TLS/RTP/SAVPF").as_str(),
            "UDP/TLS/RTP/SAVPF"
        );
    }

    #[test]
    fn another_protocol_is_kept_as_written() {
        assert_eq!(Protocol::from_name("UdpTL").as_str(), "UdpTL");
    }

    #[test]
    fn names_are_exchanged_only_between_profiles_that_encrypt_alike() {
        let exchangeable = |one: &str, other: &str| {
            Protocol::from_name(one).is_exchangeable_with(&Protocol::from_name(other))
        };
        assert!(exchangeable("RTP/AVP", "RTP/AVPF"));
        assert!(exchangeable("RTP/SAVPF", "RTP/SAVP"));
        assert!(!exchangeable("RTP/AVP", "RTP/SAVP"));
        assert!(!exchangeable("RTP/SAVPF", "UDP/TLS/RTP/SAVPF"));
        assert!(!exchangeable("udptl", "udptl"));
    }

    #[test]
    fn only_datagram_protocols_can_be_relayed() {
        for (name, relayed) in [
            ("RTP/AVP", true),
            ("udptl", true),
            ("UDP/BFCP", true),
            ("TCP/MSRP", false),
        ] {
            assert_eq!(Protocol::from_name(name).is_udp(), relayed, "{name}");
        }
    }
}
