//! What becomes of media between the parties: digits that are blocked, reports that are made here, echoes. And how a call
//! sounded, by what its parties reported.

use std::time::Duration;

use lab::{
    Call, CallOptions, Endpoint, Engine, Lab, Relay, TwoNetworks, Wiring, rtp, sdp, wait_until,
};
use serde_json::{Value, json};

/// A packet of the digit 5 on payload type 101, from the caller's source.
fn digit(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 101];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 160]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend([5, 0x8a, 3, 32]);
    packet
}

#[test]
fn blocked_digits_do_not_arrive_while_the_kernel_forwards_speech() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::under_test()
        .engine(Engine::Tc)
        .two_networks()
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default());
    call.bring_into_kernel(&ng);
    let ssrc = call.caller.stream().ssrc;
    let digits = || {
        let arrivals = call.callee.arrivals();
        arrivals.iter().filter(|a| a.bytes[1] == 101).count()
    };
    call.caller.send_raw(call.caller_to, &digit(ssrc, 40_000));
    wait_until("a digit arrives", || digits() == 1);

    ng.ok(&json!({"command": "block DTMF", "call-id": call.id, "from-tag": "caller"}));
    let mut sequences = 40_001..;
    let mut send_digit = || {
        let sequence = sequences.next().expect("numbers enough");
        call.caller.send_raw(call.caller_to, &digit(ssrc, sequence));
    };
    let speak = |count| {
        let before = call.callee.count_from(&call.caller);
        call.send_both(count);
        wait_until("speech arrives", || {
            call.callee.count_from(&call.caller) == before + count
        });
    };
    // The reply does not wait for the kernel. What is sent after a digit arrives after it.
    wait_until("a digit is blocked", || {
        let before = digits();
        send_digit();
        speak(1);
        digits() == before
    });
    wait_until("both streams are in the kernel", || call.is_in_kernel(&ng));
    let before = digits();
    (0..3).for_each(|_| send_digit());
    speak(50);
    assert_eq!(digits(), before, "none of those that were blocked");
    assert!(call.is_in_kernel(&ng));
}

#[test]
fn reports_made_here_count_what_the_kernel_forwards() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::under_test()
        .engine(Engine::Tc)
        .two_networks()
        .option("--rtcp-interval=300")
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let options = CallOptions::default().key("generate RTCP", "on");
    let call = Call::set_up(&net, &ng, &options);
    call.bring_into_kernel(&ng);
    let ssrc = call.caller.stream().ssrc;
    let word = |bytes: &[u8], at: usize| {
        let word = bytes.get(at..at + 4);
        word.map_or(0, |word| u32::from_be_bytes(word.try_into().unwrap()))
    };
    call.talk(100);
    // Packet type and SSRC, then the count of packets sent.
    let is_whole = |bytes: &[u8]| {
        bytes[1] == 200 && word(bytes, 4) == ssrc && word(bytes, 20) == call.caller.sent()
    };
    wait_until("the callee is told of every packet", || {
        let reports = call.callee.rtcp_arrivals();
        reports.iter().any(|report| is_whole(&report.bytes))
    });
}

#[test]
fn both_parties_hear_themselves_under_another_ssrc() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    // In rtpengine 10.5 the kernel gives an echo another SSRC, and user space does not.
    let relay = Relay::underpass().two_networks().start(&net.relay);
    let ng = relay.client(&net.relay);
    let options = CallOptions::default().key("media echo", "both");
    let call = Call::set_up(&net, &ng, &options);
    call.send_both(50);
    for (party, to) in [
        (&call.caller, call.caller_to),
        (&call.callee, call.callee_to),
    ] {
        wait_until("a party hears itself", || party.count_from(party) == 50);
        let arrivals = party.arrivals();
        assert_eq!(arrivals.len(), 50, "nothing else");
        let own = party.stream();
        let ssrc = &arrivals[0].bytes[8..12];
        assert_ne!(ssrc, own.ssrc.to_be_bytes());
        for arrival in &arrivals {
            let packet = rtp::read(&arrival.bytes).unwrap();
            let mut expected = rtp::write(&own, packet.number, packet.sent_ns);
            expected[8..12].copy_from_slice(ssrc);
            assert_eq!((arrival.source, &arrival.bytes), (to, &expected));
        }
    }
    call.hang_up(&ng);
}

/// Sends a sender report of `from` to `to` and waits for it: it bears `middle`, and answers the one of `to` that bears `last`
/// after `THOUGHT`, as if at once. Nothing was lost.
fn report(from: &Endpoint, relay: std::net::SocketAddr, to: &Endpoint, middle: u32, last: u32) {
    let [own, other] = [from, to].map(|party| party.stream().ssrc);
    let words = [
        0x81c8_000c,
        own,
        middle >> 16,
        middle << 16,
        160,
        1,
        160,
        other,
        0,
        0,
        80,
        last,
        // A delay of 0 would say that there was no such report.
        1,
    ];
    let packet: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
    std::thread::sleep(THOUGHT);
    from.send_report(sdp::rtcp_of(relay), &packet);
    wait_until("a report arrives", || {
        let arrivals = to.rtcp_arrivals();
        arrivals.iter().any(|arrival| arrival.bytes == packet)
    });
}

const THOUGHT: Duration = Duration::from_millis(10);

#[test]
fn when_a_call_ends_its_proxy_is_told_how_it_sounded() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::under_test().two_networks().start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default());
    call.talk(20);
    let parties = [&call.caller, &call.callee];
    let quality = |reply: &Value| {
        parties.map(|party| {
            let ssrc = party.stream().ssrc.to_string();
            reply["SSRC"][&ssrc]["average MOS"].clone()
        })
    };
    // One report a second counts, and none of the first.
    let mut number = 1;
    wait_until("both are rated", || {
        let (of_caller, of_callee) = (0x1_0000 + number, 0x2_0000 + number);
        report(
            &call.caller,
            call.caller_to,
            &call.callee,
            of_caller,
            of_callee - 1,
        );
        report(
            &call.callee,
            call.callee_to,
            &call.caller,
            of_callee,
            of_caller,
        );
        number += 1;
        quality(&call.query(&ng)).iter().all(Value::is_object)
    });
    let reply = ng.ok(&json!({"command": "delete", "call-id": call.id, "from-tag": "caller"}));
    for rated in quality(&reply) {
        let figure = |key: &str| {
            rated[key]
                .as_u64()
                .unwrap_or_else(|| panic!("{key}: {rated}"))
        };
        assert!((10..=50).contains(&figure("MOS")), "{rated}");
        assert!(figure("samples") >= 1, "{rated}");
        let leg = figure("round-trip time leg");
        assert!(leg >= 10_000, "µs: {rated}");
        assert!(figure("round-trip time") >= leg + 10_000, "µs: {rated}");
        assert_eq!(
            (figure("packet loss"), figure("jitter")),
            (0, 10),
            "{rated}"
        );
    }
}
