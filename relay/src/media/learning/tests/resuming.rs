//! A stream goes on after a restart from what was learned before it.

use super::*;

/// What a stream under `plan` had learned when it was confirmed at another port than announced.
fn learned(plan: &StreamPlan) -> Learned {
    let mut learning = Learning::new(plan, 0);
    send(&mut learning, SAME_ADDRESS, 0);
    send(&mut learning, SAME_ADDRESS, WINDOW_MS + 1);
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
    learning.learned()
}

fn resumed(plan: &StreamPlan, learned: &Learned) -> Learning {
    let mut learning = Learning::new(plan, 10_000);
    learning.resume(learned);
    learning
}

#[test]
fn a_confirmed_source_is_confirmed() {
    let plan = StreamPlan {
        strict_source: true,
        ..heuristic()
    };
    let mut learning = resumed(&plan, &learned(&plan));
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
    assert_eq!(learning.send_to(), Some(at(SAME_ADDRESS)));
    assert_eq!(send(&mut learning, STRANGER, 10_001), Verdict::Refuse);
}

#[test]
fn after_signalling_that_it_did_not_know_of_the_source_may_be_contested() {
    let before = learned(&heuristic());
    let plan = StreamPlan {
        signalled: 2,
        ..heuristic()
    };
    let mut learning = resumed(&plan, &before);
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
    send(&mut learning, ANNOUNCED, 10_001);
    send(&mut learning, ANNOUNCED, 10_002);
    assert_eq!(learning.source(), Some(at(ANNOUNCED)));
}

#[test]
fn what_was_learned_of_another_endpoint_is_forgotten() {
    let before = learned(&heuristic());
    let plan = StreamPlan {
        endpoint: Some(at(ELSEWHERE)),
        ..heuristic()
    };
    let learning = resumed(&plan, &before);
    assert_eq!(learning.source(), None);
    assert_eq!(learning.send_to(), Some(at(ELSEWHERE)));
}

#[test]
fn a_source_that_was_kept_is_kept() {
    let mut before = Learning::new(&heuristic(), 0);
    send(&mut before, ANNOUNCED, 0);
    let plan = StreamPlan {
        signalled: 2,
        ..heuristic()
    };
    before.update(&plan, 1);
    let mut learning = resumed(&plan, &before.learned());
    assert_eq!(learning.source(), Some(at(ANNOUNCED)));
    assert!(learning.learned().kept);
    send(&mut learning, ANNOUNCED, 10_001);
    assert!(!learning.learned().kept);
}
