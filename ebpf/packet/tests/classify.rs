//! Telling apart what shares a media port.

use underpass_packet::{Kind, classify};

fn packet(first: u8, second: u8, length: usize) -> Vec<u8> {
    let mut packet = vec![0; length];
    packet[..2].copy_from_slice(&[first, second]);
    packet
}

#[test]
fn every_first_byte_is_what_rfc_7983_says() {
    for first in 0..=255 {
        let expected = match first {
            0..=3 => Kind::Stun,
            20..=63 => Kind::Dtls,
            128..=191 => Kind::Rtp,
            _ => Kind::Other,
        };
        assert_eq!(classify(&packet(first, 0, 20)), expected, "{first}");
    }
}

#[test]
fn every_second_byte_is_what_rfc_5761_says() {
    for second in 0..=255 {
        let expected = if (192..=223).contains(&second) {
            Kind::Rtcp
        } else {
            Kind::Rtp
        };
        assert_eq!(classify(&packet(0x80, second, 20)), expected, "{second}");
    }
}

#[test]
fn less_than_a_header_is_neither_rtp_nor_rtcp() {
    assert_eq!(classify(&packet(0x80, 0, 11)), Kind::Other);
    assert_eq!(classify(&packet(0x80, 0, 12)), Kind::Rtp);
    assert_eq!(classify(&packet(0x80, 201, 7)), Kind::Other);
    assert_eq!(classify(&packet(0x80, 201, 8)), Kind::Rtcp);
    assert_eq!(classify(&[0x80]), Kind::Other);
    assert_eq!(classify(&[]), Kind::Other);
}
