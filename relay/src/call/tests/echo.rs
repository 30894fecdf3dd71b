//! `media echo` and `NAT-wait`: what an offer or answer says of where media go.

use super::world::*;
use crate::plan::{Sink, StreamId, Treatment};

/// Where RTP that arrives at a port goes, and RTCP.
fn outputs(world: &World, port: u16) -> (Vec<Sink>, usize) {
    let plan = world.plan(port);
    let rtcp = world.plan(port + 1);
    assert_eq!(rtcp.sinks.len(), rtcp.rtcp_sinks.len());
    (plan.sinks.clone(), plan.rtcp_sinks.len())
}

fn nothing() -> (Vec<Sink>, usize) {
    (Vec::new(), 0)
}

/// What arrives at a port goes back from it.
fn echo(port: u16) -> (Vec<Sink>, usize) {
    let sink = Sink {
        stream: StreamId(u64::from(port)),
        treatment: Treatment {
            echo: true,
            ..Treatment::default()
        },
    };
    (vec![sink], 0)
}

/// A call whose offer had the word: the ports towards b and towards a.
fn call_with(world: &mut World, word: &'static str) -> (u16, u16) {
    let offered = world.send(offer(&audio(A, 4000)).with("media echo", word));
    let answered = world.send(answer(&audio(B, 5000)));
    (offered.port(), answered.port())
}

#[test]
fn a_black_hole_swallows_what_either_side_sends() {
    for word in ["blackhole", "sinkhole"] {
        let mut world = World::new();
        let (to_b, to_a) = call_with(&mut world, word);
        assert_eq!(
            [to_b, to_a].map(|port| outputs(&world, port)),
            [nothing(), nothing()]
        );
    }
}

#[test]
fn forward_the_receiver_of_the_message_hears_itself_and_backward_the_sender() {
    let mut world = World::new();
    let (to_b, to_a) = call_with(&mut world, "forward");
    assert_eq!(outputs(&world, to_b), echo(to_b));
    assert_eq!(outputs(&world, to_a), nothing());
    let mut world = World::new();
    let (to_b, to_a) = call_with(&mut world, "backwards");
    assert_eq!(outputs(&world, to_b), nothing());
    assert_eq!(outputs(&world, to_a), echo(to_a));
}

#[test]
fn in_an_answer_the_sender_is_the_answerer() {
    let mut world = World::new();
    let to_b = world.send(offer(&audio(A, 4000))).port();
    let said = answer(&audio(B, 5000)).with("media echo", "backward");
    let to_a = world.send(said).port();
    assert_eq!(outputs(&world, to_b), echo(to_b));
    assert_eq!(outputs(&world, to_a), nothing());
}

#[test]
fn an_echo_stays_until_something_else_is_said() {
    let mut world = World::new();
    let (to_b, to_a) = call_with(&mut world, "both");
    let both = [echo(to_b), echo(to_a)];
    let found = |world: &World| [to_b, to_a].map(|port| outputs(world, port));
    assert_eq!(found(&world), both);
    let again = || offer(&audio(A, 4000)).with("to-tag", "b");
    world.send(again());
    world.send(answer(&audio(B, 5000)));
    assert_eq!(found(&world), both);
    world.send(again().with("media echo", "blackhole"));
    assert_eq!(found(&world), [nothing(), nothing()]);
}

#[test]
fn an_echo_survives_a_restart() {
    let mut world = World::new();
    world.calls.follow_changes();
    let (to_b, to_a) = call_with(&mut world, "forward");
    let key = world.calls.keys_after(None, 1)[0];
    let snapshot = world.calls.snapshot(key, &world.streams).unwrap();
    let snapshot = rmp_serde::from_slice(&rmp_serde::to_vec_named(&snapshot).unwrap()).unwrap();
    let mut again = World::new();
    let restored = again.calls.restore(snapshot, again.now, &mut again.pool);
    again.finish(restored.unwrap().actions);
    assert_eq!(outputs(&again, to_b), echo(to_b));
    assert_eq!(outputs(&again, to_a), nothing());
}

#[test]
fn what_is_blocked_is_not_echoed() {
    let mut world = World::new();
    let (to_b, _) = call_with(&mut world, "both");
    let block = command("block media").with("call-id", "c");
    world.send(block);
    assert_eq!(outputs(&world, to_b), nothing());
}

#[test]
fn who_is_to_be_waited_for_is_the_sender_of_the_message() {
    let mut world = World::new();
    let to_b = world
        .send(offer(&audio(A, 4000)).list("flags", &["NAT-wait"]))
        .port();
    let to_a = world.send(answer(&audio(B, 5000))).port();
    assert!(world.plan(to_a).nat_wait && world.plan(to_a + 1).nat_wait);
    assert!(!world.plan(to_b).nat_wait);
    world.send(offer(&audio(A, 4000)).with("to-tag", "b"));
    assert!(world.plan(to_a).nat_wait, "until it has sent something");
}
