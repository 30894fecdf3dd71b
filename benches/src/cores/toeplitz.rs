//! The hash by which network cards choose a receive queue (Microsoft's RSS specification).

use std::net::SocketAddr;

/// Bytes of a key: as many as IPv6 with ports needs.
pub type Key = [u8; 40];

/// What of a packet is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fields {
    /// Both addresses: `ethtool -N … rx-flow-hash udp4 sd`, what many drivers begin with.
    Addresses,
    /// Addresses and ports: `sdfn`.
    AddressesAndPorts,
}

/// The hash of a packet's addresses.
#[must_use]
pub fn hash(key: &Key, source: SocketAddr, destination: SocketAddr, fields: Fields) -> u32 {
    let mut input = Vec::with_capacity(36);
    for address in [source, destination] {
        match address {
            SocketAddr::V4(address) => input.extend(address.ip().octets()),
            SocketAddr::V6(address) => input.extend(address.ip().octets()),
        }
    }
    if fields == Fields::AddressesAndPorts {
        input.extend(source.port().to_be_bytes());
        input.extend(destination.port().to_be_bytes());
    }
    toeplitz(key, &input)
}

/// For each bit of the input that is set, the 32 bits of the key that begin at its place.
fn toeplitz(key: &Key, input: &[u8]) -> u32 {
    let mut hash = 0;
    let mut window = u64::from_be_bytes([
        key[0], key[1], key[2], key[3], key[4], key[5], key[6], key[7],
    ]);
    for (index, byte) in input.iter().enumerate() {
        for bit in 0..8 {
            if byte & (0x80 >> bit) != 0 {
                hash ^= ((window << bit) >> 32) as u32;
            }
        }
        window = window << 8 | u64::from(key.get(index + 8).copied().unwrap_or(0));
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of Microsoft's verification suite.
    const VERIFICATION: Key = [
        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f,
        0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
        0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
    ];

    /// Destination, source, hash of the addresses, hash with ports.
    const SUITE: [(&str, &str, u32, u32); 8] = [
        (
            "161.142.100.80:1766",
            "66.9.149.187:2794",
            0x323e_8fc2,
            0x51cc_c178,
        ),
        (
            "65.69.140.83:4739",
            "199.92.111.2:14230",
            0xd718_262a,
            0xc626_b0ea,
        ),
        (
            "12.22.207.184:38024",
            "24.19.198.95:12898",
            0xd2d0_a5de,
            0x5c2b_394a,
        ),
        (
            "209.142.163.6:2217",
            "38.27.205.30:48228",
            0x8298_9176,
            0xafc7_327f,
        ),
        (
            "202.188.127.2:1303",
            "153.39.163.191:44251",
            0x5d18_09c5,
            0x10e8_28a2,
        ),
        (
            "[3ffe:2501:200:3::1]:1766",
            "[3ffe:2501:200:1fff::7]:2794",
            0x2cc1_8cd5,
            0x4020_7d3d,
        ),
        (
            "[ff02::1]:4739",
            "[3ffe:501:8::260:97ff:fe40:efab]:14230",
            0x0f0c_461c,
            0xdde5_1bbf,
        ),
        (
            "[fe80::200:f8ff:fe21:67cf]:38024",
            "[3ffe:1900:4545:3:200:f8ff:fe21:67cf]:44251",
            0x4b61_e985,
            0x02d1_feef,
        ),
    ];

    #[test]
    fn the_verification_suite_holds() {
        for (destination, source, addresses, with_ports) in SUITE {
            let (from, to) = (source.parse().unwrap(), destination.parse().unwrap());
            let hashed = |fields| hash(&VERIFICATION, from, to, fields);
            assert_eq!(hashed(Fields::Addresses), addresses, "{source}");
            assert_eq!(hashed(Fields::AddressesAndPorts), with_ports, "{source}");
        }
    }
}
