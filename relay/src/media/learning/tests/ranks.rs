//! What a source must be to be learned, and what packets teach nothing.

use super::*;

// Before there is anything to learn.

#[test]
fn packets_pass_before_the_answer_and_teach_nothing() {
    let mut learning = Learning::new(
        &StreamPlan {
            public: false,
            strict_source: true,
            ..heuristic()
        },
        0,
    );
    assert_eq!(send(&mut learning, STRANGER, 9000), Verdict::Forward);
    assert_eq!(learning.source(), None);
    assert_eq!(learning.send_to(), Some(at(ANNOUNCED)));
}

#[test]
fn packets_pass_without_an_endpoint_and_teach_nothing() {
    let mut learning = Learning::new(
        &StreamPlan {
            endpoint: None,
            ..plan(EndpointLearning::Immediate)
        },
        0,
    );
    assert_eq!(send(&mut learning, STRANGER, 20), Verdict::Forward);
    assert_eq!(learning.send_to(), None);
    assert_eq!(learning.source(), None);
}

#[test]
fn with_learning_off_the_source_is_confirmed_before_any_packet() {
    let learning = Learning::new(&plan(EndpointLearning::Off), 0);
    assert_eq!(learning.source(), Some(at(ANNOUNCED)));
}

#[test]
fn with_learning_off_nothing_is_confirmed_before_the_answer() {
    let mut plan = StreamPlan {
        public: false,
        ..plan(EndpointLearning::Off)
    };
    let mut learning = Learning::new(&plan, 0);
    assert_eq!(learning.source(), None);
    plan.public = true;
    learning.update(&plan, 10);
    assert_eq!(learning.source(), Some(at(ANNOUNCED)));
}

// Ranks.

#[test]
fn a_better_rank_replaces_a_worse_one_and_never_the_other_way() {
    let mut learning = Learning::new(&heuristic(), 0);
    for (source, best) in [
        (ELSEWHERE, ELSEWHERE),
        (SAME_PORT, SAME_PORT),
        (ELSEWHERE, SAME_PORT),
        (SAME_ADDRESS, SAME_ADDRESS),
        (SAME_PORT, SAME_ADDRESS),
    ] {
        send(&mut learning, source, 100);
        assert_eq!(learning.send_to(), Some(at(best)), "after {source}");
        assert_eq!(learning.source(), None);
    }
    send(&mut learning, STRANGER, 3001);
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
}

#[test]
fn of_one_rank_the_latest_counts() {
    let mut learning = Learning::new(&heuristic(), 0);
    send(&mut learning, ELSEWHERE, 100);
    send(&mut learning, STRANGER, 120);
    assert_eq!(learning.send_to(), Some(at(STRANGER)));
}

#[test]
fn three_seconds_are_not_over_at_three_seconds() {
    let mut learning = Learning::new(&heuristic(), 0);
    send(&mut learning, ELSEWHERE, 3000);
    assert_eq!(learning.source(), None);
    send(&mut learning, ELSEWHERE, 3001);
    assert_eq!(learning.source(), Some(at(ELSEWHERE)));
}

#[test]
fn signalling_resets_the_ranks_and_the_window() {
    let mut learning = Learning::new(&heuristic(), 0);
    send(&mut learning, SAME_ADDRESS, 100);
    learning.update(
        &StreamPlan {
            signalled: 2,
            ..heuristic()
        },
        2000,
    );
    send(&mut learning, ELSEWHERE, 3500);
    assert_eq!(learning.source(), None, "the window began again");
    assert_eq!(learning.send_to(), Some(at(ELSEWHERE)));
}

#[test]
fn strict_source_refuses_a_worse_rank_while_learning() {
    let mut learning = Learning::new(&rules(EndpointLearning::Heuristic, "strict-source"), 0);
    assert_eq!(send(&mut learning, SAME_ADDRESS, 20), Verdict::Forward);
    assert_eq!(send(&mut learning, STRANGER, 30), Verdict::Refuse);
    assert_eq!(send_rtcp(&mut learning, STRANGER, 40), Verdict::Refuse);
}

// RTCP on an RTP port.

#[test]
fn stray_rtcp_is_forwarded_and_teaches_nothing() {
    for mode in [
        EndpointLearning::Immediate,
        EndpointLearning::Delayed,
        EndpointLearning::Heuristic,
    ] {
        let mut learning = Learning::new(&rules(mode, "media-handover"), 0);
        assert_eq!(
            send_rtcp(&mut learning, SAME_ADDRESS, 4000),
            Verdict::Forward
        );
        assert_eq!(learning.source(), None);
        assert_eq!(learning.send_to(), Some(at(ANNOUNCED)));
    }
}

#[test]
fn stray_rtcp_hands_nothing_over() {
    let mut learning = Learning::new(&rules(EndpointLearning::Immediate, "media-handover"), 0);
    send(&mut learning, ANNOUNCED, 20);
    send_rtcp(&mut learning, SAME_ADDRESS, 40);
    assert_eq!(learning.source(), Some(at(ANNOUNCED)));
}

// Asymmetric peers and handover.

#[test]
fn an_asymmetric_peer_is_sent_to_where_it_said() {
    let mut learning = Learning::new(
        &StreamPlan {
            asymmetric: true,
            ..plan(EndpointLearning::Immediate)
        },
        0,
    );
    send(&mut learning, ELSEWHERE, 20);
    assert_eq!(learning.source(), Some(at(ELSEWHERE)));
    assert_eq!(learning.send_to(), Some(at(ANNOUNCED)));
}

#[test]
fn handover_moves_the_stream_and_takes_the_confirmation_back() {
    let mut learning = Learning::new(&rules(EndpointLearning::Heuristic, "media-handover"), 0);
    send(&mut learning, ANNOUNCED, 20);
    send(&mut learning, SAME_ADDRESS, 5000);
    assert_eq!(learning.source(), None);
    assert_eq!(learning.send_to(), Some(at(SAME_ADDRESS)));
    send(&mut learning, SAME_ADDRESS, 5020);
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
}
