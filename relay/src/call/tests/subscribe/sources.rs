//! Whom a subscriber hears, and what it is told of them.

use ng_protocol::Value;

use super::*;

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
fn all_are_those_of_offers_and_answers() {
    let mut world = World::new();
    world.call();
    world.send(publish(&audio(C, 7000)).but("from-tag", "p"));
    let reply = world.send(request().with("all", "all"));
    assert_eq!(reply.words(&["from-tags"]), ["a", "b"]);
}
