//! What becomes of media between the parties: digits that are blocked, reports that are made here, echoes, silence, packets
//! that are too short; and empty ones before there are any. And how a call sounded, by what its parties reported.

use std::time::Duration;

use lab::topology::{Family, Side};
use lab::{
    Call, CallOptions, Endpoint, Engine, Lab, Relay, Stage, TwoNetworks, Wiring, rtp, sdp,
    wait_until,
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
    let Some(stage) = Stage::with(Engine::Tc) else {
        return;
    };
    let Stage { ng, .. } = &stage;
    let call = stage.call_in_kernel();
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
    wait_until("both streams are in the kernel", || call.is_in_kernel(ng));
    let before = digits();
    (0..3).for_each(|_| send_digit());
    speak(50);
    assert_eq!(digits(), before, "none of those that were blocked");
    assert!(call.is_in_kernel(ng));
}

#[test]
fn reports_made_here_count_what_the_kernel_forwards() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let stage = Stage::start(
        &lab,
        Relay::under_test()
            .engine(Engine::Tc)
            .option("--rtcp-interval=300"),
    );
    let Stage { ng, net, .. } = &stage;
    let options = CallOptions::default().key("generate RTCP", "on");
    let call = Call::set_up(net, ng, &options);
    call.bring_into_kernel(ng);
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

#[test]
fn what_no_silence_is_known_for_goes_on_in_the_kernel() {
    let Some(stage) = Stage::with(Engine::Tc) else {
        return;
    };
    let Stage { ng, net, .. } = &stage;
    let [caller, callee] = [
        Endpoint::bind(&net.caller, Side::A.far(Family::V4)),
        Endpoint::bind(&net.callee, Side::B.far(Family::V4)),
    ];
    let opus = |party: &Endpoint| {
        party.change_stream(96, party.stream().ssrc);
        let address = party.address();
        let (ip, port) = (address.ip(), address.port());
        format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 96\r\n\
             a=rtpmap:96 opus/48000/2\r\n"
        )
    };
    let (offer, answer) = (opus(&caller), opus(&callee));
    let options = CallOptions::default();
    let call = Call::set_up_with(ng, &options, (caller, &offer), (callee, &answer));
    call.bring_into_kernel(ng);
    ng.ok(&json!({"command": "silence media", "call-id": call.id}));
    call.talk(20);
    assert!(call.is_in_kernel(ng));
}

#[test]
fn packets_that_are_too_short_do_not_arrive() {
    let Some(lab) = Lab::open() else { return };
    let stage = Stage::start(&lab, Relay::underpass());
    let Stage { ng, net, .. } = &stage;
    let call = Call::set_up(net, ng, &CallOptions::default().flag("block-short"));
    call.talk(20);
    let own = call.caller.stream();
    let mut short = rtp::write(&own, 0, 0);
    short[2..4].copy_from_slice(&50_000_u16.to_be_bytes());
    short.pop();
    call.caller.send_raw(call.caller_to, &short);
    // Whatever is sent after it arrives after it.
    call.talk(20);
    let streams = call.rtp_streams(ng);
    let errors = streams
        .iter()
        .map(|stream| stream["stats"]["errors"].as_u64());
    assert_eq!(errors.flatten().sum::<u64>(), 1);
    for stream in &streams {
        assert_eq!(
            stream["kernel reason"],
            "packets that are too short are blocked"
        );
    }
}

#[test]
fn a_party_behind_a_nat_is_sent_empty_packets_until_it_speaks() {
    let Some(lab) = Lab::open() else { return };
    let stage = Stage::start(&lab, Relay::underpass());
    let Stage { ng, net, .. } = &stage;
    let call = Call::set_up(net, ng, &CallOptions::default().flag("pierce NAT"));
    for (party, to) in [
        (&call.caller, call.caller_to),
        (&call.callee, call.callee_to),
    ] {
        wait_until("empty packets, more than one", || {
            party.arrivals().len() >= 2
        });
        let arrivals = party.arrivals();
        assert!(
            arrivals
                .iter()
                .all(|a| a.bytes.is_empty() && a.source == to)
        );
        wait_until("and one to where it awaits RTCP", || {
            let arrivals = party.rtcp_arrivals();
            arrivals
                .iter()
                .any(|a| a.bytes.is_empty() && a.source == sdp::rtcp_of(to))
        });
    }
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
    let stage = Stage::start(&lab, Relay::under_test());
    let Stage { ng, .. } = &stage;
    let call = stage.call();
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
        quality(&call.query(ng)).iter().all(Value::is_object)
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
