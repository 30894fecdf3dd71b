//! Floods and garbage: nothing is disabled, nobody else is held up.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[test]
fn a_flood_on_one_stream_disables_neither_it_nor_others() {
    let mut relay = Relay::start();
    let flooded = relay.call(|_| {});
    // Two workers: one of three calls shares the flooded one's.
    let others = [relay.call(|_| {}), relay.call(|_| {}), relay.call(|_| {})];
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for sequence in 0..u16::MAX {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                flooded.a.send(&rtp(7, sequence));
            }
        });
        for sequence in 0..50 {
            for call in &others {
                call.a.send(&rtp(8, sequence));
                assert_eq!(receive(&call.b.rtp).0, rtp(8, sequence));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    wait_until_through(&flooded, 9);
}

#[test]
fn a_packet_that_signalling_sends_in_circles_dies_out() {
    let mut relay = Relay::start();
    let mut call = relay.call(|_| {});
    // What is meant for A goes to the port that takes packets for A.
    call.a_plan.endpoint = Some(call.b.pair.rtp.address);
    call.a_plan.strict_source = true;
    call.a_plan.signalled = 2;
    relay.update(call.a.id(), call.a_plan.clone());
    wait_until("the plan is carried out", || {
        relay.view(call.a.id()).endpoint == call.a_plan.endpoint
    });
    call.b.send(&rtp(7, 1));
    wait_until("it is refused", || relay.view(call.b.id()).errors > 0);
    let passed = relay.view(call.b.id()).user_packets;
    assert!(passed < 100, "passed on {passed} times");
}

#[test]
fn a_burst_is_passed_on_whole_and_in_order() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    for sequence in 0..100 {
        call.a.send(&rtp(7, sequence));
    }
    for sequence in 0..100 {
        assert_eq!(receive(&call.b.rtp).0, rtp(7, sequence));
    }
}

#[test]
fn garbage_harms_nothing() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.strict_source = true);
    for (from, to) in [(&call.a, &call.b), (&call.b, &call.a)] {
        from.send(&rtp(7, 1));
        receive(&to.rtp);
    }
    let strangers: Vec<UdpSocket> = (0..8).map(|_| phone()).collect();
    let targets = [
        call.a.pair.rtp.address,
        call.a.pair.rtcp.address,
        call.b.pair.rtp.address,
        call.b.pair.rtcp.address,
    ];
    let mut garbage = [0; 1500];
    rand::fill(&mut garbage);
    for round in 0..100_000_usize {
        let [a, b, c]: [u8; 3] = rand::random();
        garbage[0] = a;
        garbage[1] = b;
        let length = usize::from(c) * (round % 6);
        let stranger = &strangers[round % strangers.len()];
        stranger
            .send_to(&garbage[..length], targets[round % 4])
            .unwrap();
    }
    assert_eq!(relay.view(call.a.id()).endpoint, Some(call.a.endpoint()));
    wait_until_through(&call, 7);
    assert!(relay.view(call.a.id()).ssrcs.len() <= 4);
}

/// Sends packets from A, as they may be lost while queues are full, until B has one of them.
fn wait_until_through(call: &Call, ssrc: u32) {
    call.b.rtp.set_nonblocking(true).unwrap();
    let mut buffer = [0; 2048];
    let mut sequence = 1000;
    wait_until("a packet gets through", || {
        sequence += 1;
        call.a.send(&rtp(ssrc, sequence));
        std::thread::yield_now();
        std::iter::from_fn(|| {
            let length = call.b.rtp.recv(&mut buffer).ok()?;
            Some(length >= 12 && buffer[8..12] == ssrc.to_be_bytes())
        })
        .any(|same| same)
    });
}
