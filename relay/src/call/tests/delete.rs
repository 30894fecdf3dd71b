//! `delete`.

use super::world::*;

const WARNING: &str = "Call-ID not found or tags didn't match";

fn at_once() -> Command {
    delete().with("delete-delay", 0)
}

/// A call of `a` with `b` on branch z1 and `c` on branch z2.
fn forked() -> World {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)).with("via-branch", "z1"));
    world.send(offer(&audio(A, 4000)).with("via-branch", "z2"));
    world.send(answer_by("b", &audio(B, 5000)).with("via-branch", "z1"));
    world.send(answer_by("c", &audio(B, 5000)).with("via-branch", "z2"));
    world
}

#[test]
fn ports_stay_for_the_delete_delay() {
    let mut world = World::new();
    world.call();
    assert_eq!(world.send(delete().with("from-tag", "a")).result(), "ok");
    world.pass(29);
    assert_eq!(world.pool.held.len(), 2);
    world.pass(1);
    assert!(world.pool.held.is_empty());
    assert!(world.calls.is_empty());
    assert_eq!(world.calls.totals().deleted, 1);
}

#[test]
fn a_delay_of_zero_frees_ports_at_once() {
    let mut world = World::new();
    world.call();
    world.send(at_once());
    assert!(world.pool.held.is_empty());
    assert!(world.calls.is_empty());
}

#[test]
fn a_new_offer_revives_a_call_within_its_delay() {
    let mut world = World::new();
    let (to_b, _) = world.call();
    world.send(delete().with("from-tag", "a"));
    world.pass(10);
    assert_eq!(world.send(offer(&audio(A, 4000))).port(), to_b);
    world.packet(to_b);
    world.pass(40);
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn an_unknown_call_is_ok_with_a_warning() {
    let mut world = World::new();
    let reply = world.send(delete());
    assert_eq!((reply.result(), reply.text("warning")), ("ok", WARNING));
}

#[test]
fn an_unknown_call_is_an_error_with_the_fatal_flag() {
    let mut world = World::new();
    let reply = world.send(delete().list("flags", &["fatal"]));
    assert_eq!((reply.result(), reply.reason()), ("error", WARNING));
}

#[test]
fn an_unknown_tag_deletes_nothing() {
    let mut world = World::new();
    world.call();
    let reply = world.send(at_once().with("from-tag", "nobody"));
    assert_eq!(reply.text("warning"), WARNING);
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn the_tag_of_either_side_ends_a_call_of_two() {
    for tag in ["a", "b"] {
        let mut world = World::new();
        world.call();
        world.send(at_once().with("from-tag", tag));
        assert!(world.calls.is_empty(), "{tag}");
    }
}

#[test]
fn without_a_from_tag_the_whole_call_goes() {
    let mut world = forked();
    world.send(at_once());
    assert!(world.calls.is_empty());
}

#[test]
fn a_branch_goes_alone_while_another_one_is_there() {
    let mut world = forked();
    world.send(at_once().with("from-tag", "a").with("via-branch", "z1"));
    assert_eq!(world.pool.held.len(), 2);
    world.send(at_once().with("from-tag", "a").with("via-branch", "z2"));
    assert!(world.calls.is_empty());
}

#[test]
fn a_to_tag_counts_with_its_flag_only() {
    let with_to_tag = |flags: &[&'static str]| {
        let mut world = forked();
        let delete = at_once().with("from-tag", "a").with("to-tag", "b");
        world.send(delete.list("flags", flags));
        world.pool.held.len()
    };
    assert_eq!(with_to_tag(&[]), 0);
    assert_eq!(with_to_tag(&["to-tag"]), 2);
}

#[test]
fn an_unanswered_peer_goes_by_a_to_tag_nobody_has() {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)));
    let delete = at_once().with("from-tag", "a").with("to-tag", "late");
    world.send(delete.list("flags", &["to-tag"]));
    assert!(world.calls.is_empty());
}

#[test]
fn a_branch_deleted_with_a_delay_goes_alone_later() {
    let mut world = forked();
    world.send(delete().with("from-tag", "a").with("via-branch", "z1"));
    world.pass(30);
    assert_eq!(world.pool.held.len(), 2);
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn the_reply_describes_the_call_unless_fast() {
    let mut world = World::new();
    world.call();
    let fast = world.send(delete().list("flags", &["fast"]));
    assert!(fast.at(&["tags"]).is_none());
    let full = world.send(delete());
    assert!(full.at(&["tags", "a"]).is_some());
    assert!(full.at(&["totals", "RTP", "packets"]).is_some());
}

#[test]
fn a_branch_that_is_gone_is_not_heard_any_more() {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)).with("via-branch", "z1"));
    world.send(offer(&audio(A, 4000)).with("via-branch", "z2"));
    let sources = |world: &mut World| {
        let query = world.send(command("query").with("call-id", "c"));
        let edges = query.at(&["tags", "a", "subscriptions"]).unwrap();
        edges.as_list().unwrap().len()
    };
    assert_eq!(sources(&mut world), 2);
    world.send(at_once().with("from-tag", "a").with("via-branch", "z1"));
    assert_eq!(sources(&mut world), 1);
}

#[test]
fn an_offer_on_a_branch_that_waits_for_its_delete_keeps_it() {
    let mut world = forked();
    world.send(delete().with("from-tag", "a").with("via-branch", "z1"));
    world.send(offer(&audio(A, 4000)).with("via-branch", "z1"));
    world.pass(30);
    assert_eq!(world.pool.held.len(), 3);
}
