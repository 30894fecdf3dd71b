//! What is refused, and how.

use super::*;

#[test]
fn no_sdp_body_in_message() {
    let mut world = World::new();
    world.call();
    let nothing = command("publish")
        .with("call-id", "c")
        .with("from-tag", "p");
    assert_eq!(world.send(nothing).reason(), "No SDP body in message");
    let nothing = command("subscribe answer")
        .with("call-id", "c")
        .with("to-tag", "s");
    assert_eq!(world.send(nothing).reason(), "No SDP body in message");
}

#[test]
fn no_call_id_in_message() {
    for name in ["subscribe request", "subscribe answer", "unsubscribe"] {
        let reply = World::new().send(command(name));
        assert_eq!(reply.reason(), "No call-id in message", "{name}");
    }
}

#[test]
fn unknown_call_id() {
    for (name, reason) in [
        ("subscribe request", "Unknown call-ID(s)"),
        ("subscribe answer", "Unknown call-ID"),
        ("unsubscribe", "Unknown call-ID"),
    ] {
        let reply = World::new().send(command(name).with("call-id", "x"));
        assert_eq!(reply.reason(), reason, "{name}");
    }
}

#[test]
fn no_to_tag_in_message() {
    for name in ["subscribe answer", "unsubscribe"] {
        let mut world = World::new();
        world.call();
        let reply = world.send(command(name).with("call-id", "c"));
        assert_eq!(reply.reason(), "No to-tag in message", "{name}");
    }
}

#[test]
fn to_tag_not_found() {
    let mut world = World::new();
    world.call();
    let reply = world.send(subscribe_answer("x", &audio(C, 6000)));
    assert_eq!(reply.reason(), "To-tag not found");
    assert_eq!(world.send(unsubscribe("x")).reason(), "To-tag not found");
}

#[test]
fn from_tag_not_found() {
    let mut world = World::new();
    world.call();
    let (tag, _) = listener(&mut world, C);
    let request = unsubscribe(&tag)
        .with("from-tag", "x")
        .list("flags", &["directional"]);
    assert_eq!(world.send(request).reason(), "From-tag not found");
}

#[test]
fn no_medias_found() {
    let mut world = World::new();
    world.call();
    let reply = world.send(request());
    assert_eq!(reply.reason(), "No medias found (no monologues matched)");
    let reply = world.send(request().list("from-tags", &["x"]));
    assert_eq!(reply.reason(), "No medias found (no monologues matched)");
}

#[test]
fn failed_to_create_sdp() {
    let mut world = World::new();
    let empty = world.send(publish(&sdp_of(A, &[])));
    assert_eq!(empty.reason(), "Failed to create SDP");
    // Nobody has said anything for the other side of an offer.
    world.send(offer(&audio(A, 4000)).with("to-tag", "b"));
    let reply = world.send(request().with("from-tag", "b"));
    assert_eq!(reply.reason(), "Failed to create SDP");
}

#[test]
fn failed_to_parse_sdp() {
    let mut world = World::new();
    assert_eq!(
        world.send(publish("nonsense")).reason(),
        "Failed to parse SDP"
    );
    assert!(world.calls.is_empty());
    world.call();
    let reply = world.send(subscribe_answer("x", "nonsense"));
    assert_eq!(reply.reason(), "Failed to parse SDP");
}
