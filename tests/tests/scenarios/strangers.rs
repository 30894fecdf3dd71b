//! A third address sends to a stream's port, or the party itself moves. docs/endpoint-learning.md has the table of
//! outcomes; these are its cells as seen from the network.

use lab::{
    Call, CallOptions, Endpoint, Engine, Family, Lab, NgClient, Relay, Side, TwoNetworks, Wiring,
    sdp, wait_until,
};

const MODES: [&str; 4] = ["off", "immediate", "delayed", "heuristic"];

/// What became of a stranger's packets to the port of the caller's stream.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// The callee heard the stranger.
    heard: bool,
    /// The stranger was sent the callee's stream.
    stolen: bool,
}

const HARMLESS: Outcome = Outcome {
    heard: false,
    stolen: false,
};

struct Ground {
    net: TwoNetworks,
    _relay: Relay,
    ng: NgClient,
    call: Call,
    stranger: Endpoint,
}

fn ground(lab: &Lab, engine: Engine, mode: &str, flags: &[&str]) -> Ground {
    let net = TwoNetworks::build(lab, Wiring::Veth);
    let relay = Relay::under_test()
        .engine(engine)
        .option(&format!("--endpoint-learning={mode}"))
        .two_networks()
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let options = flags
        .iter()
        .fold(CallOptions::default(), |options, flag| options.flag(flag));
    let call = Call::set_up(&net, &ng, &options);
    let stranger = Endpoint::bind(&net.caller, Side::A.stranger(Family::V4));
    Ground {
        net,
        _relay: relay,
        ng,
        call,
        stranger,
    }
}

/// Whether `query` says of both parties' streams that their source is confirmed.
fn is_confirmed(call: &Call, ng: &NgClient) -> bool {
    let streams = call.rtp_streams(ng);
    let confirmed = |stream: &serde_json::Value| {
        stream["flags"]
            .as_array()
            .is_some_and(|flags| flags.iter().any(|flag| flag == "confirmed"))
    };
    streams.len() >= 2 && streams.iter().all(confirmed)
}

fn talk_until_confirmed(ground: &Ground) {
    wait_until("both sources confirmed", || {
        ground.call.talk(5);
        is_confirmed(&ground.call, &ground.ng)
    });
}

/// The stranger sends, then the callee: who hears whom?
fn stranger_sends(ground: &Ground) -> Outcome {
    let (call, stranger) = (&ground.call, &ground.stranger);
    stranger.send(call.caller_to, 20);
    // The port is one queue: once a packet sent after the stranger's has come through, the stranger's have been handled.
    let before = call.callee.count_from(&call.caller);
    call.caller.send(call.caller_to, 1);
    wait_until("the caller's packet", || {
        call.callee.count_from(&call.caller) > before
    });
    let stolen_before = stranger.count_from(&call.callee);
    let total = || call.caller.count_from(&call.callee) + stranger.count_from(&call.callee);
    let before = total();
    call.callee.send(call.callee_to, 20);
    wait_until("the callee's packets, wherever they go", || {
        total() >= before + 20
    });
    // Looked at last: the kernel's packets may overtake those that go through user space.
    Outcome {
        heard: call.callee.count_from(stranger) > 0,
        stolen: stranger.count_from(&call.callee) > stolen_before,
    }
}

fn after_learning(lab: &Lab, engine: Engine, mode: &str, flags: &[&str]) -> Outcome {
    let ground = ground(lab, engine, mode, flags);
    talk_until_confirmed(&ground);
    if engine != Engine::Null {
        ground.call.bring_into_kernel(&ground.ng);
    }
    stranger_sends(&ground)
}

#[test]
fn after_learning_a_stranger_is_heard_but_gets_nothing() {
    let Some(lab) = Lab::open() else { return };
    for mode in MODES {
        let outcome = after_learning(&lab, Engine::Null, mode, &[]);
        assert_eq!(
            outcome,
            Outcome {
                heard: true,
                stolen: false
            },
            "{mode}"
        );
    }
}

#[test]
fn after_learning_strict_source_shuts_a_stranger_out() {
    let Some(lab) = Lab::open() else { return };
    for mode in MODES {
        assert_eq!(
            after_learning(&lab, Engine::Null, mode, &["strict-source"]),
            HARMLESS,
            "{mode}"
        );
    }
}

#[test]
fn after_learning_strict_source_shuts_a_stranger_out_of_the_kernel_too() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    for mode in MODES {
        assert_eq!(
            after_learning(&lab, Engine::Tc, mode, &["strict-source"]),
            HARMLESS,
            "{mode}"
        );
    }
}

#[test]
fn after_learning_a_stranger_gets_nothing_from_the_kernel() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    for mode in MODES {
        assert!(
            !after_learning(&lab, Engine::Tc, mode, &[]).stolen,
            "{mode}"
        );
    }
}

#[test]
fn after_learning_strict_source_shuts_a_stranger_out_of_the_kernel() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    for mode in MODES {
        let outcome = after_learning(&lab, Engine::Tc, mode, &["strict-source"]);
        assert_eq!(outcome, HARMLESS, "{mode}");
    }
}

/// What rtpengine's users rely on, and why media-handover is for networks without strangers.
fn handover_gives_a_stranger_the_stream(engine: Engine, modes: &[&str]) {
    let lab = if engine == Engine::Null {
        Lab::for_underpass()
    } else {
        Lab::for_kernel_path()
    };
    let Some(lab) = lab else { return };
    for mode in modes {
        let ground = ground(&lab, engine, mode, &["media-handover"]);
        talk_until_confirmed(&ground);
        if engine != Engine::Null {
            ground.call.bring_into_kernel(&ground.ng);
        }
        // The stranger alone: a packet of the caller would take the stream back.
        let (call, stranger) = (&ground.call, &ground.stranger);
        wait_until("the stream at the stranger", || {
            stranger.send(call.caller_to, 2);
            call.callee.send(call.callee_to, 2);
            stranger.count_from(&call.callee) > 0
        });
        wait_until("the stranger at the callee", || {
            call.callee.count_from(stranger) > 0
        });
    }
}

#[test]
fn after_learning_media_handover_gives_a_stranger_the_stream() {
    handover_gives_a_stranger_the_stream(Engine::Null, &MODES);
}

#[test]
fn after_learning_media_handover_gives_a_stranger_the_stream_out_of_the_kernel() {
    handover_gives_a_stranger_the_stream(Engine::Tc, &MODES);
}

/// A stranger is there before the caller, and goes on; strict-source and media-handover together.
#[test]
fn the_caller_has_its_stream_once_it_speaks_after_a_stranger_wherever_learning_goes_on() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    for mode in ["delayed", "heuristic"] {
        for flags in [
            &[][..],
            &["strict-source"],
            &["media-handover"],
            &["strict-source", "media-handover"],
        ] {
            let ground = ground(&lab, Engine::Auto, mode, flags);
            let call = &ground.call;
            ground.stranger.send(call.caller_to, 5);
            wait_until("the callee's stream at the caller", || {
                call.send_both(1);
                call.caller.count_from(&call.callee) > 0
            });
            let all_arrive = || {
                wait_until("all of the callee's stream", || {
                    let arrived = call.caller.count_from(&call.callee);
                    arrived + ground.stranger.count_from(&call.callee) == call.callee.sent()
                });
            };
            all_arrive();
            let stolen = ground.stranger.count_from(&call.callee);
            call.callee.send(call.callee_to, 10);
            all_arrive();
            assert_eq!(
                ground.stranger.count_from(&call.callee),
                stolen,
                "{mode} {flags:?}"
            );
        }
    }
}

/// Whoever is first has the stream: the documentation warns of it.
#[test]
fn in_immediate_mode_the_first_to_send_has_the_stream() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    for flags in [&[][..], &["strict-source"]] {
        let ground = ground(&lab, Engine::Null, "immediate", flags);
        let outcome = stranger_is_first(&ground);
        assert!(outcome.stolen, "{flags:?}");
    }
}

fn stranger_is_first(ground: &Ground) -> Outcome {
    let (call, stranger) = (&ground.call, &ground.stranger);
    stranger.send(call.caller_to, 5);
    wait_until("the stranger at the callee", || {
        call.callee.count_from(stranger) == 5
    });
    call.caller.send(call.caller_to, 5);
    call.callee.send(call.callee_to, 20);
    wait_until("the callee's stream, wherever it goes", || {
        call.caller.count_from(&call.callee) + stranger.count_from(&call.callee) == 20
    });
    Outcome {
        heard: true,
        stolen: stranger.count_from(&call.callee) == 20,
    }
}

#[test]
fn during_heuristic_learning_the_source_of_the_sdp_wins_over_an_earlier_stranger() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    for flags in [&[][..], &["strict-source"]] {
        let ground = ground(&lab, Engine::Null, "heuristic", flags);
        ground.stranger.send(ground.call.caller_to, 10);
        ground.call.caller.send(ground.call.caller_to, 1);
        wait_until("the caller's packet", || {
            ground.call.callee.count_from(&ground.call.caller) == 1
        });
        let heard = ground.call.callee.count_from(&ground.stranger);
        assert!(!stranger_sends(&ground).stolen, "{flags:?}");
        let strict = !flags.is_empty();
        let heard_after = ground.call.callee.count_from(&ground.stranger) > heard;
        assert_eq!(heard_after, !strict, "{flags:?}");
    }
}

#[test]
fn with_learning_off_a_stranger_that_comes_first_gets_nothing() {
    let Some(lab) = Lab::open() else { return };
    for flags in [&[][..], &["strict-source"]] {
        let ground = ground(&lab, Engine::Null, "off", flags);
        assert!(!stranger_sends(&ground).stolen, "{flags:?}");
    }
}

/// The caller's address in the SDP is one it does not send from, as behind a NAT.
fn caller_with_a_wrong_address(lab: &Lab, mode: &str, flags: &[&str]) -> Ground {
    let mut ground = ground(lab, Engine::Null, mode, flags);
    let options = flags
        .iter()
        .fold(CallOptions::default(), |options, flag| options.flag(flag));
    let caller = Endpoint::bind(&ground.net.caller, Side::A.far(Family::V4));
    let callee = Endpoint::bind(&ground.net.callee, Side::B.far(Family::V4));
    let (offer, answer) = (
        sdp::audio("192.168.77.7:4000".parse().unwrap()),
        sdp::audio(callee.address()),
    );
    ground.call = Call::set_up_with(&ground.ng, &options, (caller, &offer), (callee, &answer));
    ground
}

#[test]
fn a_caller_whose_sdp_address_is_wrong_is_found_by_what_it_sends() {
    let Some(lab) = Lab::open() else { return };
    let modes = if lab::relay::kind_under_test() == lab::relay::Kind::Rtpengine {
        &["immediate", "delayed"][..]
    } else {
        &MODES[1..]
    };
    for mode in modes {
        for flags in [&[][..], &["strict-source"]] {
            let ground = caller_with_a_wrong_address(&lab, mode, flags);
            let call = &ground.call;
            wait_until("the callee's stream at the caller", || {
                call.send_both(2);
                call.caller.count_from(&call.callee) > 0
            });
        }
    }
}

#[test]
fn with_learning_off_the_sdp_is_believed() {
    let Some(lab) = Lab::open() else { return };
    let ground = caller_with_a_wrong_address(&lab, "off", &[]);
    let call = &ground.call;
    call.send_both(20);
    wait_until("the caller's stream at the callee", || {
        call.callee.count_from(&call.caller) == 20
    });
    assert_eq!(call.caller.count_from(&call.callee), 0);
}

/// The caller goes on from another port, as after a NAT has forgotten its binding.
fn rebind(ground: &Ground, engine: Engine) -> Endpoint {
    talk_until_confirmed(ground);
    if engine != Engine::Null {
        ground.call.bring_into_kernel(&ground.ng);
    }
    Endpoint::bind(&ground.net.caller, Side::A.far(Family::V4))
}

/// Each mode that learns.
fn follows_a_caller_to_its_new_port(lab: &Lab, engine: Engine) {
    for mode in &MODES[1..] {
        let ground = ground(lab, engine, mode, &["media-handover"]);
        let call = &ground.call;
        let moved = rebind(&ground, engine);
        wait_until("the callee's stream at the new port", || {
            moved.send(call.caller_to, 2);
            call.callee.send(call.callee_to, 2);
            moved.count_from(&call.callee) > 0
        });
        wait_until("the caller's new port at the callee", || {
            call.callee.count_from(&moved) > 0
        });
        if engine != Engine::Null {
            wait_until("both streams in the kernel again", || {
                moved.send(call.caller_to, 2);
                call.callee.send(call.callee_to, 2);
                call.is_in_kernel(&ground.ng)
            });
        }
    }
}

#[test]
fn media_handover_follows_a_caller_to_its_new_port() {
    let Some(lab) = Lab::open() else { return };
    follows_a_caller_to_its_new_port(&lab, Engine::Null);
}

#[test]
fn media_handover_follows_a_caller_to_its_new_port_out_of_the_kernel_and_back() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    follows_a_caller_to_its_new_port(&lab, Engine::Tc);
}

/// The packets from the new port pass (or, with strict-source, do not), and the stream stays where it is.
fn stays_at_the_old_port(lab: &Lab, engine: Engine, strict: bool) {
    let flags = if strict { &["strict-source"][..] } else { &[] };
    for mode in MODES {
        let ground = ground(lab, engine, mode, flags);
        let call = &ground.call;
        let moved = rebind(&ground, engine);
        moved.send(call.caller_to, 20);
        if !strict {
            wait_until("the packets from the new port", || {
                call.callee.count_from(&moved) == 20
            });
        }
        let before = call.caller.count_from(&call.callee);
        call.callee.send(call.callee_to, 20);
        wait_until("the callee's stream", || {
            call.caller.count_from(&call.callee) == before + 20
        });
        assert_eq!(moved.count_from(&call.callee), 0, "{mode}");
        if strict {
            assert_eq!(call.callee.count_from(&moved), 0, "{mode}");
        }
    }
}

#[test]
fn without_media_handover_the_stream_stays_at_the_old_port() {
    let Some(lab) = Lab::open() else { return };
    stays_at_the_old_port(&lab, Engine::Null, false);
}

#[test]
fn without_media_handover_the_stream_stays_at_the_old_port_in_the_kernel() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    stays_at_the_old_port(&lab, Engine::Tc, false);
    stays_at_the_old_port(&lab, Engine::Tc, true);
}
