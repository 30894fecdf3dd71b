//! What of a flow follows from its addresses, worked out once instead of for every packet.

use core::net::{IpAddr, SocketAddr};

use underpass_abi::{Flow, HEAD_WORDS};

use crate::ip::words;
use crate::{Datagram, Ethernet, Internet, Ipv4, Ipv6, Plain, Sum, Udp, Write};

/// Where a flow's packets come from and go to. `local` and `source` are of one family, `from` and `to` of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressing {
    /// Where packets arrive.
    pub local: SocketAddr,
    /// Where they must come from.
    pub source: SocketAddr,
    /// Source of what leaves.
    pub from: SocketAddr,
    /// Destination of what leaves.
    pub to: SocketAddr,
    /// Link-layer source of what leaves: the egress interface.
    pub from_mac: [u8; 6],
    /// Link-layer destination of what leaves: the next hop.
    pub to_mac: [u8; 6],
    /// TOS byte or traffic class of what leaves.
    pub tos: u8,
    /// TTL or hop limit of what leaves.
    pub ttl: u8,
}

impl Addressing {
    /// Fills in the fields of `flow` that follow from addresses.
    pub fn fill(&self, flow: &mut Flow) {
        let arriving = sum_of(self.source.ip()).plus(sum_of(self.local.ip()));
        let leaving = sum_of(self.from.ip()).plus(sum_of(self.to.ip()));
        let ports = |a: SocketAddr, b: SocketAddr| {
            Sum::default()
                .with(a.port().to_be().into())
                .with(b.port().to_be().into())
        };
        flow.source_port = self.source.port().to_be_bytes();
        flow.source_address = octets(self.source.ip());
        flow.arriving_sum = arriving.with(u32::from(17_u16.to_be())).fold();
        flow.udp_difference = leaving
            .plus(ports(self.from, self.to))
            .minus(arriving.plus(ports(self.source, self.local)))
            .fold();
        flow.address_difference = leaving.minus(arriving).fold();
        flow.head = if self.to.is_ipv4() {
            self.head::<Ipv4>()
        } else {
            self.head::<Ipv6>()
        };
    }

    fn head<I: Internet>(&self) -> [u64; HEAD_WORDS]
    where
        Datagram<I>: Plain,
    {
        let ethernet = Ethernet {
            destination: self.to_mac,
            source: self.from_mac,
            ethertype: I::ETHERTYPE.to_be(),
        };
        let datagram = Datagram {
            ip: I::head(self),
            udp: Udp {
                source: self.from.port().to_be(),
                destination: self.to.port().to_be(),
                length: 0,
                checksum: 0,
            },
        };
        let mut bytes = [0; HEAD_WORDS * 8];
        // Both fit: 14 bytes, and 28 or 48.
        let _ = bytes.as_mut_slice().write(0, ethernet);
        let _ = bytes.as_mut_slice().write(size_of::<Ethernet>(), datagram);
        let (words, _) = bytes.as_chunks::<8>();
        core::array::from_fn(|place| u64::from_ne_bytes(words[place]))
    }

    /// Source and destination of what leaves.
    pub(crate) fn leaving_words(&self) -> [[u32; 4]; 2] {
        [self.from, self.to].map(|address| words(&octets(address.ip())))
    }
}

fn sum_of(address: IpAddr) -> Sum {
    Sum::default().with_all(words(&octets(address)))
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&address.octets());
            octets
        }
        IpAddr::V6(address) => address.octets(),
    }
}
