//! What a datagram looks like: RTP, RTCP or anything else (RFC 7983, RFC 5761).

/// The fixed part of an RTP header, bytes.
const RTP_HEADER: usize = 12;

/// What a datagram is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RTP version 2 with a whole fixed header.
    Rtp(RtpHeader),
    /// RTCP: version 2, packet type 192 to 223.
    Rtcp,
    /// STUN, DTLS, UDPTL, garbage: passed on as it is.
    Other,
}

/// The fields of an RTP header that statistics need (RFC 3550 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpHeader {
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp, clock units.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

/// Classifies a UDP payload.
#[must_use]
pub fn classify(payload: &[u8]) -> Kind {
    let [first, second, ..] = *payload else {
        return Kind::Other;
    };
    if first >> 6 != 2 {
        return Kind::Other;
    }
    if (192..=223).contains(&second) {
        return Kind::Rtcp;
    }
    let Some(&[_, _, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3]) = payload.first_chunk::<RTP_HEADER>()
    else {
        return Kind::Other;
    };
    Kind::Rtp(RtpHeader {
        sequence: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTP: [u8; 12] = [0x80, 0, 0x12, 0x34, 0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef];

    #[test]
    fn an_rtp_header_is_read() {
        let header = RtpHeader {
            sequence: 0x1234,
            timestamp: 160,
            ssrc: 0xdead_beef,
        };
        assert_eq!(classify(&RTP), Kind::Rtp(header));
    }

    #[test]
    fn rtcp_is_told_from_rtp_by_its_packet_type() {
        for packet_type in 0..=255 {
            let mut packet = RTP;
            packet[1] = packet_type;
            let rtcp = classify(&packet) == Kind::Rtcp;
            assert_eq!(rtcp, (192..=223).contains(&packet_type), "{packet_type}");
        }
    }

    #[test]
    fn other_protocols_are_neither() {
        for first in (0..=127).chain(192..=255) {
            let mut packet = RTP;
            packet[0] = first;
            assert_eq!(classify(&packet), Kind::Other, "{first}");
        }
    }

    #[test]
    fn a_cut_header_is_not_rtp() {
        for length in 0..RTP.len() {
            assert_eq!(classify(&RTP[..length]), Kind::Other, "{length} bytes");
        }
    }
}
