//! Addresses as SDP writes them: `IN IP4 192.0.2.1` (RFC 8866 sections 5.2 and 5.7).

use std::net::IpAddr;

/// What a `c=` line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Where media is to be sent; unspecified (`0.0.0.0`, `::`) for the old form of hold.
    pub address: IpAddr,
}

impl Connection {
    /// Whether the address is unspecified: media on hold (RFC 3264 section 8.4).
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.address.is_unspecified()
    }
}

/// Reads `IN IP4 address` from three fields; a multicast suffix (`/ttl`, `/count`) is left out.
pub(super) fn parse(network: &str, family: &str, address: &str) -> Option<IpAddr> {
    if !network.eq_ignore_ascii_case("IN") {
        return None;
    }
    let address: IpAddr = address.split('/').next()?.parse().ok()?;
    let expected = if address.is_ipv4() { "IP4" } else { "IP6" };
    family.eq_ignore_ascii_case(expected).then_some(address)
}

/// Writes an address the way [`parse`] reads it.
pub(super) fn print(address: IpAddr) -> String {
    let family = if address.is_ipv4() {
        "IN IP4 "
    } else {
        "IN IP6 "
    };
    let mut text = String::with_capacity(family.len() + 45);
    text.push_str(family);
    push(address, &mut text);
    text
}

/// Appends an address. IPv4 is written here: replies have a dozen of them, and `core::fmt` would take a third of the time of
/// making a reply for them.
pub fn push(address: IpAddr, text: &mut String) {
    let IpAddr::V4(address) = address else {
        text.push_str(&address.to_string());
        return;
    };
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            text.push('.');
        }
        for unit in [100, 10, 1] {
            if octet >= unit || unit == 1 {
                text.push(char::from(b'0' + octet / unit % 10));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn an_address_is_written_as_everybody_writes_it() {
        let every = (0..=255).map(|octet| Ipv4Addr::new(octet, 0, octet, 255 - octet).into());
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into();
        for address in every.chain([v6]) {
            let mut text = String::new();
            push(address, &mut text);
            assert_eq!(text, address.to_string());
        }
    }
}
