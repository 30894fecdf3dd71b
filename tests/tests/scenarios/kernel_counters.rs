//! Once a stream is in the kernel no packet of it comes up, and kernel, relay and wire count the same.

use lab::capture::Capture;
use lab::metrics::Metrics;
use lab::{CallOptions, Engine, Lab, Relay, Stage, wait_until};
use serde_json::json;

fn all_packets(metrics: &Metrics) -> u64 {
    metrics.kernel_packets() + metrics.userspace_packets()
}

#[test]
fn user_space_stands_still_while_the_kernel_agrees_with_the_wire() {
    let Some(stage) = Stage::with(Engine::Tc) else {
        return;
    };
    let call = stage.call_in_kernel();
    let Stage { relay, net, .. } = &stage;
    let sent = || u64::from(call.caller.sent() + call.callee.sent());
    wait_until("the counters of all packets so far", || {
        all_packets(&relay.metrics(&net.relay)) == sent()
    });
    let before = relay.metrics(&net.relay);
    let capture = Capture::start(&net.callee, "eth0");
    call.talk(500);
    wait_until("the kernel's counters", || {
        all_packets(&relay.metrics(&net.relay)) == sent()
    });
    let after = relay.metrics(&net.relay);
    assert_eq!(after.userspace_packets(), before.userspace_packets());
    assert_eq!(after.kernel_packets() - before.kernel_packets(), 1000);
    wait_until("the capture of every packet", || {
        capture.count_from(call.callee_to) == 500
    });
}

#[test]
fn query_tells_what_the_kernel_sends_to_each_party() {
    let Some(stage) = Stage::with(Engine::Tc) else {
        return;
    };
    let call = stage.call_in_kernel();
    let Stage { ng, .. } = &stage;
    call.talk(100);
    for (party, sent) in [
        ("callee", call.caller.sent()),
        ("caller", call.callee.sent()),
    ] {
        wait_until("every packet is told as sent", || {
            let query = ng.request(&json!({"command": "query", "call-id": call.id}));
            let media = &query["tags"][party]["medias"][0];
            let sources = media["egress SSRCs"].as_array().map(Vec::len);
            media["streams"][0]["stats_out"]["packets"] == sent && sources == Some(1)
        });
    }
}

#[test]
fn a_reinvite_that_changes_nothing_leaves_the_streams_in_the_kernel() {
    let Some(stage) = Stage::with(Engine::Tc) else {
        return;
    };
    let call = stage.call_in_kernel();
    let Stage { ng, relay, net } = &stage;
    let sent = || u64::from(call.caller.sent() + call.callee.sent());
    wait_until("the counters of all packets so far", || {
        all_packets(&relay.metrics(&net.relay)) == sent()
    });
    let before = relay.metrics(&net.relay).userspace_packets();
    let (offer, answer) = (
        lab::sdp::audio(call.caller.address()),
        lab::sdp::audio(call.callee.address()),
    );
    std::thread::scope(|scope| {
        let talking = scope.spawn(|| call.send_both(200));
        let options = CallOptions::default();
        ng.ok(&lab::call::offer_request(&call.id, &offer, &options));
        ng.ok(&lab::call::answer_request(&call.id, &answer, &options));
        talking.join().unwrap();
    });
    call.talk(50);
    assert!(call.is_in_kernel(ng));
    wait_until("the kernel's counters", || {
        all_packets(&relay.metrics(&net.relay)) == sent()
    });
    assert_eq!(relay.metrics(&net.relay).userspace_packets(), before);
}

#[test]
fn where_signalling_forbids_learning_no_packet_ever_comes_up() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let stage = Stage::start(
        &lab,
        Relay::under_test()
            .engine(Engine::Tc)
            .option("--endpoint-learning=off"),
    );
    let Stage { ng, relay, net } = &stage;
    let call = stage.call();
    wait_until("both flows installed", || call.is_in_kernel(ng));
    call.talk(100);
    wait_until("the kernel's counters", || {
        relay.metrics(&net.relay).kernel_packets() == 200
    });
    assert_eq!(relay.metrics(&net.relay).userspace_packets(), 0);
}

#[test]
fn another_ssrc_and_payload_type_go_on_without_loss() {
    let Some(stage) = Stage::with(Engine::Tc) else {
        return;
    };
    let call = stage.call_in_kernel();
    let Stage { ng, .. } = &stage;
    call.caller.change_stream(8, 0x1234_5678);
    call.talk(50);
    call.callee.change_stream(101, 0x8765_4321);
    call.talk(50);
    call.bring_into_kernel(ng);
}

#[test]
fn query_gives_the_reason_where_the_kernel_does_not_forward() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let stage = Stage::start(&lab, Relay::under_test().engine(Engine::Null));
    let Stage { ng, .. } = &stage;
    let call = stage.call();
    call.talk(20);
    for stream in call.rtp_streams(ng) {
        let flags = stream["flags"].as_array().unwrap();
        assert!(flags.contains(&json!("no kernel support")), "{stream}");
        assert!(!flags.contains(&json!("kernelized")), "{stream}");
        assert!(
            stream["kernel reason"]
                .as_str()
                .is_some_and(|reason| !reason.is_empty()),
            "{stream}"
        );
    }
}

/// `query` adds up what both paths forwarded, per stream and in all.
fn query_counts_every_packet(engine: Engine) {
    let lab = if engine == Engine::Null {
        Lab::for_underpass()
    } else {
        Lab::for_kernel_path()
    };
    let Some(lab) = lab else { return };
    let stage = Stage::start(&lab, Relay::under_test().engine(engine));
    let Stage { ng, .. } = &stage;
    let call = stage.call();
    call.talk(10);
    if engine != Engine::Null {
        call.bring_into_kernel(ng);
    }
    call.caller.send(call.caller_to, 30);
    call.talk(50);
    let (caller, callee) = (u64::from(call.caller.sent()), u64::from(call.callee.sent()));
    let size = (lab::rtp::HEADER + call.caller.stream().payload) as u64;
    wait_until("the sum of both streams", || {
        call.query(ng)["totals"]["RTP"]["packets"] == caller + callee
    });
    let reply = call.query(ng);
    assert_eq!(
        reply["totals"]["RTP"]["bytes"],
        (caller + callee) * size,
        "{reply}"
    );
    for (tag, sent) in [("caller", caller), ("callee", callee)] {
        let stream = &reply["tags"][tag]["medias"][0]["streams"][0];
        assert_eq!(stream["stats"]["packets"], sent, "{stream}");
        assert_eq!(stream["stats"]["bytes"], sent * size, "{stream}");
        assert_eq!(stream["stats"]["errors"], 0, "{stream}");
    }
}

#[test]
fn query_counts_every_packet_in_user_space() {
    query_counts_every_packet(Engine::Null);
}

#[test]
fn query_counts_every_packet_of_both_paths() {
    query_counts_every_packet(Engine::Tc);
}

#[test]
fn a_stream_that_leaves_the_kernel_says_so_at_once_and_comes_back() {
    let Some(stage) = Stage::with(Engine::Tc) else {
        return;
    };
    let call = stage.call_in_kernel();
    let Stage { ng, net, .. } = &stage;
    net.relay.ip("link set dev b down");
    wait_until("the stream towards the callee in user space", || {
        let streams = call.rtp_streams(ng);
        let towards_callee = &streams[0];
        towards_callee["kernel reason"].is_string()
    });
    assert!(!call.is_in_kernel(ng));
    net.relay.ip("link set dev b up");
    wait_until("both streams in the kernel again", || {
        call.send_both(1);
        call.is_in_kernel(ng)
    });
}
