//! `query`, `list`, and what is counted.

use ng_protocol::Value;

use super::world::*;
use crate::plan::SsrcView;

fn query(world: &mut World) -> Outcome {
    world.send(command("query").with("call-id", "c"))
}

const STREAM: [&str; 6] = ["tags", "a", "medias", "0", "streams", "0"];

fn stream(key: &str) -> Vec<&str> {
    STREAM.iter().copied().chain([key]).collect()
}

#[test]
fn an_unknown_call_is_an_error() {
    assert_eq!(query(&mut World::new()).reason(), "Unknown call-id");
}

#[test]
fn a_call_tells_its_times() {
    let mut world = World::new();
    world.call();
    let reply = query(&mut world);
    assert_eq!(reply.at(&["created"]), Some(Value::from(1_700_000_000)));
    assert_eq!(reply.at(&["created_us"]), Some(Value::from(250_000)));
    assert_eq!(reply.at(&["last signal"]), Some(Value::from(1_700_000_000)));
}

#[test]
fn a_stream_tells_its_addresses() {
    let mut world = World::new();
    let (_, to_a) = world.call();
    world.view(to_a).endpoint = at("192.0.2.66:6666");
    let reply = query(&mut world);
    let text = |key| reply.at(&stream(key)).unwrap();
    assert_eq!(text("local port"), Value::from(i64::from(to_a)));
    assert_eq!(text("local address"), Value::from(LOCAL));
    assert_eq!(text("family"), Value::from("IPv4"));
    let port = |key| reply.at(&[&stream(key)[..], &["port"]].concat());
    assert_eq!(port("endpoint"), Some(Value::from(6666)));
    assert_eq!(port("advertised endpoint"), Some(Value::from(4000)));
}

#[test]
fn an_unanswered_side_has_no_tag_and_no_endpoint() {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)));
    let reply = query(&mut world);
    assert_eq!(
        reply.at(&["tags", "<untagged 2>", "tag"]),
        Some(Value::from(""))
    );
    let path = [
        "tags",
        "<untagged 2>",
        "medias",
        "0",
        "streams",
        "0",
        "endpoint",
    ];
    assert_eq!(reply.at(&path).unwrap().as_dict().unwrap().len(), 0);
}

#[test]
fn the_last_packet_is_the_creation_while_there_is_none() {
    let mut world = World::new();
    let (_, to_a) = world.call();
    let last = |world: &mut World| query(world).at(&stream("last packet"));
    assert_eq!(last(&mut world), Some(Value::from(1_700_000_000)));
    world.pass(5);
    world.packet(to_a);
    assert_eq!(last(&mut world), Some(Value::from(1_700_000_005)));
}

#[test]
fn a_stream_is_kernelized_only_when_the_kernel_forwards_it() {
    let mut world = World::new();
    let (_, to_a) = world.call();
    let flag = |world: &mut World, flag: &str| {
        let flags = query(world).words(&stream("flags"));
        flags.iter().any(|known| known == flag)
    };
    assert!(flag(&mut world, "kernelized"));
    assert!(!flag(&mut world, "no kernel support"));
    world.view(to_a).kernel_reason = Some("not confirmed yet");
    assert!(!flag(&mut world, "kernelized"));
    assert!(flag(&mut world, "no kernel support"));
    let reason = query(&mut world).at(&stream("kernel reason"));
    assert_eq!(reason, Some(Value::from("not confirmed yet")));
}

#[test]
fn a_stream_that_media_does_not_serve_is_not_kernelized() {
    let mut world = World::new();
    world.call();
    world.streams.0.clear();
    let flags = query(&mut world).words(&stream("flags"));
    assert!(!flags.contains(&"kernelized".to_owned()));
}

#[test]
fn totals_add_user_space_and_kernel_of_all_streams() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    world.view(to_a).kernel_packets = 1000;
    world.packet(to_a);
    world.packet(to_b);
    world.packet(to_b + 1);
    let reply = query(&mut world);
    let packets = |kind| reply.at(&["totals", kind, "packets"]);
    assert_eq!(packets("RTP"), Some(Value::from(1002)));
    assert_eq!(packets("RTCP"), Some(Value::from(1)));
}

#[test]
fn sources_stand_in_their_media_and_in_the_call() {
    let mut world = World::new();
    let (_, to_a) = world.call();
    world.view(to_a).ssrcs.push(SsrcView {
        ssrc: 0x1234,
        packets: 7,
        ..SsrcView::default()
    });
    let reply = query(&mut world);
    let path = ["tags", "a", "medias", "0", "ingress SSRCs", "0", "SSRC"];
    assert_eq!(reply.at(&path), Some(Value::from(0x1234)));
    assert_eq!(reply.at(&["SSRC", "4660", "packets"]), Some(Value::from(7)));
}

/// A source heard at a port.
fn hear(world: &mut World, port: u16, ssrc: u32, packets: u64) {
    world.view(port).ssrcs.push(SsrcView {
        ssrc,
        packets,
        bytes: 172 * packets,
        ..SsrcView::default()
    });
}

#[test]
fn a_stream_tells_what_is_sent_to_its_peer_by_user_space_and_by_the_kernel() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    world.view(to_a).kernel_packets = 1000;
    world.view(to_a).kernel_bytes = 172_000;
    world.view(to_b).sent_packets = 5;
    world.view(to_b).sent_bytes = 860;
    world.view(to_b).send_errors = 1;
    let reply = query(&mut world);
    let out = |tag, stream, key| {
        reply.at(&[
            "tags",
            tag,
            "medias",
            "0",
            "streams",
            stream,
            "stats_out",
            key,
        ])
    };
    assert_eq!(out("b", "0", "packets"), Some(Value::from(1005)));
    assert_eq!(out("b", "0", "bytes"), Some(Value::from(172_860)));
    assert_eq!(out("b", "0", "errors"), Some(Value::from(1)));
    assert_eq!(out("b", "1", "packets"), None, "nothing was sent");
    assert_eq!(out("a", "0", "packets"), None);
}

#[test]
fn a_media_tells_the_sources_that_its_party_is_sent() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    hear(&mut world, to_a, 0x1234, 7);
    let egress = |world: &mut World, tag| {
        let list = query(world).at(&["tags", tag, "medias", "0", "egress SSRCs"]);
        list.map_or_else(Vec::new, |list| list.as_list().unwrap().to_vec())
    };
    assert!(egress(&mut world, "b").is_empty(), "nothing was sent yet");
    world.view(to_b).sent_packets = 7;
    let told = egress(&mut world, "b");
    let told = told[0].as_dict().unwrap();
    assert_eq!(told.get("SSRC"), Some(&Value::from(0x1234)));
    assert_eq!(told.get("packets"), Some(&Value::from(7)));
    assert!(egress(&mut world, "a").is_empty());
}

#[test]
fn an_echo_is_sent_under_another_name_and_nothing_else_is() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let echo = offer(&audio(A, 4000))
        .with("to-tag", "b")
        .with("media echo", "both");
    world.send(echo);
    hear(&mut world, to_a, 0x1234, 7);
    hear(&mut world, to_b, 0x5678, 7);
    world.view(to_a).sent_packets = 7;
    let reply = query(&mut world);
    let path = ["tags", "a", "medias", "0", "egress SSRCs", "0", "SSRC"];
    let echoed = i64::from(0x1234 ^ u32::from_be_bytes(*b"echo"));
    assert_eq!(reply.at(&path), Some(Value::from(echoed)));
    assert_eq!(
        reply.at(&["tags", "a", "medias", "0", "egress SSRCs", "1"]),
        None
    );
    assert!(
        reply
            .words(&["tags", "a", "medias", "0", "flags"])
            .contains(&"echo".to_owned())
    );
}

#[test]
fn there_is_no_redis_to_have_been_updated() {
    let mut world = World::new();
    world.call();
    assert_eq!(
        query(&mut world).at(&["last redis update"]),
        Some(Value::from(0))
    );
}

#[test]
fn jitter_and_loss_of_ended_calls_are_summed_up() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    world.view(to_a).ssrcs.push(SsrcView {
        ssrc: 1,
        lost: 4,
        jitter: 80,
        ..SsrcView::default()
    });
    hear(&mut world, to_b, 2, 7);
    world.view(to_b).sequence.reordered = 3;
    assert_eq!(world.calls.totals().packets_lost, 0);
    world.send(delete().with("delete-delay", 0));
    let totals = world.calls.totals();
    assert_eq!((totals.jitter_ms.count, totals.jitter_ms.sum), (1, 10));
    assert_eq!((totals.packets_lost, totals.sequence.reordered), (4, 3));
}

#[test]
fn parties_tell_whom_they_talk_to() {
    let mut world = World::new();
    world.call();
    let reply = query(&mut world);
    for edge in ["subscriptions", "subscribers"] {
        let at = |key| reply.at(&["tags", "a", edge, "0", key]);
        assert_eq!(at("tag"), Some(Value::from("b")));
        assert_eq!(at("type"), Some(Value::from("offer/answer")));
    }
}

#[test]
fn list_names_calls_up_to_its_limit() {
    let mut world = World::new();
    world.call();
    world.send(offer(&audio(A, 4000)).but("call-id", "d"));
    let list = |world: &mut World, limit: i64| world.send(command("list").with("limit", limit));
    assert_eq!(world.send(command("list")).words(&["calls"]), ["c", "d"]);
    assert_eq!(list(&mut world, 1).words(&["calls"]), ["c"]);
    assert_eq!(list(&mut world, -1).reason(), "invalid limit, must be >= 0");
}

#[test]
fn a_call_heard_on_one_side_only_is_counted_as_one_way() {
    let mut world = World::new();
    let (to_b, _) = world.call();
    world.packet(to_b);
    world.send(delete().with("delete-delay", 0));
    let totals = world.calls.totals();
    assert_eq!((totals.one_way, totals.zero_packet_streams), (1, 1));
}

#[test]
fn ping_is_answered() {
    assert_eq!(World::new().send(command("ping")).result(), "pong");
}

#[test]
fn a_media_that_has_moved_shows_the_ports_in_use() {
    let mut world = World::new();
    world.call();
    let moved = world.send(offer(&audio(A, 4002)).with("to-tag", "b"));
    let reply = query(&mut world);
    let streams = reply.at(&["tags", "b", "medias", "0", "streams"]).unwrap();
    assert_eq!(streams.as_list().unwrap().len(), 2);
    let port = reply.at(&["tags", "b", "medias", "0", "streams", "0", "local port"]);
    assert_eq!(port, Some(Value::from(i64::from(moved.port()))));
}

#[test]
fn labels_and_metadata_are_told_as_they_came() {
    let mut world = World::new();
    let labelled = offer(&audio(A, 4000))
        .with("label", "caller")
        .with("to-label", "callee")
        .with("metadata", "tenant 7");
    world.send(labelled);
    world.send(answer(&audio(B, 5000)));
    let query = world.send(command("query").with("call-id", "c"));
    let text = |path: &[&str]| {
        let value = query.at(path).expect("a value");
        value.as_str().expect("text").to_owned()
    };
    assert_eq!(text(&["tags", "a", "label"]), "caller");
    assert_eq!(text(&["tags", "b", "label"]), "callee");
    assert_eq!(text(&["metadata"]), "tenant 7");
}
