//! RTP packets as frames, for programs that are run without a network.

use std::net::SocketAddr;

/// Payload of a G.711 packet of 20 ms, bytes.
pub const PAYLOAD: usize = 160;

/// An Ethernet frame with one RTP packet (payload type 0, SSRC 1) and right checksums.
#[must_use]
pub fn rtp_frame(source: SocketAddr, destination: SocketAddr, to_mac: [u8; 6]) -> Vec<u8> {
    let mut rtp = vec![0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 1];
    rtp.resize(12 + PAYLOAD, 0xd5);
    let udp_length = 8 + rtp.len() as u16;
    let mut frame = to_mac.to_vec();
    frame.extend([2, 0, 0, 0, 0, 9]);
    let mut pseudo = Vec::new();
    match (source, destination) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            frame.extend([8, 0]);
            let mut ip = vec![0x45, 0];
            ip.extend((20 + udp_length).to_be_bytes());
            ip.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
            ip.extend(from.ip().octets());
            ip.extend(to.ip().octets());
            let check = checksum(&ip);
            ip[10..12].copy_from_slice(&check.to_be_bytes());
            pseudo.extend(&ip[12..20]);
            frame.extend(ip);
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(udp_length.to_be_bytes());
            frame.extend([17, 64]);
            pseudo.extend(from.ip().octets());
            pseudo.extend(to.ip().octets());
            frame.extend(&pseudo);
        }
        _ => unreachable!("both addresses are of one family"),
    }
    let mut udp = source.port().to_be_bytes().to_vec();
    udp.extend(destination.port().to_be_bytes());
    udp.extend(udp_length.to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(rtp);
    pseudo.extend([0, 17]);
    pseudo.extend(udp_length.to_be_bytes());
    pseudo.extend(&udp);
    let check = checksum(&pseudo);
    udp[6..8].copy_from_slice(&check.to_be_bytes());
    frame.extend(udp);
    frame
}

/// The Internet checksum (RFC 1071).
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
