//! `publish`, `subscribe request`, `subscribe answer`, `unsubscribe`.

use ng_protocol::Value;

use super::world::*;
use crate::datapath::PayloadTypes;

/// Where subscribers listen.
const C: &str = "198.51.100.30";
const D: &str = "198.51.100.40";

fn publish(sdp: &str) -> Command {
    command("publish")
        .with("call-id", "c")
        .with("from-tag", "a")
        .with("sdp", sdp.to_owned())
}

fn request() -> Command {
    command("subscribe request").with("call-id", "c")
}

fn subscribe_answer(tag: &str, sdp: &str) -> Command {
    command("subscribe answer")
        .with("call-id", "c")
        .with("to-tag", tag.to_owned())
        .with("sdp", sdp.to_owned())
}

fn unsubscribe(tag: &str) -> Command {
    command("unsubscribe")
        .with("call-id", "c")
        .with("to-tag", tag.to_owned())
}

/// An SDP with one audio section and a direction.
fn directed(address: &str, port: u16, direction: &str) -> String {
    audio(address, port) + &format!("a={direction}\r\n")
}

fn sinks(world: &World, port: u16) -> Vec<u64> {
    let sinks = world.plan(port).sinks.iter();
    sinks.map(|sink| sink.stream.0).collect()
}

/// Somebody who hears party a: the tag, and the port it is sent to from.
fn listener(world: &mut World, address: &str) -> (String, u16) {
    let offered = world.send(request().with("from-tag", "a"));
    let tag = offered.text("to-tag").to_owned();
    let answered = world.send(subscribe_answer(&tag, &directed(address, 6000, "recvonly")));
    assert_eq!(answered.result(), "ok", "{}", answered.reason());
    (tag, offered.port())
}

#[test]
fn a_publisher_is_answered_with_one_codec_to_be_received() {
    let mut world = World::new();
    let reply = world.send(publish(&directed(A, 4000, "sendonly")));
    assert!(reply.has_line("a=recvonly"));
    assert!(reply.sdp().contains(" RTP/AVP 0\r\n"), "{}", reply.sdp());
    assert!(reply.sdp().contains("\r\ns=underpass\r\nt=0 0\r\n"));
    assert_eq!(reply.address(), ip(ADVERTISED));
    assert_eq!((reply.text("call-id"), reply.text("from-tag")), ("c", "a"));
    assert_eq!(world.pool.held.len(), 1);
    assert_eq!(world.plan(reply.port()).endpoint, at("198.51.100.10:4000"));
}

#[test]
fn a_publisher_may_leave_its_names_to_us() {
    let mut world = World::new();
    let sdp = directed(A, 4000, "sendonly");
    let reply = world.send(command("publish").with("sdp", sdp));
    assert_eq!(reply.text("call-id").len(), 64);
    assert_eq!(reply.text("from-tag").len(), 64);
    assert_ne!(reply.text("call-id"), reply.text("from-tag"));
}

#[test]
fn a_publisher_is_told_to_send_what_is_to_be_accepted() {
    let mut world = World::new();
    let accepting = |world: &mut World, codec: &'static str| {
        let reply = world.send(publish(&audio(A, 4000)).list("codec-accept", &[codec]));
        reply.session().medias[0].formats.join(" ")
    };
    assert_eq!(accepting(&mut world, "PCMA"), "8");
    assert_eq!(accepting(&mut world, "opus"), "0");
    let unknown = sdp_of(A, &["m=audio 4000 RTP/AVP 96 8", "a=rtpmap:96 foobar/8000"]);
    assert!(
        world
            .send(publish(&unknown))
            .sdp()
            .contains(" RTP/AVP 8\r\n")
    );
    let any = world.send(publish(&unknown).list("codec-accept", &["any"]));
    assert!(any.sdp().contains(" RTP/AVP 96\r\n"));
}

#[test]
fn publishing_again_counts_the_version_only_if_it_says_something_else() {
    let mut world = World::new();
    let origin = |world: &mut World, port| {
        let reply = world.send(publish(&audio(A, port)));
        let origin = reply.sdp().lines().nth(1).unwrap().to_owned();
        (reply.port(), origin)
    };
    let (port, first) = origin(&mut world, 4000);
    assert_eq!(origin(&mut world, 4000), (port, first.clone()));
    let video = sdp_of(A, &["m=video 4002 RTP/AVP 31"]);
    let other = world.send(publish(&video));
    assert_ne!(other.sdp().lines().nth(1), Some(first.as_str()));
}

#[test]
fn what_is_encrypted_cannot_be_published() {
    let mut world = World::new();
    let reply = world.send(publish(&sdp_of(A, &["m=audio 4000 RTP/SAVP 0"])));
    assert_eq!(reply.port(), 0);
    assert_eq!(world.pool.held.len(), 0);
}

#[test]
fn a_subscriber_is_offered_what_its_source_said() {
    let mut world = World::new();
    let sdp = sdp_of(
        A,
        &[
            "a=s-one",
            "m=audio 4000 RTP/AVP 0 8",
            "a=m-one",
            "a=sendrecv",
        ],
    );
    world.send(offer(&sdp));
    world.send(answer(&audio(B, 5000)));
    let reply = world.send(request().with("from-tag", "a"));
    for line in [
        "o=- 1 1 IN IP4 198.51.100.10",
        "a=s-one",
        "a=m-one",
        "a=sendonly",
    ] {
        assert!(reply.has_line(line), "{line}: {}", reply.sdp());
    }
    assert!(!reply.has_line("a=sendrecv"));
    assert_eq!(reply.address(), ip(ADVERTISED));
    assert_eq!(reply.text("from-tag"), "a");
    assert_eq!(reply.words(&["from-tags"]), ["a"]);
    assert_eq!(reply.text("to-tag").len(), 64);
    assert!(reply.at(&["tag-medias"]).is_none());
}

#[test]
fn a_subscriber_hears_its_source_once_it_has_answered() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let offered = world.send(request().with("from-tag", "a"));
    assert_eq!(sinks(&world, to_a), [u64::from(to_b)]);
    let sdp = directed(C, 6000, "recvonly");
    world.send(subscribe_answer(offered.text("to-tag"), &sdp));
    let heard = [u64::from(to_b), u64::from(offered.port())];
    assert_eq!(sinks(&world, to_a), heard);
    assert_eq!(
        world.plan(offered.port()).endpoint,
        at("198.51.100.30:6000")
    );
    assert_eq!(sinks(&world, offered.port()), [0; 0]);
    assert_eq!(sinks(&world, to_b), [u64::from(to_a)]);
}

#[test]
fn rtcp_goes_to_subscribers_and_comes_back_only_if_it_is_mirrored() {
    let reports = |flags: &[&'static str]| {
        let mut world = World::new();
        let (_, to_a) = world.call();
        let offered = world.send(request().with("from-tag", "a").list("flags", flags));
        let sdp = directed(C, 6000, "recvonly");
        world.send(subscribe_answer(offered.text("to-tag"), &sdp));
        let to = world.plan(to_a + 1).rtcp_sinks.len();
        let from: Vec<u64> = world
            .plan(offered.port() + 1)
            .rtcp_sinks
            .iter()
            .map(|id| id.0)
            .collect();
        (
            to,
            from == [u64::from(to_a) + 1],
            sinks(&world, offered.port()).len(),
        )
    };
    assert_eq!(reports(&[]), (2, false, 0));
    assert_eq!(reports(&["mirror RTCP"]), (2, true, 0));
}

#[test]
fn three_subscribers_hear_the_same_and_who_leaves_takes_only_its_own_ports() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let (_, first) = listener(&mut world, C);
    let (second_tag, second) = listener(&mut world, D);
    let (_, third) = listener(&mut world, "198.51.100.50");
    let all = [to_b, first, second, third].map(u64::from);
    assert_eq!(sinks(&world, to_a), all);
    assert_eq!(world.pool.held.len(), 5);
    assert_eq!(world.send(unsubscribe(&second_tag)).result(), "ok");
    assert_eq!(sinks(&world, to_a), [to_b, first, third].map(u64::from));
    assert_eq!(world.pool.held.len(), 4);
    // One stream's plan is another, and two are closed: nothing else is touched.
    assert_eq!(world.news.len(), 3);
}

#[test]
fn everybody_is_heard_in_one_body() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let reply = world.send(request().list("flags", &["all", "SIPREC"]));
    assert_eq!(reply.text("from-tag"), "");
    assert_eq!(reply.words(&["from-tags"]), ["a", "b"]);
    let session = reply.session();
    assert_eq!(session.medias.len(), 2);
    let labels: Vec<_> = session
        .medias
        .iter()
        .map(|media| media.attributes("label").next().unwrap())
        .collect();
    assert_eq!(labels, [b"0", b"1"]);
    let text = |path: &[&str]| reply.at(path).unwrap();
    assert_eq!(text(&["tag-medias", "1", "tag"]), Value::from("b"));
    assert_eq!(
        text(&["tag-medias", "1", "medias", "0", "label"]),
        Value::from("1")
    );
    assert_eq!(
        text(&["tag-medias", "1", "medias", "0", "index"]),
        Value::from(1)
    );
    assert_eq!(
        text(&["tag-medias", "1", "medias", "0", "type"]),
        Value::from("audio")
    );
    assert_eq!(
        text(&["tag-medias", "1", "medias", "0", "mode"]),
        Value::from("sendrecv")
    );
    assert_eq!(text(&["media-labels", "0", "tag"]), Value::from("a"));
    assert_eq!(text(&["media-labels", "0", "index"]), Value::from(1));

    let answer = sdp_of(
        C,
        &[
            "m=audio 6000 RTP/AVP 0 8 101",
            "a=recvonly",
            "m=audio 6002 RTP/AVP 0 8 101",
            "a=recvonly",
        ],
    );
    world.send(subscribe_answer(reply.text("to-tag"), &answer));
    let [of_a, of_b] = [0, 1].map(|index| u64::from(reply.port_of(index)));
    assert_eq!(sinks(&world, to_a), [u64::from(to_b), of_a]);
    assert_eq!(sinks(&world, to_b), [u64::from(to_a), of_b]);
}

#[test]
fn a_party_of_several_medias_is_named_once() {
    let mut world = World::new();
    let both = |address, port| {
        let audio = format!("m=audio {port} RTP/AVP 0");
        let video = format!("m=video {} RTP/AVP 96", port + 2);
        sdp_of(address, &[&audio, &video])
    };
    world.send(offer(&both(A, 4000)));
    world.send(answer(&both(B, 5000)));
    let reply = world.send(request().list("flags", &["all", "SIPREC"]));
    assert_eq!(reply.session().medias.len(), 4);
    assert_eq!(reply.words(&["from-tags"]), ["a", "b"]);
    let text = |path: &[&str]| reply.at(path).unwrap();
    for (party, tag, labels) in [("0", "a", ["0", "1"]), ("1", "b", ["2", "3"])] {
        assert_eq!(text(&["tag-medias", party, "tag"]), Value::from(tag));
        for (media, label) in ["0", "1"].into_iter().zip(labels) {
            let path = ["tag-medias", party, "medias", media, "label"];
            assert_eq!(text(&path), Value::from(label));
            assert_eq!(text(&["media-labels", label, "tag"]), Value::from(tag));
        }
    }
    assert!(reply.at(&["tag-medias", "2"]).is_none());
    assert_eq!(text(&["media-labels", "3", "type"]), Value::from("video"));
}

#[test]
fn sources_are_chosen_by_a_list_of_tags_by_label_or_by_address() {
    let from = |with: &dyn Fn(Command) -> Command| {
        let mut world = World::new();
        world.send(offer(&audio(A, 4000)).with("label", "caller"));
        world.send(answer(&audio(B, 5000)).with("label", "callee"));
        let reply = world.send(with(request()));
        reply.words(&["from-tags"]).join(" ")
    };
    assert_eq!(
        from(&|request| request.list("from-tags", &["b", "nobody", "a"])),
        "b a"
    );
    assert_eq!(
        from(&|request| request.list("flags", &["from-tags-b", "from-tags-a"])),
        "b a"
    );
    assert_eq!(from(&|request| request.with("label", "callee")), "b");
    assert_eq!(from(&|request| request.with("address", A)), "a");
}

#[test]
fn a_subscriber_is_named_and_labelled_as_asked() {
    let mut world = World::new();
    world.call();
    let reply = world.send(
        request()
            .with("from-tag", "a")
            .with("to-tag", "s")
            .with("set-label", "rec"),
    );
    assert_eq!(reply.text("to-tag"), "s");
    let query = world.send(command("query").with("call-id", "c"));
    assert_eq!(query.at(&["tags", "s", "label"]), Some(Value::from("rec")));
    assert_eq!(
        query.at(&["tags", "s", "subscriptions", "0", "type"]),
        Some(Value::from("pub/sub"))
    );
    let subscribers = query.at(&["tags", "a", "subscribers"]).unwrap();
    assert_eq!(subscribers.as_list().unwrap().len(), 2);
    assert_eq!(
        query.at(&["tags", "a", "subscribers", "1", "tag"]),
        Some(Value::from("s"))
    );
}

#[test]
fn a_proxy_that_sends_every_tag_has_to_say_that_it_means_this_one() {
    let tag = |flags: &'static str| {
        let mut world = World::new();
        world.call();
        let request = request()
            .with("from-tag", "a")
            .with("to-tag", "b")
            .with("rtpp-flags", flags);
        world.send(request).text("to-tag").to_owned()
    };
    assert_eq!(tag("").len(), 64);
    assert_eq!(tag("to-tag=s"), "s");
}

#[test]
fn subscribing_again_keeps_the_ports_and_changes_what_is_heard() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let (tag, port) = listener(&mut world, C);
    let again = world.send(request().with("from-tag", "b").with("to-tag", tag.clone()));
    assert_eq!(again.port(), port);
    assert_eq!(sinks(&world, to_a), [u64::from(to_b)]);
    world.send(subscribe_answer(&tag, &directed(C, 6000, "recvonly")));
    assert_eq!(sinks(&world, to_b), [to_a, port].map(u64::from));
}

#[test]
fn a_subscriber_pauses_by_its_answer_or_by_a_flag() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let (tag, port) = listener(&mut world, C);
    let again = |world: &mut World, flags: &[&'static str], direction: &str| {
        let request = request().with("from-tag", "a").with("to-tag", tag.clone());
        let offered = world.send(request.list("flags", flags));
        world.send(subscribe_answer(&tag, &directed(C, 6000, direction)));
        (offered.has_line("a=inactive"), sinks(world, to_a))
    };
    let (alone, both) = (
        vec![u64::from(to_b)],
        vec![u64::from(to_b), u64::from(port)],
    );
    assert_eq!(again(&mut world, &[], "inactive"), (false, alone.clone()));
    assert_eq!(again(&mut world, &[], "recvonly"), (false, both.clone()));
    assert_eq!(again(&mut world, &["inactive"], "inactive"), (true, alone));
    assert_eq!(again(&mut world, &[], "recvonly"), (false, both));
}

#[test]
fn codecs_that_a_subscriber_leaves_out_are_not_sent_if_it_may() {
    let mut world = World::new();
    let (_, to_a) = world.call();
    let offered = world.send(request().with("from-tag", "a"));
    let sdp = sdp_of(C, &["m=audio 6000 RTP/AVP 0"]);
    let refused = world.send(subscribe_answer(offered.text("to-tag"), &sdp));
    assert_eq!(refused.reason(), "Failed to process subscription answer");
    let allowed =
        subscribe_answer(offered.text("to-tag"), &sdp).list("flags", &["allow transcoding"]);
    assert_eq!(world.send(allowed).result(), "ok");
    let dropped = world.plan(to_a).sinks[1].treatment.dropped;
    assert_eq!(dropped, PayloadTypes(1 << 8 | 1 << 101));
}

#[test]
fn an_answer_of_nothing_that_was_offered_is_refused() {
    let mut world = World::new();
    world.call();
    let offered = world.send(request().with("from-tag", "a"));
    let sdp = sdp_of(C, &["m=audio 6000 RTP/AVP 9"]);
    let answer =
        subscribe_answer(offered.text("to-tag"), &sdp).list("flags", &["allow transcoding"]);
    assert_eq!(
        world.send(answer).reason(),
        "Failed to process subscription answer"
    );
}

#[test]
fn an_answer_with_more_sections_than_were_offered_is_refused() {
    let mut world = World::new();
    world.call();
    let offered = world.send(request().with("from-tag", "a"));
    let sdp = audio(C, 6000) + "m=video 6002 RTP/AVP 31\r\n";
    let reply = world.send(subscribe_answer(offered.text("to-tag"), &sdp));
    assert_eq!(reply.reason(), "Failed to process subscription answer");
}

#[test]
fn a_subscriber_that_refuses_has_no_ports() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let offered = world.send(request().with("from-tag", "a"));
    world.send(subscribe_answer(offered.text("to-tag"), &audio(C, 0)));
    assert_eq!(sinks(&world, to_a), [u64::from(to_b)]);
    assert_eq!(world.pool.held.len(), 2);
}

#[test]
fn what_is_published_is_heard_by_who_subscribes() {
    let mut world = World::new();
    let published = world.send(publish(&directed(A, 4000, "sendonly")));
    assert_eq!(sinks(&world, published.port()), [0; 0]);
    let offered = world.send(request().with("from-tag", "a"));
    assert!(offered.sdp().contains(" RTP/AVP 0\r\n"));
    let sdp = sdp_of(C, &["m=audio 6000 RTP/AVP 0", "a=recvonly"]);
    world.send(subscribe_answer(offered.text("to-tag"), &sdp));
    assert_eq!(sinks(&world, published.port()), [u64::from(offered.port())]);
}

#[test]
fn all_are_those_of_offers_and_answers() {
    let mut world = World::new();
    world.call();
    world.send(publish(&audio(C, 7000)).but("from-tag", "p"));
    let reply = world.send(request().with("all", "all"));
    assert_eq!(reply.words(&["from-tags"]), ["a", "b"]);
}

#[test]
fn a_single_flow_to_a_subscriber_is_blocked() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let (tag, port) = listener(&mut world, C);
    let block = command("block media")
        .with("call-id", "c")
        .with("from-tag", "a");
    world.send(block.clone().with("to-tag", tag));
    assert_eq!(sinks(&world, to_a), [u64::from(to_b)]);
    world.send(block.with("all", "offer-answer"));
    assert_eq!(sinks(&world, to_a), [0; 0]);
    let unblock = command("unblock media")
        .with("call-id", "c")
        .with("from-tag", "a");
    world.send(unblock.clone().with("all", "except-offer-answer"));
    assert_eq!(sinks(&world, to_a), [u64::from(port)]);
    world.send(unblock.with("all", "flows"));
    assert_eq!(sinks(&world, to_a), [to_b, port].map(u64::from));
}

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

#[test]
fn who_talks_cannot_be_made_a_subscriber() {
    let mut world = World::new();
    world.call();
    for tag in ["a", "b"] {
        let reply = world.send(request().with("from-tag", "a").with("to-tag", tag));
        assert_eq!(reply.reason(), "Failed to request subscription");
        assert_eq!(world.actions, []);
    }
}

#[test]
fn a_subscription_that_finds_no_ports_leaves_nothing_behind() {
    let mut world = World::new();
    world.call();
    world.pool.left = 0;
    let reply = world.send(request().with("from-tag", "a").with("to-tag", "s"));
    assert_eq!(reply.reason(), "Ran out of ports");
    let query = world.send(command("query").with("call-id", "c"));
    assert!(query.at(&["tags", "s"]).is_none());
}

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
