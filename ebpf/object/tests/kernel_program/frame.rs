//! Frames written out byte by byte, with every checksum computed in full: the tests' own idea of what is right, which
//! shares nothing with the code under test.

use std::net::{IpAddr, SocketAddr};

/// What stands in the UDP checksum field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// The right one.
    Full,
    /// None.
    Zero,
    /// The pseudo-header's folded sum: a sender that leaves the rest to the device.
    Partial,
}

/// A UDP datagram in an Ethernet frame.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) tags: Vec<(u16, u16)>,
    pub(crate) to_mac: [u8; 6],
    pub(crate) from_mac: [u8; 6],
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) tos: u8,
    pub(crate) ttl: u8,
    pub(crate) id: u16,
    pub(crate) payload: Vec<u8>,
    pub(crate) checksum: Checksum,
    /// Bytes after the datagram.
    pub(crate) trailer: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(source: &str, destination: &str, payload: Vec<u8>) -> Self {
        Self {
            tags: vec![],
            to_mac: [0; 6],
            from_mac: [2, 0, 0, 0, 0, 9],
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            tos: 0,
            ttl: 57,
            id: 0x1234,
            payload,
            checksum: Checksum::Full,
            trailer: vec![],
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.to_mac, self.from_mac].concat();
        for (kind, control) in &self.tags {
            bytes.extend(kind.to_be_bytes());
            bytes.extend(control.to_be_bytes());
        }
        let udp = self.udp();
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                bytes.extend([8, 0]);
                let mut header = vec![0x45, self.tos];
                header.extend((20 + udp.len() as u16).to_be_bytes());
                header.extend(self.id.to_be_bytes());
                header.extend([0x40, 0, self.ttl, 17, 0, 0]);
                header.extend(source.octets());
                header.extend(destination.octets());
                let checksum = !folded(&[&header]);
                header[10..12].copy_from_slice(&checksum.to_be_bytes());
                bytes.extend(header);
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                bytes.extend([0x86, 0xdd]);
                bytes.extend((0x6000_0000 | u32::from(self.tos) << 20).to_be_bytes());
                bytes.extend((udp.len() as u16).to_be_bytes());
                bytes.extend([17, self.ttl]);
                bytes.extend(source.octets());
                bytes.extend(destination.octets());
            }
            _ => panic!("one family a frame"),
        }
        bytes.extend(udp);
        bytes.extend(&self.trailer);
        bytes
    }

    fn udp(&self) -> Vec<u8> {
        let mut udp = vec![];
        udp.extend(self.source.port().to_be_bytes());
        udp.extend(self.destination.port().to_be_bytes());
        udp.extend((8 + self.payload.len() as u16).to_be_bytes());
        udp.extend([0, 0]);
        udp.extend(&self.payload);
        let pseudo = self.pseudo_header(udp.len());
        let checksum = match self.checksum {
            Checksum::Zero => 0,
            Checksum::Partial => folded(&[&pseudo]),
            Checksum::Full => match !folded(&[&pseudo, &udp]) {
                0 => 0xffff,
                checksum => checksum,
            },
        };
        udp[6..8].copy_from_slice(&checksum.to_be_bytes());
        udp
    }

    fn pseudo_header(&self, length: usize) -> Vec<u8> {
        let mut pseudo = vec![];
        for ip in [self.source.ip(), self.destination.ip()] {
            match ip {
                IpAddr::V4(ip) => pseudo.extend(ip.octets()),
                IpAddr::V6(ip) => pseudo.extend(ip.octets()),
            }
        }
        pseudo.extend((length as u32).to_be_bytes());
        pseudo.extend(17_u32.to_be_bytes());
        pseudo
    }
}

/// The ones' complement sum of RFC 1071, plainly. All parts but the last have an even length.
pub(crate) fn folded(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for pair in parts.concat().chunks(2) {
        sum += u32::from(u16::from_be_bytes([
            pair[0],
            pair.get(1).copied().unwrap_or(0),
        ]));
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

/// An RTP packet.
pub(crate) fn rtp(
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}
