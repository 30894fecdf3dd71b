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
    match address {
        IpAddr::V4(v4) => format!("IN IP4 {v4}"),
        IpAddr::V6(v6) => format!("IN IP6 {v6}"),
    }
}
