//! From a [`Flow`] to the map entry that the kernel program reads, and from its counters to a report's.

use std::net::{IpAddr, SocketAddr};

use underpass_abi::{self as abi, ANY_SSRC, FlowKeyV4, FlowKeyV6, FlowStats, MAX_SSRCS, SsrcStats};

use super::table::Way;
use super::{Flow, SsrcCounters, SsrcFilter};

/// Where a flow's packets arrive, as the key of its family's map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// In the IPv4 map.
    V4(FlowKeyV4),
    /// In the IPv6 map.
    V6(FlowKeyV6),
}

/// The key of a local address.
pub(crate) fn key(local: SocketAddr) -> Key {
    let port = local.port().to_be_bytes();
    match local.ip() {
        IpAddr::V4(address) => Key::V4(FlowKeyV4 {
            address: address.octets(),
            port,
            reserved: [0; 2],
        }),
        IpAddr::V6(address) => Key::V6(FlowKeyV6 {
            address: address.octets(),
            port,
            reserved: [0; 2],
        }),
    }
}

/// The map entry of a flow that is forwarded the given way and counted in `slot`.
pub(crate) fn value(flow: &Flow, way: &Way, slot: u32) -> abi::Flow {
    let hop = &way.hop;
    let mut ssrcs = [0; MAX_SSRCS];
    let mut flags = 0;
    let mut ssrc_count = 0;
    match &flow.ssrcs {
        SsrcFilter::Any => flags |= ANY_SSRC,
        SsrcFilter::Known(known) => {
            for (place, ssrc) in ssrcs.iter_mut().zip(known) {
                *place = *ssrc;
                ssrc_count += 1;
            }
        }
    }
    abi::Flow {
        payload_types: [
            flow.payload_types.0 as u64,
            (flow.payload_types.0 >> 64) as u64,
        ],
        ssrcs,
        source_address: octets(flow.source.ip()),
        from_address: octets(flow.from.ip()),
        to_address: octets(flow.to.ip()),
        source_port: flow.source.port().to_be_bytes(),
        from_port: flow.from.port().to_be_bytes(),
        to_port: flow.to.port().to_be_bytes(),
        egress_mtu: hop.mtu,
        egress_ifindex: hop.ifindex,
        stats_slot: slot,
        clock_rate: flow.clock_rate,
        egress_vlan: 0,
        to_mac: hop.to_mac,
        from_mac: hop.from_mac,
        egress_family: if flow.to.is_ipv4() { 4 } else { 6 },
        flags,
        ssrc_count,
        tos: flow.tos,
        ttl: way.ttl,
        local_mac: way.local_mac,
        reserved: [0; 3],
    }
}

/// What the kernel counted per SSRC, in a report's terms.
pub(crate) fn ssrcs(stats: &FlowStats) -> Vec<SsrcCounters> {
    stats
        .ssrcs
        .iter()
        .filter(|ssrc| ssrc.packets > 0)
        .map(|ssrc| SsrcCounters {
            ssrc: ssrc.ssrc,
            packets: ssrc.packets,
            highest_sequence: ssrc.highest_sequence,
            lost: lost(ssrc),
            jitter: ssrc.jitter_x16 / 16,
        })
        .collect()
}

/// RFC 3550 appendix A.3, not below zero.
fn lost(ssrc: &SsrcStats) -> u32 {
    let expected = u64::from(ssrc.highest_sequence.wrapping_sub(ssrc.base_sequence)) + 1;
    u32::try_from(expected.saturating_sub(ssrc.packets)).unwrap_or(u32::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datapath::PayloadTypes;
    use crate::datapath::next_hop::NextHop;

    fn flow() -> Flow {
        Flow {
            local: "192.0.2.1:30000".parse().unwrap(),
            source: "198.51.100.1:4000".parse().unwrap(),
            from: "[2001:db8::1]:30002".parse().unwrap(),
            to: "[2001:db8::2]:5000".parse().unwrap(),
            tos: 0xb8,
            payload_types: PayloadTypes(1 | 1 << 101),
            ssrcs: SsrcFilter::Known(vec![7, 8]),
            clock_rate: 8000,
        }
    }

    fn way() -> Way {
        Way {
            hop: NextHop {
                ifindex: 3,
                mtu: 1500,
                hop_limit: None,
                from_mac: [1; 6],
                to_mac: [2; 6],
            },
            ttl: 64,
            ingress: 2,
            local_mac: [3; 6],
        }
    }

    #[test]
    fn a_flow_between_families_keeps_each_address_in_its_own() {
        let value = value(&flow(), &way(), 9);
        assert_eq!(value.source_address[..4], [198, 51, 100, 1]);
        assert_eq!(value.source_address[4..], [0; 12]);
        assert_eq!(value.to_address[..4], [0x20, 0x01, 0x0d, 0xb8]);
        assert_eq!(value.egress_family, 6);
        assert_eq!(value.to_port, 5000_u16.to_be_bytes());
    }

    #[test]
    fn payload_types_stand_at_bit_n_modulo_64_of_word_n_over_64() {
        let value = value(&flow(), &way(), 9);
        assert_eq!(value.payload_types, [1, 1 << (101 - 64)]);
    }

    #[test]
    fn known_ssrcs_are_listed_and_any_is_a_flag() {
        let known = value(&flow(), &way(), 9);
        assert_eq!(
            (known.ssrc_count, known.ssrcs[..2].to_vec(), known.flags),
            (2, vec![7, 8], 0)
        );
        let any = Flow {
            ssrcs: SsrcFilter::Any,
            ..flow()
        };
        let any = value(&any, &way(), 9);
        assert_eq!((any.ssrc_count, any.flags), (0, ANY_SSRC));
    }

    #[test]
    fn loss_is_expected_less_received_and_never_negative() {
        let ssrc = |packets| SsrcStats {
            packets,
            base_sequence: 65_530,
            highest_sequence: 65_540,
            ..SsrcStats::default()
        };
        assert_eq!(lost(&ssrc(11)), 0);
        assert_eq!(lost(&ssrc(9)), 2);
        assert_eq!(lost(&ssrc(20)), 0);
    }
}
