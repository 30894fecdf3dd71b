//! How subscriptions end.

use super::*;

#[test]
fn subscribers_go_with_the_last_one_they_hear() {
    let mut world = World::new();
    world.send(publish(&audio(A, 4000)));
    listener(&mut world, C);
    let gone = command("delete")
        .with("call-id", "c")
        .with("from-tag", "a")
        .with("delete-delay", 0);
    world.send(gone);
    assert!(world.calls.is_empty());
    assert!(world.pool.held.is_empty());
}

#[test]
fn a_subscriber_that_hangs_up_leaves_the_call_alone() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let (tag, _) = listener(&mut world, C);
    let gone = command("delete")
        .with("call-id", "c")
        .with("from-tag", tag)
        .with("delete-delay", 0);
    world.send(gone);
    assert_eq!(sinks(&world, to_a), [u64::from(to_b)]);
    assert_eq!(world.pool.held.len(), 2);
}

#[test]
fn a_call_that_nobody_speaks_in_ends_although_somebody_listens() {
    let mut world = World::new();
    world.call();
    listener(&mut world, C);
    world.pass(59);
    assert_eq!(world.calls.len(), 1);
    world.pass(2);
    assert!(world.calls.is_empty());
}

#[test]
fn unsubscribing_with_directional_ends_what_is_heard_of_one() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let reply = world.send(request().with("all", "all"));
    let answer = sdp_of(
        C,
        &[
            "m=audio 6000 RTP/AVP 0 8 101",
            "m=audio 6002 RTP/AVP 0 8 101",
        ],
    );
    world.send(subscribe_answer(reply.text("to-tag"), &answer));
    let one = unsubscribe(reply.text("to-tag")).with("from-tag", "a");
    world.send(one.list("flags", &["directional"]));
    assert_eq!(sinks(&world, to_a), [u64::from(to_b)]);
    assert_eq!(sinks(&world, to_b).len(), 2);
}
