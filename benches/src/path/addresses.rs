//! Who sends from where to where: port pairs on as few addresses as hold them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use lab::{Family, Side};

use super::cell::Families;

/// Even ports from here on; RTCP would have the odd ones.
const FIRST_PORT: u16 = 10_000;
const PER_ADDRESS: usize = 25_000;
/// The relay's second address on a side ends in this, the third in the next.
const SECOND_HOST: u8 = 11;

/// The addresses of flow `n`, from the caller to the callee.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    /// The caller's.
    pub(super) source: SocketAddr,
    /// The relay's, facing the caller.
    pub(super) local: SocketAddr,
    /// The relay's, facing the callee.
    pub(super) from: SocketAddr,
    /// The callee's.
    pub(super) to: SocketAddr,
}

impl Addresses {
    /// Of flow `n`.
    #[must_use]
    pub(super) fn of(n: usize, families: Families) -> Self {
        let port = FIRST_PORT + 2 * (n % PER_ADDRESS) as u16;
        let place = n / PER_ADDRESS;
        let at = |ip| SocketAddr::new(ip, port);
        Self {
            source: at(Side::A.far(families.ingress)),
            local: at(relay(Side::A, families.ingress, place)),
            from: at(relay(Side::B, families.egress, place)),
            to: at(Side::B.far(families.egress)),
        }
    }
}

/// The relay's addresses on a side that `flows` flows need.
#[must_use]
pub(super) fn relay_addresses(side: Side, family: Family, flows: usize) -> Vec<IpAddr> {
    (0..flows.div_ceil(PER_ADDRESS))
        .map(|place| relay(side, family, place))
        .collect()
}

fn relay(side: Side, family: Family, place: usize) -> IpAddr {
    let first = side.relay(family);
    if place == 0 {
        return first;
    }
    let host = SECOND_HOST + (place - 1) as u8;
    match first {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            Ipv4Addr::new(a, b, c, host).into()
        }
        IpAddr::V6(address) => {
            let mut octets = address.octets();
            octets[15] = host;
            Ipv6Addr::from(octets).into()
        }
    }
}
