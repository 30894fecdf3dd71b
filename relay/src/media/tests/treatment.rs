//! What receivers get of packets that are not the same for all of them.

use super::*;
use crate::plan::{ExtensionIds, Treatment};

const EVENTS: PayloadTypes = PayloadTypes(1 << 101);

/// Adds a treatment to the one edge that leads to `sink`.
fn treated(plan: &StreamPlan, sinks: &[(StreamId, Treatment)]) -> StreamPlan {
    let sinks = sinks.iter().cloned();
    StreamPlan {
        sinks: sinks
            .map(|(stream, treatment)| Sink { stream, treatment })
            .collect(),
        telephone_events: EVENTS,
        ..plan.clone()
    }
}

fn digit(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = rtp(ssrc, sequence);
    packet[1] = 101;
    packet.truncate(12);
    packet.extend([5, 10, 0, 160]);
    packet
}

#[test]
fn each_receiver_gets_what_its_own_edge_makes_of_a_packet() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    let silence = Treatment {
        silence: true,
        ..Treatment::default()
    };
    let sinks = [
        (call.b.id(), silence),
        (call.b.rtcp_id(), Treatment::default()),
    ];
    relay.update(call.a.id(), treated(&call.a_plan, &sinks));
    for sequence in 1..4 {
        let mut packet = rtp(7, sequence);
        packet[1] = 8;
        packet[12..].fill(0x11);
        call.a.send(&packet);
        assert_eq!(receive(&call.b.rtcp).0, packet, "untouched");
        packet[12..].fill(0xd5);
        assert_eq!(receive(&call.b.rtp).0, packet, "silenced");
    }
    wait_until("all are counted", || {
        relay.view(call.a.id()).user_packets == 3
    });
    assert_eq!(relay.view(call.a.id()).errors, 0);
}

#[test]
fn an_echo_goes_back_from_the_port_it_came_to() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    let echo = Treatment {
        echo: true,
        ..Treatment::default()
    };
    let id = call.a.id();
    relay.update(id, treated(&call.a_plan, &[(id, echo.clone())]));
    let mut packet = rtp(7, 1);
    call.a.send(&packet);
    packet[8..12].copy_from_slice(&echo.ssrc(7).to_be_bytes());
    assert_eq!(receive(&call.a.rtp), (packet, call.a.pair.rtp.address));
    wait_until("it is known why the kernel does not do it", || {
        relay.view(id).kernel_reason == Some(Reason::MediaAltered.text())
    });
}

#[test]
fn blocked_digits_are_dropped_here_while_the_kernel_forwards_speech() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    let block = StreamPlan {
        digits: Digits::Drop,
        telephone_events: EVENTS,
        ..call.a_plan.clone()
    };
    relay.update(call.a.id(), block);
    call.a.send(&rtp(7, 1));
    assert_eq!(receive(&call.b.rtp).0, rtp(7, 1));
    wait_until("A's flow is asked for", || {
        relay.datapath.flow(call.a.id()).is_some()
    });
    let flow = relay.datapath.flow(call.a.id()).unwrap();
    assert_eq!(flow.payload_types, PayloadTypes::ALL.without(EVENTS));
    assert_eq!(relay.view(call.a.id()).kernel_reason, None);
    // What comes up all the same: the digit goes no further.
    call.a.send(&digit(7, 2));
    call.a.send(&rtp(7, 3));
    assert_eq!(receive(&call.b.rtp).0, rtp(7, 3));
    assert_eq!(relay.view(call.a.id()).errors, 0);
}

#[test]
fn silence_takes_a_flow_out_of_the_kernel_and_its_end_brings_it_back() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    call.a.send(&rtp(7, 1));
    receive(&call.b.rtp);
    let id = call.a.id();
    wait_until("A's flow is asked for", || {
        relay.datapath.flow(id).is_some()
    });
    let silence = Treatment {
        silence: true,
        ..Treatment::default()
    };
    relay.update(id, treated(&call.a_plan, &[(call.b.id(), silence)]));
    wait_until("it is taken back", || relay.datapath.flow(id).is_none());
    assert_eq!(
        relay.view(id).kernel_reason,
        Some(Reason::MediaAltered.text())
    );
    relay.update(id, call.a_plan.clone());
    wait_until("it is asked for again", || {
        relay.datapath.flow(id).is_some()
    });
}

#[test]
fn header_extensions_that_are_masked_do_not_arrive() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    let mask = Treatment {
        extensions: Some(ExtensionIds::from_iter([2])),
        ..Treatment::default()
    };
    relay.update(call.a.id(), treated(&call.a_plan, &[(call.b.id(), mask)]));
    let mut packet = rtp(7, 1);
    packet[0] |= 0x10;
    let with = |extension: &[u8]| [&packet[..12], extension, &packet[12..]].concat();
    call.a.send(&with(&[0xbe, 0xde, 0, 1, 0x10, 1, 0x20, 2]));
    let expected = with(&[0xbe, 0xde, 0, 1, 0x20, 2, 0, 0]);
    assert_eq!(receive(&call.b.rtp).0, expected);
}
