//! The frame that a datagram arrived in, as nearly as a socket tells: addresses and ports are true, checksums hold, the rest is
//! what a fresh packet has.

use std::net::{IpAddr, SocketAddr};

use underpass_packet::Sum;

/// What frames of a recording begin with (`recording-format`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `raw`: an IP header.
    #[default]
    Raw,
    /// `eth`: an Ethernet header without addresses.
    Ethernet,
}

impl Format {
    /// The link type of a pcap file.
    pub(super) fn link_type(self) -> u32 {
        match self {
            Self::Raw => 101,
            Self::Ethernet => 1,
        }
    }
}

const UDP: u8 = 17;
const HOP_LIMIT: u8 = 64;
const UDP_HEADER: usize = 8;

/// Appends the frame of a datagram. Both addresses are of one family.
pub(super) fn append(
    out: &mut Vec<u8>,
    format: Format,
    from: SocketAddr,
    to: SocketAddr,
    payload: &[u8],
) {
    if format == Format::Ethernet {
        let ether_type: u16 = if from.is_ipv4() { 0x0800 } else { 0x86dd };
        out.extend([0; 12]);
        out.extend(ether_type.to_be_bytes());
    }
    // A datagram that was received is never longer than its length field can say.
    let length = (UDP_HEADER + payload.len()) as u16;
    append_ip_header(out, from.ip(), to.ip(), length);
    let start = out.len();
    out.extend(from.port().to_be_bytes());
    out.extend(to.port().to_be_bytes());
    out.extend(length.to_be_bytes());
    out.extend([0; 2]);
    out.extend(payload);

    let pseudo_header = add_address(add_address(Sum::default(), from.ip()), to.ip())
        .with(u32::from(u16::from(UDP).to_be()))
        .with(u32::from(length.to_be()));
    let checksum = match !add_bytes(pseudo_header, &out[start..]).fold() {
        0 => 0xffff_u16,
        checksum => checksum,
    };
    out[start + 6..start + 8].copy_from_slice(&checksum.to_ne_bytes());
}

fn append_ip_header(out: &mut Vec<u8>, from: IpAddr, to: IpAddr, length: u16) {
    let start = out.len();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            const HEADER: u16 = 20;
            out.extend([0x45, 0]);
            out.extend(length.saturating_add(HEADER).to_be_bytes());
            out.extend([0, 0, 0, 0, HOP_LIMIT, UDP, 0, 0]);
            out.extend(from.octets());
            out.extend(to.octets());
            let checksum = !add_bytes(Sum::default(), &out[start..]).fold();
            out[start + 10..start + 12].copy_from_slice(&checksum.to_ne_bytes());
        }
        (from, to) => {
            let octets = |address| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            out.extend([0x60, 0, 0, 0]);
            out.extend(length.to_be_bytes());
            out.extend([UDP, HOP_LIMIT]);
            out.extend(octets(from));
            out.extend(octets(to));
        }
    }
}

fn add_address(sum: Sum, address: IpAddr) -> Sum {
    match address {
        IpAddr::V4(address) => add_bytes(sum, &address.octets()),
        IpAddr::V6(address) => add_bytes(sum, &address.octets()),
    }
}

fn add_bytes(sum: Sum, bytes: &[u8]) -> Sum {
    let mut words = bytes.chunks_exact(2);
    let word = |bytes: [u8; 2]| u32::from(u16::from_ne_bytes(bytes));
    let sum = words
        .by_ref()
        .fold(sum, |sum, pair| sum.with(word([pair[0], pair[1]])));
    match words.remainder() {
        [last] => sum.with(word([*last, 0])),
        _ => sum,
    }
}
