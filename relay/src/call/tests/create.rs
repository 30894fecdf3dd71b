//! `create`, `create answer`, `transform`.

use ng_protocol::{Dict, Value};

use super::world::*;
use crate::plan::EndpointLearning;

fn create() -> Command {
    command("create").with("call-id", "c").with("from-tag", "k")
}

fn create_answer(sdp: &str) -> Command {
    command("create answer")
        .with("call-id", "c")
        .with("from-tag", "k")
        .with("sdp", sdp.to_owned())
}

fn dict(entries: &[(&'static str, Value)]) -> Value {
    let mut dict = Dict::new();
    for (key, value) in entries {
        dict.insert(key, value.clone());
    }
    dict.into()
}

fn words(words: &[&'static str]) -> Value {
    words
        .iter()
        .map(|word| Value::from(*word))
        .collect::<Vec<_>>()
        .into()
}

#[test]
fn a_party_is_offered_sound() {
    let mut world = World::new();
    let reply = world.send(create());
    assert_eq!((reply.text("call-id"), reply.text("from-tag")), ("c", "k"));
    assert!(reply.sdp().contains("\r\ns=underpass\r\nt=0 0\r\nm=audio "));
    for line in ["a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=sendrecv"] {
        assert!(reply.has_line(line), "{line}: {}", reply.sdp());
    }
    assert_eq!(reply.address(), ip(ADVERTISED));
    assert_eq!(world.pool.held.len(), 1);
}

#[test]
fn names_may_be_left_to_us() {
    let reply = World::new().send(command("create"));
    assert_eq!(reply.text("call-id").len(), 64);
    assert_eq!(reply.text("from-tag").len(), 64);
}

#[test]
fn codecs_and_kinds_are_as_asked() {
    let formats = |command: Command| {
        let mut world = World::new();
        let session = world.send(command).session();
        let medias = session.medias.iter();
        let described =
            medias.map(|media| format!("{} {}", media.kind.as_str(), media.formats.join(" ")));
        described.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        formats(create().list("codec-offer", &["G722", "opus"])),
        "audio 9 96"
    );
    let audio = dict(&[
        ("type", "audio".into()),
        ("codecs", words(&["PCMA", "G722", "PCMU"])),
    ]);
    let video = dict(&[
        ("type", "video".into()),
        ("codecs", words(&["VP8/90000", "VP9/90000"])),
    ]);
    let both = create()
        .with("media", vec![audio, video])
        .list("codec-offer", &["opus"]);
    assert_eq!(formats(both), "audio 8 9 0, video 96 97");
    let bare = [
        dict(&[("type", "video".into())]),
        dict(&[("type", "audio".into())]),
    ];
    assert_eq!(
        formats(create().with("media", bare.to_vec())),
        "video 0, audio 0 8"
    );
}

#[test]
fn the_interface_and_the_family_are_as_asked() {
    let address = |command: Command| World::new().send(command).address();
    assert_eq!(address(create().with("interface", "int")), ip(INTERNAL));
    assert_eq!(address(create().with("address family", "IP6")), ip(LOCAL6));
}

#[test]
fn what_is_answered_is_where_it_is_sent_to() {
    let mut world = World::new();
    let port = world.send(create()).port();
    assert_eq!(world.plan(port).endpoint, None);
    assert_eq!(world.send(create_answer(&audio(B, 5000))).result(), "ok");
    assert_eq!(world.plan(port).endpoint, at("198.51.100.20:5000"));
    assert!(world.plan(port).public);
}

#[test]
fn asked_again_the_offer_is_on_the_same_ports() {
    let mut world = World::new();
    let port = world.send(create()).port();
    assert_eq!(world.send(create()).port(), port);
    assert_eq!(world.pool.held.len(), 1);
}

#[test]
fn a_party_of_a_call_is_offered_again_what_it_has() {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)));
    world.send(answer(&sdp_of(B, &["m=audio 5000 RTP/AVP 8"])));
    let again = world.send(create().but("from-tag", "b"));
    assert!(again.has_line("o=- 1 1 IN IP4 198.51.100.10"));
    assert!(again.sdp().contains(" RTP/AVP 8\r\n"), "{}", again.sdp());
    assert_eq!(world.actions, []);
    let moved = create_answer(&sdp_of(B, &["m=audio 5002 RTP/AVP 8"])).but("from-tag", "b");
    world.send(moved);
    assert_eq!(world.plan(again.port()).endpoint, at("198.51.100.20:5002"));
}

#[test]
fn keys_are_not_made() {
    let mut world = World::new();
    let reply = world.send(create().with("transport protocol", "RTP/SAVP"));
    assert_eq!(reply.reason(), "failed to set up call/monologue");
    assert!(world.calls.is_empty());
}

#[test]
fn answers_that_are_wrong() {
    let mut world = World::new();
    world.send(create());
    let reason = |world: &mut World, command: Command| world.send(command).reason().to_owned();
    let bare = command("create answer");
    assert_eq!(reason(&mut world, bare.clone()), "No SDP body in message");
    let bare = bare.with("sdp", audio(B, 5000));
    assert_eq!(reason(&mut world, bare.clone()), "No call-id in message");
    let bare = bare.with("call-id", "x");
    assert_eq!(reason(&mut world, bare.clone()), "No from-tag in message");
    let bare = bare.with("from-tag", "x");
    assert_eq!(reason(&mut world, bare.clone()), "unknown call-ID");
    assert_eq!(
        reason(&mut world, bare.clone().but("call-id", "c")),
        "from-tag not found"
    );
    assert_eq!(
        reason(&mut world, create_answer("nonsense")),
        "Failed to parse SDP"
    );
    let more = audio(B, 5000) + "m=video 6002 RTP/AVP 31\r\n";
    assert_eq!(
        reason(&mut world, create_answer(&more)),
        "failed to perform answer"
    );
}

fn codec(name: &'static str, number: i64) -> Value {
    dict(&[
        ("codec", name.into()),
        ("payload type", number.into()),
        ("clock rate", 8000.into()),
        ("channels", 1.into()),
    ])
}

fn transform(input: Value, output: Value) -> Command {
    let codec = dict(&[("input", input), ("output", output)]);
    let destination = dict(&[
        ("family", "IP4".into()),
        ("address", "198.51.100.14".into()),
        ("port", 6152.into()),
    ]);
    let media = dict(&[
        ("id", "m1".into()),
        ("type", "audio".into()),
        ("codec", vec![codec].into()),
        ("destination", destination),
    ]);
    command("transform").with("media", vec![media])
}

#[test]
fn what_is_not_to_be_converted_goes_on_to_its_destination() {
    let mut world = World::new();
    let reply = world.send(transform(codec("G722", 9), codec("G722", 9)));
    assert_eq!(reply.result(), "ok", "{}", reply.reason());
    let at_media = |key| reply.at(&["media", "0", key]).unwrap();
    assert_eq!(at_media("id"), Value::from("m1"));
    assert_eq!(at_media("family"), Value::from("IP4"));
    assert_eq!(at_media("address"), Value::from(ADVERTISED));
    let port = u16::try_from(at_media("port").as_integer().unwrap()).unwrap();
    let plan = world.plan(port);
    assert_eq!(plan.endpoint, at("198.51.100.14:6152"));
    assert_eq!(plan.sinks.len(), 1);
    assert_eq!(plan.sinks[0].stream.0, u64::from(port));
    assert!(plan.asymmetric && plan.learning == EndpointLearning::Immediate);
    let gone = command("delete").with("call-id", reply.text("call-id").to_owned());
    world.send(gone.with("delete-delay", 0));
    assert!(world.pool.held.is_empty());
}

#[test]
fn what_is_to_be_converted_is_refused() {
    let mut world = World::new();
    for (input, output) in [
        (codec("PCMA", 8), codec("PCMU", 0)),
        (codec("PCMA", 8), codec("PCMA", 97)),
    ] {
        let reply = world.send(transform(input, output));
        assert_eq!(reply.reason(), "Failed to set up transform");
    }
    assert_eq!(
        world.send(command("transform")).reason(),
        "Failed to set up transform"
    );
    assert!(world.calls.is_empty());
}

#[test]
fn what_was_transformed_here_is_not_transformed_again() {
    let mut world = World::new();
    let request = transform(codec("G722", 9), codec("G722", 9)).with("instance", "abcdef012345");
    assert_eq!(world.send(request).reason(), "Transform loop detected");
}
