//! Checksum arithmetic against the definition.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests are tests"
)]

use std::net::SocketAddr;

use proptest::prelude::*;
use underpass_abi::Flow;
use underpass_packet::{
    Addressing, Datagram, Ipv4, Read, Reading, Sum, Udp, add, carry, is_pseudo, sum, udp_checksum,
};

/// RFC 1071, word by word in network order.
fn definition(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([
            pair[0],
            pair.get(1).copied().unwrap_or(0),
        ]));
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

fn folded(bytes: &[u8]) -> Option<u16> {
    sum(bytes, bytes.len()).map(|sum| u16::from_be(sum.fold()))
}

#[test]
fn the_example_of_rfc_1071() {
    assert_eq!(
        folded(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
        Some(0xddf2)
    );
}

#[test]
fn what_it_cannot_add_up_it_refuses() {
    assert_eq!(sum([0; 7].as_slice(), 7), None, "less than a UDP header");
    assert_eq!(sum([0; 8].as_slice(), 9), None, "more than there is");
    assert_eq!(
        sum([0; 1544].as_slice(), 1544),
        None,
        "more than the longest"
    );
    assert!(sum([0; 1543].as_slice(), 1543).is_some());
}

#[test]
fn a_computed_zero_is_sent_as_ffff() {
    assert_eq!(carry(0xfffe, 0xfffe), 0xffff);
    assert_eq!(carry(0xffff, 0xffff), 0xffff);
}

fn datagram(source: [u8; 4], to: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut udp = vec![0x0f, 0xa0, 0x75, 0x30, 0, 0, 0, 0];
    let length = 8 + payload.len() as u16;
    udp[4..6].copy_from_slice(&length.to_be_bytes());
    udp.extend(payload);
    let pseudo = [&source[..], &to[..], &[0, 17], &length.to_be_bytes()].concat();
    let checksum = match !definition(&[pseudo, udp.clone()].concat()) {
        0 => 0xffff,
        checksum => checksum,
    };
    udp[6..8].copy_from_slice(&checksum.to_be_bytes());
    let mut packet = vec![0x45, 0];
    packet.extend((20 + length).to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    packet.extend(source);
    packet.extend(to);
    let header = !definition(&packet);
    packet[10..12].copy_from_slice(&header.to_be_bytes());
    packet.extend(udp);
    packet
}

proptest! {
    #[test]
    fn a_sum_is_the_definition_s(bytes in prop::collection::vec(any::<u8>(), 8..1544)) {
        prop_assert_eq!(folded(&bytes), Some(definition(&bytes)));
    }

    #[test]
    fn words_taken_out_again_leave_what_was(words: Vec<u32>, others: Vec<u32>) {
        let add = |sum: Sum, words: &[u32]| words.iter().fold(sum, |sum, word| sum.with(*word));
        let start = add(Sum::default().with(1), &words);
        let there = add(start, &others);
        let back = others.iter().fold(there, |sum, word| sum.without(*word));
        // Zero and all ones are the same number here.
        prop_assert_eq!(back.fold() % 0xffff, start.fold() % 0xffff);
        prop_assert_eq!(there.minus(add(Sum::default(), &others)).fold() % 0xffff, start.fold() % 0xffff);
    }

    #[test]
    fn a_carried_over_checksum_is_a_computed_one(
        source: [u8; 4], to: [u8; 4], from: [u8; 16], sink: [u8; 16], ports: [u16; 2],
        payload in prop::collection::vec(any::<u8>(), 12..300),
    ) {
        let packet = datagram(source, to, &payload);
        let arrived = Datagram::<Ipv4>::parse(packet.as_slice()).unwrap();
        let [from_port, to_port] = ports;
        let mut flow = Flow::default();
        let addressing = Addressing {
            local: SocketAddr::from((to, 0x7530)),
            source: SocketAddr::from((source, 0x0fa0)),
            from: SocketAddr::from((from, from_port)),
            to: SocketAddr::from((sink, to_port)),
            from_mac: [0; 6],
            to_mac: [0; 6],
            tos: 0,
            ttl: 64,
        };
        addressing.fill(&mut flow);
        let udp = packet.as_slice().skip(20);
        let checksum = udp_checksum::<Ipv4>(&flow, &arrived.udp, udp, Reading::Native).unwrap();
        let length = 8 + payload.len() as u16;
        let all = [
            &from[..], &sink, &[0, 17], &length.to_be_bytes(),
            &from_port.to_be_bytes(), &to_port.to_be_bytes(), &length.to_be_bytes(), &checksum.to_ne_bytes(), &payload,
        ].concat();
        prop_assert_eq!(definition(&all), 0xffff);
        prop_assert_ne!(checksum, 0);
    }

    /// A packet for several receivers is rewritten from what the one before was sent, in either reading of its checksum.
    #[test]
    fn rewriting_step_by_step_is_rewriting_from_the_original(
        source: [u8; 4], to: [u8; 4],
        receivers in prop::collection::vec(any::<([u8; 4], u16, [u8; 4], u16)>(), 1..8),
        payload in prop::collection::vec(any::<u8>(), 12..300),
    ) {
        let packet = datagram(source, to, &payload);
        let arrived = Datagram::<Ipv4>::parse(packet.as_slice()).unwrap().udp;
        let start = (SocketAddr::from((source, 0x0fa0)), SocketAddr::from((to, 0x7530)));
        let [mut step_by_step, mut before] = [arrived, Udp { checksum: pseudo(&flow(start, start), &arrived), ..arrived }];
        let left_to_device = before;
        let mut arriving = start;
        for (from, from_port, sink, to_port) in receivers {
            let leaving = (SocketAddr::from((from, from_port)), SocketAddr::from((sink, to_port)));
            let (step, whole) = (flow(arriving, leaving), flow(start, leaving));
            step_by_step.checksum = carry(step_by_step.checksum, step.udp_difference);
            prop_assert_eq!(step_by_step.checksum, carry(arrived.checksum, whole.udp_difference));
            prop_assert!(is_pseudo(&step, &before), "it is still seen to be left to the device");
            before.checksum = add(before.checksum, step.address_difference);
            prop_assert_eq!(before.checksum, add(left_to_device.checksum, whole.address_difference));
            arriving = leaving;
        }
    }
}

/// A flow from one pair of addresses (source, destination) to another.
fn flow(arriving: (SocketAddr, SocketAddr), leaving: (SocketAddr, SocketAddr)) -> Flow {
    let mut flow = Flow::default();
    let addressing = Addressing {
        source: arriving.0,
        local: arriving.1,
        from: leaving.0,
        to: leaving.1,
        from_mac: [0; 6],
        to_mac: [0; 6],
        tos: 0,
        ttl: 64,
    };
    addressing.fill(&mut flow);
    flow
}

/// What a sender leaves that leaves the checksum to the device.
fn pseudo(flow: &Flow, udp: &Udp) -> u16 {
    add(flow.arriving_sum, udp.length)
}
