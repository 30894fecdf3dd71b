//! Flows in the tests' words, and what packets become by them.

use std::net::SocketAddr;

use underpass_abi::{self as abi, ANY_SSRC, MAX_SSRCS};
use underpass_packet::Addressing;

use crate::frame::{Frame, rtp};
use crate::harness::{Hook, SSRC, STATS_RECORD};

/// A flow in the tests' words: addresses as such.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) payload_types: [u64; 2],
    pub(crate) ssrcs: [u32; MAX_SSRCS],
    pub(crate) ssrc_count: u8,
    pub(crate) flags: u8,
    pub(crate) source: SocketAddr,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) from_mac: [u8; 6],
    pub(crate) to_mac: [u8; 6],
    pub(crate) local_mac: [u8; 6],
    pub(crate) tos: u8,
    pub(crate) ttl: u8,
    pub(crate) egress_mtu: u16,
    pub(crate) egress_ifindex: u32,
    pub(crate) egress_vlan: u16,
    pub(crate) stats_record: u32,
    pub(crate) clock_rate: u32,
}

/// A flow that takes any payload type and SSRC from `source`, and sends `from` - `to`.
pub(crate) fn flow(source: &str, from: &str, to: &str) -> Flow {
    let [source, from, to]: [SocketAddr; 3] =
        [source, from, to].map(|address| address.parse().unwrap());
    Flow {
        payload_types: [u64::MAX; 2],
        ssrcs: [0; MAX_SSRCS],
        ssrc_count: 0,
        flags: ANY_SSRC,
        source,
        from,
        to,
        from_mac: [2, 0, 0, 0, 0, 0x11],
        to_mac: [2, 0, 0, 0, 0, 0x22],
        local_mac: [0; 6],
        tos: 0xb8,
        ttl: 64,
        egress_mtu: 1500,
        egress_ifindex: 77,
        egress_vlan: 0,
        stats_record: STATS_RECORD,
        clock_rate: 8000,
    }
}

impl Flow {
    /// As the program reads it; it leaves by `egress` from `from_local`.
    pub(crate) fn at(&self, local: SocketAddr, egress: u32, from_local: u16) -> abi::Flow {
        let mut flow = abi::Flow {
            payload_types: self.payload_types,
            ssrcs: self.ssrcs,
            egress,
            stats_record: self.stats_record,
            clock_rate: self.clock_rate,
            egress_mtu: self.egress_mtu,
            local_mac: self.local_mac,
            from_local,
            flags: self.flags,
            ssrc_count: self.ssrc_count,
            ..abi::Flow::default()
        };
        let addressing = Addressing {
            local,
            source: self.source,
            from: self.from,
            to: self.to,
            from_mac: self.from_mac,
            to_mac: self.to_mac,
            tos: self.tos,
            ttl: self.ttl,
        };
        addressing.fill(&mut flow);
        flow
    }

    /// 4 or 6.
    pub(crate) fn egress_family(&self) -> u8 {
        if self.to.is_ipv4() { 4 } else { 6 }
    }
}

/// What `frame` must have become by `flow`, written out from nothing; tc keeps the tag beside the packet.
pub(crate) fn expected(
    frame: &Frame,
    flow: &Flow,
    from: SocketAddr,
    to: SocketAddr,
    hook: Hook,
) -> Vec<u8> {
    let tags = if flow.egress_vlan == 0 || hook == Hook::Tc {
        vec![]
    } else {
        vec![(0x8100, flow.egress_vlan)]
    };
    Frame {
        tags,
        to_mac: flow.to_mac,
        from_mac: flow.from_mac,
        source: from,
        destination: to,
        tos: flow.tos,
        ttl: flow.ttl,
        id: 0,
        ..frame.clone()
    }
    .bytes()
}

/// G.711, 20 ms.
pub(crate) fn voice() -> Vec<u8> {
    rtp(0, 1000, 160_000, SSRC, &[0xd5; 160])
}
