//! Full verification of a frame's checksums, from the bytes alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const UDP: u8 = 17;

/// A UDP datagram found in an Ethernet frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Source address and port.
    pub source: SocketAddr,
    /// Destination address and port.
    pub destination: SocketAddr,
    /// The IP packet, link-layer header and padding cut off.
    pub packet: Vec<u8>,
    /// Where the UDP header starts in `packet`.
    pub udp: usize,
}

/// What is wrong with a frame's checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The IPv4 header's.
    IpHeader,
    /// UDP's, computed over pseudo-header and payload.
    Udp,
    /// UDP's is still to be filled in and does not hold the pseudo-header's sum, so what fills it in will fill in nonsense.
    PseudoHeader,
    /// UDP's is absent over IPv6, where it must not be (RFC 8200 section 8.1).
    Absent,
}

/// The datagram in a frame; `None` for anything but unfragmented UDP without options or extension headers.
#[must_use]
pub fn datagram(frame: &[u8]) -> Option<Datagram> {
    let ip = frame.get(14..)?;
    let ethertype = u16::from_be_bytes([frame[12], frame[13]]);
    let (udp, total, source, destination): (usize, usize, IpAddr, IpAddr) = match ethertype {
        0x0800
            if ip.len() >= 28
                && ip[0] == 0x45
                && ip[9] == UDP
                && ip[6] & 0x3f == 0
                && ip[7] == 0 =>
        {
            let address = |at| Ipv4Addr::from(<[u8; 4]>::try_from(&ip[at..at + 4]).unwrap()).into();
            (
                20,
                usize::from(u16::from_be_bytes([ip[2], ip[3]])),
                address(12),
                address(16),
            )
        }
        0x86dd if ip.len() >= 48 && ip[6] == UDP => {
            let address =
                |at| Ipv6Addr::from(<[u8; 16]>::try_from(&ip[at..at + 16]).unwrap()).into();
            (
                40,
                40 + usize::from(u16::from_be_bytes([ip[4], ip[5]])),
                address(8),
                address(24),
            )
        }
        _ => return None,
    };
    let packet = ip
        .get(..total)
        .filter(|packet| packet.len() >= udp + 8)?
        .to_vec();
    let port = |at: usize| u16::from_be_bytes([packet[udp + at], packet[udp + at + 1]]);
    let (source, destination) = (
        SocketAddr::new(source, port(0)),
        SocketAddr::new(destination, port(2)),
    );
    Some(Datagram {
        source,
        destination,
        packet,
        udp,
    })
}

impl Datagram {
    /// The UDP payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.packet[self.udp + 8..]
    }

    /// What is wrong with the checksums. `not_ready`: the receiver was told that UDP's is still to be filled in
    /// (`TP_STATUS_CSUMNOTREADY`), so that it has to hold the sum of the pseudo-header only.
    #[must_use]
    pub fn fault(&self, not_ready: bool) -> Option<Fault> {
        if self.udp == 20 && fold(sum(&self.packet[..20])) != 0xffff {
            return Some(Fault::IpHeader);
        }
        let field = u16::from_be_bytes([self.packet[self.udp + 6], self.packet[self.udp + 7]]);
        let pseudo_header = self.pseudo_header();
        if not_ready {
            return (field != fold(pseudo_header)).then_some(Fault::PseudoHeader);
        }
        if field == 0 {
            return (self.udp == 40).then_some(Fault::Absent);
        }
        let total = fold(pseudo_header + sum(&self.packet[self.udp..]));
        (total != 0xffff).then_some(Fault::Udp)
    }

    /// The packet with what may differ between two runs set to the same: IPv4's identification is 0, and a UDP checksum still to be
    /// filled in (`not_ready`) is filled in.
    #[must_use]
    pub fn normalised(&self, not_ready: bool) -> Vec<u8> {
        let mut packet = self.packet.clone();
        if self.udp == 20 {
            packet[4..6].fill(0);
            packet[10..12].fill(0);
            let header = !fold(sum(&packet[..20]));
            packet[10..12].copy_from_slice(&header.to_be_bytes());
        }
        if not_ready {
            let field = self.udp + 6..self.udp + 8;
            packet[field.clone()].fill(0);
            let udp = match !fold(self.pseudo_header() + sum(&packet[self.udp..])) {
                0 => 0xffff,
                checksum => checksum,
            };
            packet[field].copy_from_slice(&udp.to_be_bytes());
        }
        packet
    }

    fn pseudo_header(&self) -> u32 {
        let addresses = if self.udp == 20 { 12..20 } else { 8..40 };
        let length = u32::try_from(self.packet.len() - self.udp).expect("an IP packet is short");
        sum(&self.packet[addresses]) + length + u32::from(UDP)
    }
}

fn sum(bytes: &[u8]) -> u32 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u32::from);
    bytes.chunks(2).map(word).sum()
}

fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    ((once & 0xffff) + (once >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    // 10.0.0.1:1000 -> 10.0.0.2:2000, payload "hi"; checksums worked out by hand.
    const GOOD: [u8; 44] = [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, // Ethernet
        0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0x66, 0xcd, 10, 0, 0, 1, 10, 0, 0, 2, // IPv4
        3, 0xe8, 7, 0xd0, 0, 10, 0x77, 0xb6, b'h', b'i', // UDP
    ];

    #[test]
    fn a_good_frame_has_no_fault() {
        assert_eq!(datagram(&GOOD).unwrap().fault(false), None);
    }

    #[test]
    fn every_changed_byte_after_the_link_header_is_a_fault_or_another_protocol() {
        for at in 14..GOOD.len() {
            let mut bad = GOOD;
            bad[at] ^= 0x10;
            assert!(
                datagram(&bad).is_none_or(|d| d.fault(false).is_some()),
                "byte {at}"
            );
        }
    }

    #[test]
    fn filling_in_gives_the_right_checksum() {
        let mut frame = GOOD;
        frame[40..42].copy_from_slice(&0x141e_u16.to_be_bytes());
        assert_eq!(datagram(&frame).unwrap().normalised(true), GOOD[14..]);
    }

    #[test]
    fn a_checksum_to_be_filled_in_holds_the_pseudo_header() {
        let mut frame = GOOD;
        // 10.0 + 0.1 + 10.0 + 0.2 + 17 + 10
        frame[40..42].copy_from_slice(&0x141e_u16.to_be_bytes());
        assert_eq!(datagram(&frame).unwrap().fault(true), None);
        assert_eq!(
            datagram(&GOOD).unwrap().fault(true),
            Some(Fault::PseudoHeader)
        );
    }
}
