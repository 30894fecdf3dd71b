//! The order in which attributes are written: rtpengine's.

use super::Line;

/// Where an attribute of an RTP section stands; variants in the order of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Mid,
    Label,
    BundleOnly,
    /// Of the payload type at this position of the `m=` line; of one that is not in it, after all others.
    Codec(usize, CodecPart),
    ExtmapAllowMixed,
    /// An extension that only the receiver was shown.
    ExtmapRestored,
    Extmap,
    Other,
    Direction,
    Rtcp,
    RtcpMux,
    Crypto,
    Setup,
    Fingerprint,
    TlsId,
    Ptime,
    Maxptime,
    IceUfrag,
    IcePwd,
    IceOptions,
    Candidate,
    RemoteCandidates,
    EndOfCandidates,
}

/// What is said about one payload type, in the order of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CodecPart {
    Rtpmap,
    Fmtp,
    RtcpFb,
}

impl Place {
    /// The place of an `a=` line in a section with these formats.
    pub(super) fn of(line: &Line, formats: &[String]) -> Self {
        match line.attribute().unwrap_or_default() {
            b"mid" => Self::Mid,
            b"label" => Self::Label,
            b"bundle-only" => Self::BundleOnly,
            b"rtpmap" => Self::codec(line, formats, CodecPart::Rtpmap),
            b"fmtp" => Self::codec(line, formats, CodecPart::Fmtp),
            b"rtcp-fb" => Self::codec(line, formats, CodecPart::RtcpFb),
            b"extmap-allow-mixed" => Self::ExtmapAllowMixed,
            b"extmap" => Self::Extmap,
            b"sendrecv" | b"sendonly" | b"recvonly" | b"inactive" => Self::Direction,
            b"rtcp" => Self::Rtcp,
            b"rtcp-mux" => Self::RtcpMux,
            b"crypto" => Self::Crypto,
            b"setup" => Self::Setup,
            b"fingerprint" => Self::Fingerprint,
            b"tls-id" => Self::TlsId,
            b"ptime" => Self::Ptime,
            b"maxptime" => Self::Maxptime,
            b"ice-ufrag" => Self::IceUfrag,
            b"ice-pwd" => Self::IcePwd,
            b"candidate" => Self::Candidate,
            b"remote-candidates" => Self::RemoteCandidates,
            b"end-of-candidates" => Self::EndOfCandidates,
            name if name.starts_with(b"ice-") => Self::IceOptions,
            _ => Self::Other,
        }
    }

    fn codec(line: &Line, formats: &[String], part: CodecPart) -> Self {
        let payload_type = first_word(line.argument());
        if payload_type == b"*" {
            return Self::Other;
        }
        let position = formats
            .iter()
            .position(|format| format.as_bytes() == payload_type);
        Self::Codec(position.unwrap_or(usize::MAX), part)
    }
}

/// Where a session attribute stands.
pub(super) fn session_place(line: &Line) -> u8 {
    match line.attribute() {
        Some(b"ice-lite") => 0,
        Some(b"group") => 1,
        _ => 2,
    }
}

/// Whether an attribute bundles media sections into one port (RFC 9143).
pub(super) fn is_bundle(line: &Line) -> bool {
    line.attribute() == Some(b"group") && first_word(line.argument()) == b"BUNDLE"
}

/// Whether an attribute belongs to ICE (RFC 8839, RFC 8840).
pub(super) fn is_ice(line: &Line) -> bool {
    let Some(name) = line.attribute() else {
        return false;
    };
    name.starts_with(b"ice-")
        || matches!(
            name,
            b"candidate" | b"remote-candidates" | b"end-of-candidates"
        )
}

/// The first word of an attribute's argument: a payload type.
pub(super) fn first_word(argument: &[u8]) -> &[u8] {
    argument
        .trim_ascii_start()
        .split(|byte| *byte == b' ')
        .next()
        .unwrap_or_default()
}
