//! Telephone events that are told, beside a flow that stays in the kernel.

use super::*;
use crate::plan::{Replacement, Substitute, TelephoneEvent};

const EVENTS: PayloadTypes = PayloadTypes(1 << 101 | 1 << 102);

/// The three packets of a digit, and its end twice more.
fn digit(payload_type: u8, code: u8, timestamp: u32) -> Vec<Vec<u8>> {
    let packet = |duration: u16, flags: u8| {
        let mut packet = rtp(7, 9);
        packet[1] = payload_type;
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        packet.truncate(12);
        packet.extend([code, flags | 10]);
        packet.extend(duration.to_be_bytes());
        packet
    };
    let mut packets = vec![packet(160, 0), packet(480, 0), packet(800, 0x80)];
    for (index, packet) in packets.iter_mut().enumerate() {
        packet[3] += index as u8;
    }
    packets
}

fn told(relay: &Relay) -> TelephoneEvent {
    relay.media.events().recv_timeout(PATIENCE).unwrap()
}

#[test]
fn a_digit_is_told_once_and_passed_on_while_the_kernel_forwards_speech() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| {
        plan.telephone_events = EVENTS;
        plan.event_clock_rates = vec![(102, 48_000)];
        plan.detect_events = true;
    });
    call.a.send(&rtp(7, 1));
    receive(&call.b.rtp);
    wait_until("A's flow is asked for", || {
        relay.datapath.flow(call.a.id()).is_some()
    });
    let flow = relay.datapath.flow(call.a.id()).unwrap();
    assert_eq!(flow.payload_types, PayloadTypes::ALL.without(EVENTS));
    for (payload_type, code, timestamp) in [(101, 5, 1000), (102, 11, 9000)] {
        for packet in digit(payload_type, code, timestamp) {
            call.a.send(&packet);
            assert_eq!(receive(&call.b.rtp).0, packet);
        }
    }
    let expected = TelephoneEvent {
        call: CallKey(1),
        stream: call.a.id(),
        source: call.a.endpoint(),
        code: 5,
        volume: 10,
        duration_ms: 100,
        has_ended: true,
    };
    assert_eq!(told(&relay), expected);
    let at_48_khz = TelephoneEvent {
        code: 11,
        duration_ms: 16,
        ..expected
    };
    assert_eq!(told(&relay), at_48_khz);
    assert!(relay.media.events().is_empty());
    assert!(
        relay.datapath.flow(call.a.id()).is_some(),
        "still in the kernel"
    );
}

#[test]
fn a_digit_that_is_blocked_is_told_all_the_same() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| {
        plan.telephone_events = EVENTS;
        plan.detect_events = true;
        plan.digits = Digits::Drop;
    });
    for packet in digit(101, 5, 1000) {
        call.a.send(&packet);
    }
    assert_eq!(told(&relay).code, 5);
    call.a.send(&rtp(7, 1));
    assert_eq!(
        receive(&call.b.rtp).0,
        rtp(7, 1),
        "the digit is not passed on"
    );
}

#[test]
fn a_digit_that_is_watched_is_told_as_it_begins_and_as_it_ends() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| {
        plan.telephone_events = EVENTS;
        plan.watch_digits = true;
    });
    for packet in digit(101, 5, 1000) {
        call.a.send(&packet);
    }
    let stages = [told(&relay), told(&relay)].map(|event| (event.has_ended, event.duration_ms));
    assert_eq!(stages, [(false, 20), (true, 100)]);
}

#[test]
fn a_digit_is_replaced_and_told_as_it_was_dialled() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| {
        plan.telephone_events = EVENTS;
        plan.detect_events = true;
        plan.digits = Digits::Replace(Replacement {
            digit: Substitute::Code(0),
            volume: Some(63),
        });
    });
    for (packet, expected) in digit(101, 5, 1000).iter().zip(digit(101, 0, 1000)) {
        call.a.send(packet);
        let mut expected = expected;
        expected[13] |= 63;
        assert_eq!(receive(&call.b.rtp).0, expected);
    }
    assert_eq!(told(&relay).code, 5);
    assert_eq!(relay.view(call.a.id()).errors, 0);
}

#[test]
fn a_random_digit_is_the_same_for_the_whole_of_an_event() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| {
        plan.telephone_events = EVENTS;
        plan.digits = Digits::Replace(Replacement {
            digit: Substitute::Random,
            volume: None,
        });
    });
    for timestamp in (1000..20_000).step_by(1000) {
        let codes: Vec<u8> = digit(101, 5, timestamp)
            .iter()
            .map(|packet| {
                call.a.send(packet);
                receive(&call.b.rtp).0[12]
            })
            .collect();
        assert!(codes[0] < 10 && codes[0] != 5);
        assert_eq!(codes, [codes[0]; 3]);
    }
}

#[test]
fn a_digit_that_was_blocked_as_it_began_is_blocked_to_its_end() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| {
        plan.telephone_events = EVENTS;
        plan.digits = Digits::Drop;
        plan.watch_digits = true;
    });
    let [first, second, end]: [Vec<u8>; 3] = digit(101, 5, 1000).try_into().unwrap();
    call.a.send(&first);
    assert_eq!(told(&relay).code, 5);
    let passing = StreamPlan {
        digits: Digits::Pass,
        ..call.a_plan.clone()
    };
    relay.update(call.a.id(), passing);
    call.a.send(&second);
    call.a.send(&end);
    let next = digit(101, 6, 9000);
    call.a.send(&next[0]);
    assert_eq!(receive(&call.b.rtp).0, next[0]);
}

#[test]
fn where_nobody_asks_no_event_is_told_and_the_kernel_has_all_of_the_flow() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.telephone_events = EVENTS);
    for packet in digit(101, 5, 1000) {
        call.a.send(&packet);
        receive(&call.b.rtp);
    }
    wait_until("A's flow is asked for", || {
        relay.datapath.flow(call.a.id()).is_some()
    });
    let flow = relay.datapath.flow(call.a.id()).unwrap();
    assert_eq!(flow.payload_types, PayloadTypes::ALL);
    assert!(relay.media.events().is_empty());
}
