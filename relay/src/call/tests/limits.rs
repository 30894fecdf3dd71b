//! Offers that fail leave nothing behind; limits.

use ng_protocol::{Dict, Value};

use super::world::*;
use crate::call::{Hundredths, Load, Settings};

fn refused(command: Command) -> String {
    let mut world = World::new();
    let reply = world.send(command);
    assert!(world.calls.is_empty());
    assert!(world.pool.held.is_empty());
    assert_eq!(world.actions, []);
    assert_eq!(world.calls.totals().created, 0);
    reply.reason().to_owned()
}

#[test]
fn what_is_missing_is_named() {
    let offer = || command("offer");
    assert_eq!(refused(offer()), "No SDP body in message");
    let offer = || command("offer").with("sdp", audio(A, 4000));
    assert_eq!(refused(offer()), "No call-id in message");
    let offer = offer().with("call-id", "c");
    assert_eq!(refused(offer), "No from-tag in message");
}

#[test]
fn an_answer_needs_a_to_tag() {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)));
    let reply = world.send(answer_by("", &audio(B, 5000)));
    assert_eq!(reply.reason(), "No to-tag in message");
}

#[test]
fn a_body_that_cannot_be_used_leaves_nothing() {
    assert_eq!(refused(offer("")), "Error rewriting SDP");
    assert_eq!(refused(offer(&sdp_of(A, &[]))), "Error rewriting SDP");
    assert_eq!(refused(offer("garbage")), "Failed to parse SDP");
    let without_address =
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    assert_eq!(
        refused(offer(without_address)),
        "Incomplete SDP specification"
    );
}

#[test]
fn a_body_that_grows_too_long_for_a_reply_leaves_nothing() {
    let long = format!("a={}", "x".repeat(63_900));
    let body = sdp_of(A, &["m=audio 4000 RTP/AVP 0", &long]);
    assert_eq!(refused(offer(&body)), "Error rewriting SDP");
}

#[test]
fn a_new_call_that_runs_out_of_ports_leaves_nothing() {
    let mut world = World::new();
    world.pool.left = 3;
    let lines = ["m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 99"];
    let reply = world.send(offer(&sdp_of(A, &lines)));
    assert_eq!(reply.reason(), "Ran out of ports");
    assert!(world.calls.is_empty());
    assert_eq!(world.pool.left, 3);
}

#[test]
fn a_call_that_runs_out_of_ports_later_lives_on_as_it_was() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    world.pool.left = 0;
    let lines = ["m=audio 4000 RTP/AVP 0 8 101", "m=video 4002 RTP/AVP 99"];
    let reply = world.send(offer(&sdp_of(A, &lines)).with("to-tag", "b"));
    assert_eq!(reply.reason(), "Ran out of ports");
    assert_eq!(world.actions, []);
    assert_eq!(world.plan(to_b).sinks[0].stream.0, u64::from(to_a));
}

#[test]
fn an_offer_that_fails_in_a_known_call_changes_nothing() {
    let mut world = World::new();
    world.call();
    world.send(offer("garbage").with("from-tag", "x"));
    world.send(offer(&audio(A, 4000)).with("to-tag", "a"));
    assert_eq!(world.actions, []);
    assert_eq!(world.pool.held.len(), 2);
}

#[test]
fn the_session_limit_holds_for_new_calls_only() {
    let mut world = World::with(Settings {
        max_sessions: Some(1),
        ..Settings::default()
    });
    world.call();
    let refused = world.send(offer(&audio(A, 4000)).but("call-id", "d"));
    assert_eq!(refused.reason(), "Parallel session limit reached");
    let known = world.send(offer(&audio(A, 4000)).with("to-tag", "b"));
    assert_eq!(known.result(), "ok");
    assert_eq!(world.calls.totals().rejected, 1);
}

#[test]
fn a_client_that_knows_load_limit_is_told_so() {
    let mut world = World::new();
    world.calls.settings_mut().max_sessions = Some(0);
    let reply = world.send(offer(&audio(A, 4000)).list("supports", &["load limit"]));
    assert_eq!(reply.result(), "load limit");
    assert_eq!(reply.text("message"), "Parallel session limit reached");
}

#[test]
fn what_nobody_knows_never_fails_an_offer() {
    let mut world = World::new();
    let odd = offer(&audio(A, 4000))
        .with("ICE", "bogus")
        .with("address family", "IP5")
        .with("transport protocol", "FOO")
        .with("no such key", 7)
        .list("flags", &["no-such-flag"])
        .list("replace", &["session-connection", "whatever"]);
    assert_eq!(world.send(odd).result(), "ok");
}

#[test]
fn commands_that_play_media_are_unsupported() {
    let mut world = World::new();
    for name in ["play media", "stop media", "play DTMF"] {
        let reply = world.send(command(name).with("call-id", "c"));
        assert_eq!(reply.reason(), "unsupported", "{name}");
    }
}

#[test]
fn a_limit_of_load_refuses_new_calls_while_it_is_reached() {
    let settings = |max_cpu, max_load, max_bandwidth| Settings {
        max_cpu: Hundredths(max_cpu),
        max_load: Hundredths(max_load),
        max_bandwidth,
        ..Settings::default()
    };
    let load = |cpu, load, bandwidth| Load {
        cpu: Hundredths(cpu),
        load: Hundredths(load),
        bandwidth,
    };
    for (settings, below, at, message) in [
        (
            settings(5_000, 0, 0),
            load(4_999, 9_999, 9_999),
            load(5_000, 0, 0),
            "CPU usage limit exceeded",
        ),
        (
            settings(0, 125, 0),
            load(9_999, 124, 9_999),
            load(0, 125, 0),
            "Load limit exceeded",
        ),
        (
            settings(0, 0, 1_000),
            load(9_999, 9_999, 999),
            load(0, 0, 1_000),
            "Bandwidth limit exceeded",
        ),
    ] {
        let mut world = World::with(settings);
        world.calls.set_load(below);
        assert_eq!(world.send(offer(&audio(A, 4000))).result(), "ok");
        world.calls.set_load(at);
        let again = world.send(offer(&audio(A, 4002)));
        assert_eq!(again.result(), "ok", "a known call is served on");
        let new = || offer(&audio(A, 4000)).but("call-id", "another");
        let reply = world.send(new());
        assert_eq!(reply.reason(), "Parallel session limit reached");
        let reply = world.send(new().list("supports", &["load limit"]));
        assert_eq!(reply.result(), "load limit");
        assert_eq!(reply.text("message"), message);
        assert_eq!(world.calls.totals().rejected, 2);
        world.calls.set_load(below);
        assert_eq!(world.send(new()).result(), "ok", "{message}");
    }
}

/// An SDP of so many sections without ports.
fn rejected(sections: usize) -> String {
    sdp_of(A, &vec!["m=audio 0 RTP/AVP 0"; sections])
}

fn publish(tag: usize, sdp: String) -> Command {
    command("publish")
        .with("call-id", "c")
        .with("from-tag", format!("p{tag}"))
        .with("sdp", sdp)
}

#[test]
fn a_call_has_a_thousand_media_at_most() {
    let mut world = World::new();
    let mut body = rejected(126);
    body += "m=audio 4000 RTP/AVP 0\r\n";
    for tag in 0..8 {
        assert_eq!(world.send(publish(tag, body.clone())).result(), "ok");
    }
    let held = world.pool.held.len();
    let reply = world.send(publish(8, body));
    assert_eq!(reply.reason(), "Too many media in one call");
    assert_eq!(world.actions, []);
    assert_eq!(world.pool.held.len(), held);
}

#[test]
fn a_call_has_eight_thousand_subscriptions_at_most() {
    let mut world = World::new();
    for tag in 0..100 {
        world.send(publish(tag, audio(A, 4000)));
    }
    let everybody: Vec<Value> = (0..100).map(|tag| format!("p{tag}").into()).collect();
    let hears_everybody = |world: &mut World, sources: std::ops::Range<usize>| {
        let flows = sources.map(|source| {
            let mut flows = Dict::new();
            flows.insert("from", format!("p{source}"));
            flows.insert("to", everybody.clone());
            Value::from(flows)
        });
        let mesh = command("mesh").with("call-id", "c");
        world.send(mesh.with("tags", flows.collect::<Vec<_>>()))
    };
    assert_eq!(hears_everybody(&mut world, 0..40).result(), "ok");
    assert_eq!(hears_everybody(&mut world, 40..80).result(), "ok");
    let reply = hears_everybody(&mut world, 80..100);
    assert_eq!(reply.reason(), "Too many subscriptions in one call");
    assert_eq!(world.actions, []);
}
