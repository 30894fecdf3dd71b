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
            let flood = rtp(7, 1);
            for _ in 0..200_000 {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                flooded.a.send(&flood);
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
    let mut sequence = 100;
    wait_until("a packet gets through the flooded stream", || {
        sequence += 1;
        flooded.a.send(&rtp(9, sequence));
        let mut last = receive(&flooded.b.rtp).0;
        flooded.b.rtp.set_nonblocking(true).unwrap();
        let mut buffer = [0; 2048];
        while let Ok(length) = flooded.b.rtp.recv(&mut buffer) {
            last = buffer[..length].to_vec();
        }
        flooded.b.rtp.set_nonblocking(false).unwrap();
        last[8..12] == 9_u32.to_be_bytes()
    });
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
    call.a.send(&rtp(7, 1));
    receive(&call.b.rtp);
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
    wait_until("a packet gets through", || {
        call.a.send(&rtp(7, 2));
        receive(&call.b.rtp).0 == rtp(7, 2)
    });
    assert!(relay.view(call.a.id()).ssrcs.len() <= 4);
}
