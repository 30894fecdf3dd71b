//! Random and mutated datagrams: the relay stays alive, and its memory does not grow with them.

use lab::call::{answer_request, offer_request};
use lab::{
    Call, CallOptions, Encoding, Engine, Lab, NgClient, Relay, TwoNetworks, Wiring, sdp, wait_until,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// Datagrams sent, half of them before memory is looked at first.
const DATAGRAMS: usize = 100_000;
/// How much the second half may add, in KiB: allocator noise, not one datagram's worth each.
const GROWTH: u64 = 8 * 1024;
/// What the second half of the datagrams adds to the duplicate cache, in KiB: it keeps each reply for a minute or two, and is
/// bounded by itself.
const REMEMBERED: u64 = 16 * 1024;

fn requests() -> Vec<Value> {
    let sdp = sdp::audio("10.1.0.2:4000".parse().unwrap());
    let options = CallOptions::default();
    vec![
        offer_request("garbage", &sdp, &options),
        answer_request("garbage", &sdp, &options),
        json!({"command": "query", "call-id": "garbage"}),
        json!({"command": "delete", "call-id": "garbage", "flags": ["fatal"]}),
        json!({"command": "list", "limit": 5}),
        json!({"command": "statistics"}),
        json!({"command": "ping"}),
    ]
}

/// A few bytes changed, put in, taken out or cut off.
fn mutate(random: &mut StdRng, datagram: &mut Vec<u8>) {
    for _ in 0..random.random_range(1..5) {
        let at = random.random_range(0..datagram.len().max(1));
        match random.random_range(0..4) {
            0 if at < datagram.len() => datagram[at] ^= 1 << random.random_range(0..8),
            1 if at < datagram.len() => drop(datagram.remove(at)),
            2 => datagram.insert(at.min(datagram.len()), random.random()),
            _ if random.random_bool(0.1) => datagram.truncate(at),
            _ => {}
        }
    }
}

fn random_bytes(random: &mut StdRng) -> Vec<u8> {
    let length = random.random_range(0..1400);
    (0..length).map(|_| random.random()).collect()
}

/// Ends every call that a mutated offer has made.
fn end_all_calls(ng: &NgClient) {
    for _ in 0..100 {
        let calls = ng.ok(&json!({"command": "list", "limit": 500}))["calls"]
            .as_array()
            .cloned()
            .unwrap();
        if calls.is_empty() {
            return;
        }
        for call in calls {
            ng.ok(&json!({"command": "delete", "call-id": call, "delete delay": 0}));
        }
    }
    panic!("there is no end of calls");
}

#[test]
fn at_the_ng_port() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let mut relay = Relay::under_test()
        .engine(Engine::Null)
        .two_networks()
        .start(&net.relay);
    let (sender, ng) = (relay.client(&net.relay), relay.client(&net.relay));
    let mut random = StdRng::seed_from_u64(1);
    let encodings = [
        relay.client(&net.relay),
        relay.client(&net.relay).encoding(Encoding::Json),
    ];
    let (requests, mut resident) = (requests(), Vec::new());
    for number in 0..DATAGRAMS {
        let datagram = if random.random_bool(0.3) {
            random_bytes(&mut random)
        } else {
            let request = &requests[random.random_range(0..requests.len())];
            let mut datagram = encodings[number % 2].datagram(&format!("c{number}"), request);
            mutate(&mut random, &mut datagram);
            if request["command"] == "offer" {
                // It may make a call under another call-id, which has to be text for this test to end it by.
                datagram.iter_mut().for_each(|byte| *byte &= 0x7f);
            }
            datagram
        };
        sender.send_raw(&datagram);
        if number % 50 == 0 {
            ng.ok(&json!({"command": "ping"}));
        }
        if number % (DATAGRAMS / 2) == DATAGRAMS / 2 - 1 {
            end_all_calls(&ng);
            resident.push(relay.process().resident_kib());
        }
    }
    assert!(
        resident[1] <= resident[0] + GROWTH + REMEMBERED,
        "resident memory in KiB grew: {resident:?}"
    );
    relay.assert_idle(&net.relay);
}

#[test]
fn at_the_media_ports() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let mut relay = Relay::under_test().two_networks().start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default().flag("strict-source"));
    call.talk(20);
    let mut random = StdRng::seed_from_u64(2);
    let mut resident = Vec::new();
    for number in 0..DATAGRAMS {
        let mut datagram = random_bytes(&mut random);
        if random.random_bool(0.7) {
            datagram = lab::rtp::write(&call.caller.stream(), random.random_range(0..1000), 0);
            mutate(&mut random, &mut datagram);
        }
        let to = if random.random_bool(0.5) {
            call.caller_to
        } else {
            sdp::rtcp_of(call.caller_to)
        };
        call.caller.send_raw(to, &datagram);
        if number % 500 == 0 {
            ng.ok(&json!({"command": "ping"}));
        }
        if number % (DATAGRAMS / 2) == DATAGRAMS / 2 - 1 {
            resident.push(relay.process().resident_kib());
        }
    }
    assert!(
        resident[1] <= resident[0] + GROWTH,
        "resident memory in KiB grew: {resident:?}"
    );
    wait_until("the parties' own packets again", || {
        let (before, sent) = (call.caller.report_of(&call.callee).received, 20);
        call.send_both(sent);
        call.caller.report_of(&call.callee).received >= before + sent
    });
    call.hang_up(&ng);
    relay.assert_idle(&net.relay);
}
