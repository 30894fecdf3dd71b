//! `connect`, `mesh`, `inject start`, `inject stop`; calls that become one.

use ng_protocol::{Dict, Value};

use super::world::*;
use crate::plan::Action;

/// Calls c (between a and b) and d (between x and y): the ports towards b, a, y and x.
fn two_calls(world: &mut World) -> [u16; 4] {
    let (to_b, to_a) = world.call();
    let other = |command: Command| command.but("call-id", "d").but("from-tag", "x");
    let to_y = world.send(other(offer(&audio(A, 7000)))).port();
    let to_x = world.send(other(answer_by("y", &audio(B, 8000)))).port();
    [to_b, to_a, to_y, to_x]
}

fn connect(from: &'static str, to: &'static str) -> Command {
    command("connect")
        .with("call-id", "c")
        .with("from-tag", from)
        .with("to-tag", to)
}

fn across(from: &'static str, to: &'static str) -> Command {
    connect(from, to).with("to-call-id", "d")
}

fn mesh(flows: &[(&'static str, &[&'static str])]) -> Command {
    let tags: Vec<Value> = flows
        .iter()
        .map(|(from, to)| {
            let mut dict = Dict::new();
            dict.insert("from", *from);
            dict.insert(
                "to",
                to.iter().map(|tag| Value::from(*tag)).collect::<Vec<_>>(),
            );
            dict.into()
        })
        .collect();
    command("mesh")
        .list("calls", &["c", "d"])
        .with("tags", tags)
}

fn sinks(world: &World, port: u16) -> Vec<u16> {
    let sinks = world.plan(port).sinks.iter();
    sinks
        .map(|sink| u16::try_from(sink.stream.0).unwrap())
        .collect()
}

fn list(world: &mut World) -> String {
    world.send(command("list")).words(&["calls"]).join(" ")
}

#[test]
fn connected_parties_talk_to_each_other_and_to_nobody_else() {
    let mut world = World::new();
    let [to_b, to_a, to_y, to_x] = two_calls(&mut world);
    assert_eq!(world.send(across("a", "y")).result(), "ok");
    assert_eq!(sinks(&world, to_a), [to_y]);
    assert_eq!(sinks(&world, to_y), [to_a]);
    assert_eq!(sinks(&world, to_b), [0; 0]);
    assert_eq!(sinks(&world, to_x), [0; 0]);
}

#[test]
fn with_directional_one_is_heard_in_addition() {
    let mut world = World::new();
    let [to_b, to_a, to_y, to_x] = two_calls(&mut world);
    world.send(across("a", "y").list("flags", &["directional"]));
    assert_eq!(sinks(&world, to_a), [to_b, to_y]);
    assert_eq!(sinks(&world, to_y), [to_x]);
    assert_eq!(sinks(&world, to_b), [to_a]);
    let end = command("unsubscribe")
        .with("call-id", "c")
        .with("from-tag", "a")
        .with("to-tag", "y");
    world.send(end.list("flags", &["directional"]));
    assert_eq!(sinks(&world, to_a), [to_b]);
    assert_eq!(sinks(&world, to_x), [to_y]);
}

#[test]
fn with_unsubscribe_who_is_connected_hears_nobody_else() {
    let mut world = World::new();
    let [to_b, to_a, to_y, to_x] = two_calls(&mut world);
    world.send(across("a", "y").list("flags", &["directional", "unsubscribe"]));
    assert_eq!(sinks(&world, to_a), [to_b, to_y]);
    assert_eq!(sinks(&world, to_x), [0; 0]);
}

#[test]
fn parties_of_one_call_are_connected() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let to_c = world
        .send(offer(&audio(A, 4000)).with("via-branch", "z"))
        .port();
    world.send(
        answer_by("c", &audio(B, 6000))
            .with("via-branch", "z")
            .list("flags", &["new-branch"]),
    );
    assert_eq!(world.send(connect("b", "c")).result(), "ok");
    assert_eq!(sinks(&world, to_b), [to_c]);
    assert_eq!(sinks(&world, to_c), [to_b]);
    assert_eq!(sinks(&world, to_a), [0; 0]);
}

#[test]
fn calls_that_became_one_are_known_by_both_call_ids() {
    let mut world = World::new();
    two_calls(&mut world);
    world.send(across("a", "y"));
    assert_eq!(world.calls.len(), 1);
    assert_eq!(list(&mut world), "c d");
    for id in ["c", "d"] {
        let query = world.send(command("query").with("call-id", id));
        let tags = query.at(&["tags"]).unwrap();
        assert_eq!(tags.as_dict().unwrap().len(), 4);
    }
}

#[test]
fn streams_of_the_other_call_are_moved_before_anything_is_said_about_them() {
    let mut world = World::new();
    let [_, _, to_y, to_x] = two_calls(&mut world);
    world.send(across("a", "y"));
    let Some(Action::Move { pairs, .. }) = world.actions.first() else {
        panic!("{:?}", world.actions);
    };
    let moved: Vec<u16> = pairs.iter().map(|pair| pair.rtp.address.port()).collect();
    assert_eq!(moved, [to_y, to_x]);
}

#[test]
fn a_call_id_that_is_deleted_takes_only_its_own_parties() {
    for (gone, stays) in [("c", "d"), ("d", "c")] {
        let mut world = World::new();
        let [to_b, to_a, to_y, to_x] = two_calls(&mut world);
        world.send(across("a", "y").list("flags", &["directional"]));
        world.send(
            command("delete")
                .with("call-id", gone)
                .with("delete-delay", 0),
        );
        assert_eq!(list(&mut world), stays);
        let (one, other) = if gone == "c" {
            (to_x, to_y)
        } else {
            (to_a, to_b)
        };
        assert_eq!(sinks(&world, one), [other]);
        assert_eq!(world.pool.held.len(), 2);
        let unknown = world.send(command("query").with("call-id", gone));
        assert_eq!(unknown.reason(), "Unknown call-id");
        world.send(
            command("delete")
                .with("call-id", stays)
                .with("delete-delay", 0),
        );
        assert!(world.calls.is_empty());
        assert_eq!(list(&mut world), "");
    }
}

#[test]
fn a_new_party_belongs_to_the_call_id_it_came_with() {
    let mut world = World::new();
    two_calls(&mut world);
    world.send(across("a", "y").list("flags", &["directional"]));
    let late = offer(&audio(A, 9000))
        .but("call-id", "d")
        .but("from-tag", "late");
    world.send(late);
    world.send(
        command("delete")
            .with("call-id", "d")
            .with("delete-delay", 0),
    );
    assert_eq!(world.pool.held.len(), 2);
}

#[test]
fn a_call_that_both_know_ends_under_either_name() {
    let mut world = World::new();
    two_calls(&mut world);
    world.send(across("a", "y"));
    let actions = world.calls.close(&"d".into(), world.now, &world.streams);
    world.finish(actions);
    assert!(world.calls.is_empty());
    assert_eq!(list(&mut world), "");
    assert!(world.pool.held.is_empty());
}

#[test]
fn everybody_hears_everybody_in_a_mesh() {
    let mut world = World::new();
    let [to_b, to_a, to_y, to_x] = two_calls(&mut world);
    let reply = world.send(mesh(&[
        ("a", &["b", "x", "y"]),
        ("b", &["a", "x", "y"]),
        ("x", &["a", "b", "y"]),
        ("y", &["a", "b", "x"]),
    ]));
    assert_eq!(reply.result(), "ok", "{}", reply.reason());
    let all = [to_b, to_a, to_y, to_x];
    for port in all {
        let mut others: Vec<u16> = all.into_iter().filter(|other| *other != port).collect();
        others.sort_unstable();
        let mut heard = sinks(&world, port);
        heard.sort_unstable();
        assert_eq!(heard, others);
    }
}

#[test]
fn who_hears_nobody_can_be_injected_into() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let created = world.send(command("create").with("call-id", "c").with("from-tag", "k"));
    let answer = command("create answer")
        .with("call-id", "c")
        .with("from-tag", "k");
    world.send(answer.with("sdp", audio(A, 9000)));
    let inject = |name| {
        command(name)
            .with("call-id", "c")
            .with("to-tag", "k")
            .with("source-tag", "a")
    };
    assert_eq!(
        world.send(inject("inject stop")).reason(),
        "Failed to stop inject"
    );
    assert_eq!(world.send(inject("inject start")).result(), "ok");
    assert_eq!(sinks(&world, to_a), [to_b, created.port()]);
    assert_eq!(world.send(inject("inject stop")).result(), "ok");
    assert_eq!(sinks(&world, to_a), [to_b]);
}

#[test]
fn what_would_have_to_be_mixed_is_unsupported() {
    let mut world = World::new();
    world.call();
    world.send(
        command("publish")
            .with("call-id", "c")
            .with("from-tag", "p")
            .with("sdp", audio(A, 9000)),
    );
    let inject = command("inject start")
        .with("call-id", "c")
        .with("to-tag", "a")
        .with("source-tag", "p");
    assert_eq!(world.send(inject).reason(), "unsupported");
}

#[test]
fn no_call_id_in_message() {
    for name in ["connect", "mesh", "inject start", "inject stop"] {
        assert_eq!(
            World::new().send(command(name)).reason(),
            "No call-id in message",
            "{name}"
        );
    }
}

#[test]
fn no_to_tag_in_message() {
    let mut world = World::new();
    world.call();
    let without = command("connect")
        .with("call-id", "c")
        .with("from-tag", "a");
    assert_eq!(world.send(without).reason(), "No to-tag in message");
    let without = command("inject start").with("call-id", "c");
    assert_eq!(world.send(without).reason(), "No to-tag in message");
}

#[test]
fn no_source_tag_in_message() {
    let mut world = World::new();
    world.call();
    let without = command("inject start")
        .with("call-id", "c")
        .with("to-tag", "a");
    assert_eq!(world.send(without).reason(), "No source-tag in message");
}

#[test]
fn unknown_call_ids() {
    let mut world = World::new();
    world.call();
    assert_eq!(world.send(across("a", "y")).reason(), "Unknown call ID(s)");
    assert_eq!(
        world.send(connect("a", "y").but("call-id", "x")).reason(),
        "Unknown call ID(s)"
    );
    assert_eq!(world.send(mesh(&[])).reason(), "Unknown call ID(s)");
    let inject = command("inject start")
        .with("call-id", "x")
        .with("to-tag", "a")
        .with("source-tag", "b");
    assert_eq!(world.send(inject).reason(), "Unknown call-ID(s)");
}

#[test]
fn tags_that_are_nobodys() {
    let mut world = World::new();
    world.call();
    assert_eq!(
        world.send(connect("x", "a")).reason(),
        "From-tag given, but no such tag exists"
    );
    let inject = |to, from| {
        command("inject start")
            .with("call-id", "c")
            .with("to-tag", to)
            .with("source-tag", from)
    };
    assert_eq!(world.send(inject("x", "a")).reason(), "To-tag not found");
    assert_eq!(
        world.send(inject("a", "x")).reason(),
        "Source-tag not found"
    );
    assert_eq!(
        world.send(inject("a", "a")).reason(),
        "Trying to inject to self"
    );
    assert_eq!(world.actions, []);
}

#[test]
fn calls_with_a_tag_in_common_stay_two() {
    let mut world = World::new();
    world.call();
    world.send(offer(&audio(A, 7000)).but("call-id", "d"));
    let reply = world.send(across("b", "a"));
    assert_eq!(
        reply.reason(),
        "Failed to merge two calls into one (tag collision)"
    );
    assert_eq!(world.actions, []);
    assert_eq!(world.calls.len(), 2);
}

#[test]
fn whoever_is_not_there_yet_is_made_and_hears_nobody() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    assert_eq!(world.send(connect("a", "x")).result(), "ok");
    let query = world.send(command("query").with("call-id", "c"));
    let medias = query.at(&["tags", "x", "medias"]).unwrap();
    assert_eq!(medias.as_list().unwrap().len(), 0);
    assert_eq!(sinks(&world, to_a), [to_b]);
    let offered = world.send(offer(&audio(B, 7000)).but("from-tag", "x"));
    assert_eq!(offered.result(), "ok");
}

#[test]
fn whoever_is_made_belongs_to_the_other_call() {
    let mut world = World::new();
    two_calls(&mut world);
    assert_eq!(world.send(across("a", "z")).result(), "ok");
    let gone = command("delete")
        .with("delete-delay", 0)
        .with("from-tag", "z");
    world.send(gone.with("call-id", "d"));
    let query = world.send(command("query").with("call-id", "c"));
    assert!(query.at(&["tags", "z"]).is_none());
    assert!(query.at(&["tags", "a"]).is_some());
}

#[test]
fn whoever_is_made_in_the_same_call_gives_it_no_other_name() {
    let mut world = World::new();
    world.call();
    let named_twice = connect("a", "x").with("to-call-id", "c");
    assert_eq!(world.send(named_twice).result(), "ok");
    let list = world.send(command("list"));
    assert_eq!(list.at(&["calls"]).unwrap().as_list().unwrap().len(), 1);
}

#[test]
fn bidirectional_wins_over_directional() {
    let mut world = World::new();
    let [_, to_a, to_y, _] = two_calls(&mut world);
    world.send(across("a", "y").list("flags", &["directional", "bidirectional"]));
    assert_eq!(sinks(&world, to_a), [to_y]);
    assert_eq!(sinks(&world, to_y), [to_a]);
}

#[test]
fn a_bidirectional_mesh_leads_both_ways() {
    let mut world = World::new();
    let [to_b, to_a, to_y, to_x] = two_calls(&mut world);
    world.send(mesh(&[("a", &["y"])]).list("flags", &["bidirectional"]));
    assert_eq!(sinks(&world, to_a), [to_b, to_y]);
    assert_eq!(sinks(&world, to_y), [to_a, to_x]);
}

#[test]
fn a_call_that_is_told_to_become_one_with_itself_has_one_call_id() {
    let mut world = World::new();
    world.call();
    let own = connect("a", "x").with("to-call-id", "c");
    assert_eq!(world.send(own).result(), "ok");
    assert_eq!(list(&mut world), "c");
    let gone = command("delete")
        .with("call-id", "c")
        .with("delete-delay", 0);
    world.send(gone.with("from-tag", "x"));
    assert_eq!(list(&mut world), "c");
}
