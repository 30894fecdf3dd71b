//! From a [`Flow`] to the record that the kernel program reads, and from its counters to a report's.

use underpass_abi::{self as abi, ANY_SSRC, FlowStats, MAX_SSRCS, SEVERAL_RECEIVERS, SsrcStats};
use underpass_packet::Addressing;

use super::Way;
use crate::datapath::{Flow, Receiver, SsrcCounters, SsrcFilter};

/// How what a receiver is sent leaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    /// The way it goes.
    pub(super) way: Way,
    /// The granted address it leaves from.
    pub(super) from_local: u16,
}

/// What a flow's packets arrive from and at alone: of no use for forwarding.
pub(super) fn arriving(flow: &Flow) -> abi::Flow {
    let mut value = abi::Flow::default();
    let addressing = Addressing {
        local: flow.local,
        source: flow.source,
        from: flow.from,
        to: flow.to,
        from_mac: [0; 6],
        to_mac: [0; 6],
        tos: 0,
        ttl: 0,
    };
    addressing.fill(&mut value);
    value
}

/// What these records say of a flow, one for each receiver, which is counted in the record `home`.
pub(super) fn values<'a>(
    flow: &'a Flow,
    exits: &'a [Exit],
    records: &'a [u32],
    home: u32,
) -> impl Iterator<Item = (u32, abi::Flow)> + 'a {
    // Whom a packet came from and to before it is rewritten.
    let arriving = Receiver {
        from: flow.source,
        to: flow.local,
        tos: 0,
    };
    let before = std::iter::once(arriving).chain(flow.receivers());
    let steps = before.zip(flow.receivers()).zip(exits).zip(records);
    steps.map(move |(((before, receiver), exit), record)| {
        let mut value = value(flow, before, receiver, exit, home);
        if *record == records[0] && records.len() > 1 {
            value.flags |= SEVERAL_RECEIVERS;
            for (name, record) in value.further.iter_mut().zip(&records[1..]) {
                *name = record + 1;
            }
        }
        (*record, value)
    })
}

/// What a record says of one receiver, to whom packets are sent that came `before` from and to there.
fn value(
    flow: &Flow,
    before: Receiver,
    receiver: Receiver,
    Exit { way, from_local }: &Exit,
    home: u32,
) -> abi::Flow {
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
    let mut value = abi::Flow {
        payload_types: [
            flow.payload_types.0 as u64,
            (flow.payload_types.0 >> 64) as u64,
        ],
        ssrcs,
        egress: way.egress,
        egress_mtu: way.hop.mtu,
        from_local: *from_local,
        stats_record: home,
        clock_rate: flow.clock_rate,
        flags,
        ssrc_count,
        local_mac: way.local_mac,
        ..abi::Flow::default()
    };
    let addressing = Addressing {
        local: before.to,
        source: before.from,
        from: receiver.from,
        to: receiver.to,
        from_mac: way.from_mac,
        to_mac: way.hop.to_mac,
        tos: receiver.tos,
        ttl: way.ttl,
    };
    addressing.fill(&mut value);
    value
}

/// What the kernel counted per SSRC, in a report's terms.
pub(super) fn ssrcs(stats: &FlowStats) -> impl Iterator<Item = SsrcCounters> + Clone {
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
}

/// RFC 3550 appendix A.3, not below zero.
fn lost(ssrc: &SsrcStats) -> u32 {
    let expected = u64::from(ssrc.highest_sequence.wrapping_sub(ssrc.base_sequence)) + 1;
    u32::try_from(expected.saturating_sub(ssrc.packets)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::datapath::PayloadTypes;
    use crate::datapath::next_hop::NextHop;
    use crate::datapath::placement::Device;
    use crate::tables::protocol::Place;

    fn flow() -> Flow {
        Flow {
            local: "192.0.2.1:30000".parse().unwrap(),
            source: "198.51.100.1:4000".parse().unwrap(),
            from: "[2001:db8::1]:30002".parse().unwrap(),
            to: "[2001:db8::2]:5000".parse().unwrap(),
            tos: 0xb8,
            further: Box::default(),
            payload_types: PayloadTypes(1 | 1 << 101),
            ssrcs: SsrcFilter::Known(vec![7, 8]),
            clock_rate: 8000,
        }
    }

    /// What the record 9 says of the flow.
    fn value(flow: &Flow) -> abi::Flow {
        let exit = Exit {
            way: way(),
            from_local: 5,
        };
        let (record, value) = values(flow, &[exit], &[9], 9).next().unwrap();
        assert_eq!(record, 9);
        value
    }

    fn way() -> Way {
        Way {
            hop: NextHop {
                ifindex: 3,
                mtu: 1500,
                hop_limit: None,
                to_mac: [2; 6],
            },
            egress: 4,
            from_mac: [1; 6],
            ttl: 64,
            local_mac: [3; 6],
            between: [2, 3].map(|ifindex| Device {
                place: Place::Own,
                ifindex,
            }),
        }
    }

    #[test]
    fn a_flow_leaves_by_its_slot_from_its_granted_address_with_the_ways_mac() {
        let value = value(&flow());
        assert_eq!((value.egress, value.from_local), (4, 5));
        assert_eq!(value.head[1].to_ne_bytes()[..4], [1; 4]);
    }

    #[test]
    fn an_ipv4_source_stands_in_the_first_four_bytes() {
        let value = value(&flow());
        assert_eq!(value.source_address[..4], [198, 51, 100, 1]);
        assert_eq!(value.source_address[4..], [0; 12]);
    }

    #[test]
    fn payload_types_stand_at_bit_n_modulo_64_of_word_n_over_64() {
        let value = value(&flow());
        assert_eq!(value.payload_types, [1, 1 << (101 - 64)]);
    }

    #[test]
    fn known_ssrcs_are_listed_and_any_is_a_flag() {
        let known = value(&flow());
        assert_eq!(
            (known.ssrc_count, known.ssrcs[..2].to_vec(), known.flags),
            (2, vec![7, 8], 0)
        );
        let any = Flow {
            ssrcs: SsrcFilter::Any,
            ..flow()
        };
        let any = value(&any);
        assert_eq!((any.ssrc_count, any.flags), (0, ANY_SSRC));
    }

    #[test]
    fn each_receiver_s_record_is_reckoned_from_what_the_one_before_is_sent() {
        let to = |port| Receiver {
            from: "[2001:db8::1]:30004".parse().unwrap(),
            to: SocketAddr::new("2001:db8::3".parse().unwrap(), port),
            tos: 7,
        };
        let several = Flow {
            local: "[2001:db8::1]:30000".parse().unwrap(),
            source: "[2001:db8::9]:4000".parse().unwrap(),
            further: Box::new([to(6000), to(6002)]),
            ..flow()
        };
        let exit = |from_local| Exit {
            way: way(),
            from_local,
        };
        let exits = [5, 6, 7].map(exit);
        let values: Vec<_> = values(&several, &exits, &[3, 8, 4], 9).collect();
        assert_eq!(
            values.iter().map(|(record, _)| *record).collect::<Vec<_>>(),
            [3, 8, 4]
        );
        let first = &values[0].1;
        assert_eq!(first.further, [9, 5, 0, 0, 0, 0, 0]);
        assert_eq!(first.flags, SEVERAL_RECEIVERS);
        let before = several.receivers();
        for ((before, receiver), (_, value)) in before.zip(&several.further).zip(&values[1..]) {
            let alone = Flow {
                local: before.to,
                source: before.from,
                from: receiver.from,
                to: receiver.to,
                tos: receiver.tos,
                further: Box::default(),
                ..flow()
            };
            let exit = exit(value.from_local);
            let (_, expected) = super::values(&alone, &[exit], &[0], 9).next().unwrap();
            assert_eq!(*value, expected);
        }
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
