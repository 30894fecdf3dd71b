//! Signalling about a confirmed stream.

use super::*;

fn confirmed_and_signalled_at(now_ms: u64) -> Learning {
    let mut learning = Learning::new(&heuristic(), 0);
    send(&mut learning, SAME_ADDRESS, 20);
    send(&mut learning, SAME_ADDRESS, 3020);
    learning.update(
        &StreamPlan {
            signalled: 2,
            ..heuristic()
        },
        now_ms,
    );
    learning
}

#[test]
fn signalling_that_says_nothing_new_leaves_the_source() {
    let mut learning = confirmed_and_signalled_at(10_000);
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
    send(&mut learning, SAME_ADDRESS, 10_020);
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
}

#[test]
fn a_peer_that_moved_with_signalling_is_learned_anew() {
    let mut learning = confirmed_and_signalled_at(10_000);
    send(&mut learning, ELSEWHERE, 10_020);
    assert_eq!(learning.source(), None, "contested");
    assert_eq!(
        learning.send_to(),
        Some(at(SAME_ADDRESS)),
        "the first packet decides nothing"
    );
    send(&mut learning, ELSEWHERE, 10_040);
    assert_eq!(learning.send_to(), Some(at(ELSEWHERE)));
    send(&mut learning, ELSEWHERE, 13_020);
    assert_eq!(learning.source(), Some(at(ELSEWHERE)));
}

#[test]
fn a_peer_that_was_silent_since_signalling_can_be_learned_anew_much_later() {
    let mut learning = confirmed_and_signalled_at(10_000);
    send(&mut learning, ELSEWHERE, 60_000);
    send(&mut learning, ELSEWHERE, 60_020);
    assert_eq!(learning.source(), Some(at(ELSEWHERE)));
}

#[test]
fn a_stranger_who_contests_a_live_source_loses_to_its_better_rank() {
    let mut learning = confirmed_and_signalled_at(10_000);
    send(&mut learning, STRANGER, 10_010);
    send(&mut learning, STRANGER, 10_015);
    send(&mut learning, SAME_ADDRESS, 10_020);
    for step in voice(STRANGER, 10_030, 14_000, false) {
        send(&mut learning, step.source, step.ms);
    }
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
}

#[test]
fn what_the_kernel_forwarded_since_signalling_counts_as_heard() {
    let mut learning = confirmed_and_signalled_at(10_000);
    let stranger = Arrival {
        source: at(STRANGER),
        stray_rtcp: false,
        now_ms: 20_000,
        kernel_ms: 19_990,
    };
    for _ in 0..3 {
        learning.packet(stranger);
    }
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
    assert_eq!(learning.send_to(), Some(at(SAME_ADDRESS)));
}

#[test]
fn signalling_that_says_nothing_new_unconfirms_in_no_mode() {
    for mode in [
        EndpointLearning::Off,
        EndpointLearning::Immediate,
        EndpointLearning::Delayed,
        EndpointLearning::Heuristic,
    ] {
        for flags in ["", "strict-source", "media-handover"] {
            let mut plan = rules(mode, flags);
            let mut learning = Learning::new(&plan, 0);
            send(&mut learning, ANNOUNCED, 20);
            send(&mut learning, ANNOUNCED, 3020);
            for now_ms in (4000..9000).step_by(500) {
                plan.signalled += 1;
                learning.update(&plan, now_ms);
                assert_eq!(learning.source(), Some(at(ANNOUNCED)), "{mode:?} {flags}");
                send(&mut learning, ANNOUNCED, now_ms + 10);
                assert_eq!(learning.source(), Some(at(ANNOUNCED)), "{mode:?} {flags}");
            }
        }
    }
}

/// Confirmed at an address behind NAT and signalled about at 10 s, with strict source.
fn strictly_kept() -> Learning {
    let mut plan = rules(EndpointLearning::Heuristic, "strict-source");
    let mut learning = Learning::new(&plan, 0);
    send(&mut learning, ELSEWHERE, 20);
    send(&mut learning, ELSEWHERE, 3020);
    plan.signalled += 1;
    learning.update(&plan, 10_000);
    learning
}

#[test]
fn with_strict_source_a_stranger_brings_packets_up_for_a_moment_and_gets_nothing() {
    let mut learning = strictly_kept();
    for now_ms in 10_001..10_020 {
        assert_eq!(send(&mut learning, STRANGER, now_ms), Verdict::Refuse);
        assert_eq!(learning.send_to(), Some(at(ELSEWHERE)));
        assert_eq!(
            learning.source(),
            None,
            "the kernel would hide the other one"
        );
    }
    assert_eq!(send(&mut learning, ELSEWHERE, 10_020), Verdict::Forward);
    assert_eq!(learning.source(), Some(at(ELSEWHERE)));
    for now_ms in (10_021..20_000).step_by(10) {
        assert_eq!(send(&mut learning, STRANGER, now_ms), Verdict::Refuse);
        assert_eq!(learning.source(), Some(at(ELSEWHERE)), "and only once");
    }
}

#[test]
fn with_strict_source_a_peer_that_moved_is_found_when_its_old_address_stays_silent() {
    let mut learning = strictly_kept();
    for step in voice(SAME_ADDRESS, 10_020, 10_530, false) {
        assert_eq!(send(&mut learning, step.source, step.ms), Verdict::Refuse);
    }
    for step in voice(SAME_ADDRESS, 10_540, 14_000, false) {
        assert_eq!(send(&mut learning, step.source, step.ms), Verdict::Forward);
    }
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
    assert_eq!(learning.send_to(), Some(at(SAME_ADDRESS)));
}

#[test]
fn with_strict_source_rtcp_is_waited_for_longer() {
    let mut plan = StreamPlan {
        component: Component::Rtcp,
        ..rules(EndpointLearning::Heuristic, "strict-source")
    };
    let mut learning = Learning::new(&plan, 0);
    send(&mut learning, ELSEWHERE, 20);
    send(&mut learning, ELSEWHERE, 5020);
    plan.signalled += 1;
    learning.update(&plan, 10_000);
    send(&mut learning, STRANGER, 10_010);
    assert_eq!(send(&mut learning, STRANGER, 14_000), Verdict::Refuse);
    assert_eq!(send(&mut learning, ELSEWHERE, 15_020), Verdict::Forward);
    assert_eq!(learning.source(), Some(at(ELSEWHERE)));
}

#[test]
fn strict_source_refuses_whoever_contests_a_kept_source() {
    let mut learning = confirmed_and_signalled_at(10_000);
    learning.update(
        &StreamPlan {
            signalled: 2,
            strict_source: true,
            ..heuristic()
        },
        10_000,
    );
    assert_eq!(send(&mut learning, STRANGER, 10_010), Verdict::Refuse);
}

#[test]
fn a_new_announced_endpoint_begins_anew() {
    let mut learning = confirmed_and_signalled_at(10_000);
    let moved = StreamPlan {
        signalled: 3,
        endpoint: Some(at(ELSEWHERE)),
        ..heuristic()
    };
    learning.update(&moved, 11_000);
    assert_eq!(learning.source(), None);
    assert_eq!(learning.send_to(), Some(at(ELSEWHERE)));
}

#[test]
fn announcing_the_source_that_was_learned_keeps_it() {
    let mut learning = confirmed_and_signalled_at(10_000);
    let same = StreamPlan {
        signalled: 3,
        endpoint: Some(at(SAME_ADDRESS)),
        ..heuristic()
    };
    learning.update(&same, 11_000);
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
    assert_eq!(learning.send_to(), Some(at(SAME_ADDRESS)));
}

#[test]
fn a_successor_sends_to_where_the_peer_was_learned_and_learns_its_source_anew() {
    let predecessor = confirmed_and_signalled_at(10_000);
    let mut learning = Learning::new(&heuristic(), 11_000);
    learning.succeed(&predecessor);
    assert_eq!(learning.send_to(), Some(at(SAME_ADDRESS)));
    assert_eq!(learning.source(), None);
    let answered = StreamPlan {
        signalled: 2,
        ..heuristic()
    };
    learning.update(&answered, 12_000);
    assert_eq!(learning.send_to(), Some(at(SAME_ADDRESS)));
    send(&mut learning, ELSEWHERE, 12_020);
    assert_eq!(learning.send_to(), Some(at(ELSEWHERE)));
}

#[test]
fn a_successor_of_another_announced_endpoint_begins_there() {
    let predecessor = confirmed_and_signalled_at(10_000);
    let moved = StreamPlan {
        endpoint: Some(at(ELSEWHERE)),
        ..heuristic()
    };
    let mut learning = Learning::new(&moved, 11_000);
    learning.succeed(&predecessor);
    assert_eq!(learning.send_to(), Some(at(ELSEWHERE)));
}

#[test]
fn a_successor_that_does_not_learn_keeps_to_sdp() {
    let predecessor = confirmed_and_signalled_at(10_000);
    let mut learning = Learning::new(&plan(EndpointLearning::Off), 11_000);
    learning.succeed(&predecessor);
    assert_eq!(learning.send_to(), Some(at(ANNOUNCED)));
}

#[test]
fn an_equal_plan_changes_nothing() {
    let mut learning = Learning::new(&heuristic(), 0);
    send(&mut learning, SAME_ADDRESS, 100);
    learning.update(&heuristic(), 2900);
    send(&mut learning, SAME_ADDRESS, 3001);
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
}

#[test]
fn a_reset_begins_anew_at_the_announced_endpoint() {
    let mut learning = confirmed_and_signalled_at(10_000);
    let reset = StreamPlan {
        signalled: 3,
        resets: 1,
        ..heuristic()
    };
    let mut on_other_ports = Learning::new(&reset, 11_000);
    on_other_ports.succeed(&learning);
    learning.update(&reset, 11_000);
    for learning in [&learning, &on_other_ports] {
        assert_eq!(learning.source(), None);
        assert_eq!(learning.send_to(), reset.endpoint);
    }
}
