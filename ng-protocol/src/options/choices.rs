//! The words of options that are one of a few choices, in normal form.

use super::types::{AddressFamily, Dtls, EndpointLearning, Ice, IceLite, TransportProtocol};

/// On or off.
pub(super) const SWITCH: &[(&str, bool)] = &[
    ("on", true),
    ("yes", true),
    ("enable", true),
    ("enabled", true),
    ("no", false),
    ("off", false),
    ("disable", false),
    ("disabled", false),
];

/// `address family`
pub(super) const FAMILY: &[(&str, AddressFamily)] =
    &[("ip4", AddressFamily::Ip4), ("ip6", AddressFamily::Ip6)];

/// `DTLS`
pub(super) const DTLS: &[(&str, Dtls)] = &[
    ("passive", Dtls::Passive),
    ("active", Dtls::Active),
    ("no", Dtls::Off),
    ("off", Dtls::Off),
    ("disabled", Dtls::Off),
    ("disable", Dtls::Off),
];

/// `endpoint-learning`
pub(super) const LEARNING: &[(&str, EndpointLearning)] = &[
    ("off", EndpointLearning::Off),
    ("immediate", EndpointLearning::Immediate),
    ("delayed", EndpointLearning::Delayed),
    ("heuristic", EndpointLearning::Heuristic),
];

/// `ICE-lite`
pub(super) const ICE_LITE: &[(&str, IceLite)] = &[
    ("off", IceLite::Off),
    ("no", IceLite::Off),
    ("none", IceLite::Off),
    ("forward", IceLite::Forward),
    ("offer", IceLite::Forward),
    ("fwd", IceLite::Forward),
    ("fw", IceLite::Forward),
    ("backward", IceLite::Backward),
    ("backwards", IceLite::Backward),
    ("reverse", IceLite::Backward),
    ("answer", IceLite::Backward),
    ("back", IceLite::Backward),
    ("bkw", IceLite::Backward),
    ("bk", IceLite::Backward),
    ("both", IceLite::Both),
];

/// `ICE`
pub(super) const ICE: &[(&str, Ice)] = &[
    ("default", Ice::Default),
    ("remove", Ice::Remove),
    ("force", Ice::Force),
    ("force-relay", Ice::ForceRelay),
    ("optional", Ice::Optional),
];

/// `transport protocol`
pub(super) const TRANSPORTS: &[(&str, TransportProtocol)] = &[
    ("rtp/avp", TransportProtocol::RtpAvp),
    ("rtp/avpf", TransportProtocol::RtpAvpf),
    ("rtp/savp", TransportProtocol::RtpSavp),
    ("rtp/savpf", TransportProtocol::RtpSavpf),
    ("udp/tls/rtp/savp", TransportProtocol::UdpTlsRtpSavp),
    ("udp/tls/rtp/savpf", TransportProtocol::UdpTlsRtpSavpf),
];
