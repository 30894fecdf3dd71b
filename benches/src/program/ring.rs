//! Flows that pass one packet on to each other.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use underpass_abi::{ANY_SSRC, Egress, Flow};
use underpass_packet::Addressing;

use crate::limit;

/// Flows that follow one another in the ring lie this far apart in the maps; a prime, so that each gets its place.
const STRIDE: u64 = 7919;
/// Ports of one address.
const PORTS: u32 = 20_000;
/// No interface: what is redirected there is dropped.
const EGRESS: u32 = 1_000_000;
const FROM_MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

/// An address family.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Family {
    V4,
    V6,
}

/// Flow `n` turns its packet into the one that flow `n + 1` expects.
pub(super) struct Ring {
    /// Of even and of odd flows.
    families: [Family; 2],
    length: u32,
    /// Frames arrive at it.
    mac: [u8; 6],
}

impl Ring {
    /// At least `flows`: a ring of two families needs a second one to come back.
    pub(super) fn new(families: [Family; 2], flows: u32, mac: [u8; 6]) -> Self {
        let least = if families[0] == families[1] { 1 } else { 2 };
        Self {
            families,
            length: flows.max(least),
            mac,
        }
    }

    /// Number of flows.
    pub(super) fn length(&self) -> u32 {
        self.length
    }

    /// The link-layer address that frames arrive at.
    pub(super) fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// All flows' numbers, in the order they lie in the maps.
    pub(super) fn scattered(&self) -> impl Iterator<Item = u32> {
        let length = u64::from(self.length);
        (0..length).map(move |place| (place * STRIDE % length) as u32)
    }

    /// Where flow `n` receives.
    pub(super) fn local(&self, n: u32) -> SocketAddr {
        self.address(n, 1)
    }

    /// Where flow `n`'s packets come from.
    pub(super) fn source(&self, n: u32) -> SocketAddr {
        self.address(n, 2)
    }

    /// Every address that packets arrive at, and after those every one that they leave from.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        let hosts = |side| {
            let all = (0..self.length).map(move |n| self.address(n, side).ip());
            all.collect::<BTreeSet<IpAddr>>()
        };
        hosts(1).into_iter().chain(hosts(2)).collect()
    }

    /// The only way out.
    pub(super) fn egress(&self) -> Egress {
        let mut mac = [0; 8];
        mac[2..].copy_from_slice(&FROM_MAC);
        Egress {
            mac,
            ifindex: EGRESS,
            vlan: 0,
            reserved: 0,
        }
    }

    /// Flow `n` as our program reads it, counted in `record`, in a table with the granted `addresses`.
    pub(super) fn flow(&self, n: u32, record: u32, addresses: &[IpAddr]) -> Flow {
        let next = (n + 1) % self.length;
        let from = self.source(next);
        let of_its_family = |address: &&IpAddr| address.is_ipv4() == from.is_ipv4();
        let from_local = addresses
            .iter()
            .filter(of_its_family)
            .position(|address| *address == from.ip());
        let mut flow = Flow {
            payload_types: [u64::MAX; 2],
            stats_record: record,
            clock_rate: 8000,
            egress_mtu: 1500,
            from_local: from_local.map_or(u16::MAX, |index| index as u16),
            local_mac: self.mac,
            flags: ANY_SSRC,
            ..Flow::default()
        };
        let addressing = Addressing {
            local: self.local(n),
            source: self.source(n),
            from,
            to: self.local(next),
            from_mac: FROM_MAC,
            to_mac: self.mac,
            tos: 0,
            ttl: 64,
        };
        addressing.fill(&mut flow);
        flow
    }

    /// Flow `n` as the bare program reads it.
    pub(super) fn bare(&self, n: u32) -> limit::Flow {
        let next = (n + 1) % self.length;
        limit::Flow {
            source_address: padded(self.source(n).ip()),
            from_address: padded(self.source(next).ip()),
            to_address: padded(self.local(next).ip()),
            source_port: self.source(n).port().to_be_bytes(),
            from_port: self.source(next).port().to_be_bytes(),
            to_port: self.local(next).port().to_be_bytes(),
            to_mac: self.mac,
            from_mac: FROM_MAC,
            egress_ifindex: EGRESS,
            ..limit::Flow::default()
        }
    }

    fn address(&self, n: u32, side: u8) -> SocketAddr {
        let host = (n / PORTS) as u8 + 1;
        let port = 20_000 + (n % PORTS) as u16;
        let ip = match self.families[n as usize % 2] {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(10, 0, side, host)),
            Family::V6 => {
                let side = u16::from(side);
                IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, side, 0, 0, 0, host.into()))
            }
        };
        SocketAddr::new(ip, port)
    }
}

fn padded(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
        IpAddr::V6(address) => address.octets(),
    }
}
