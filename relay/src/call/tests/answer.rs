//! `answer`.

use super::world::*;

#[test]
fn an_answer_makes_both_sides_public() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    assert!(world.plan(to_a).public);
    assert!(world.plan(to_b).public);
}

#[test]
fn an_answer_is_counted_by_all_streams_of_both_sides() {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)));
    let offered: Vec<_> = world.plans.clone().into_iter().collect();
    world.send(answer(&audio(B, 5000)));
    for (stream, before) in offered {
        assert_eq!(world.plans[&stream].signalled, before.signalled + 1);
    }
}

#[test]
fn a_final_answer_like_the_provisional_one_says_nothing_new() {
    let mut world = World::new();
    let (_, to_a) = world.call();
    let again = world.send(answer(&audio(B, 5000)));
    assert_eq!(world.news, []);
    assert_eq!(again.port(), to_a);
}

#[test]
fn media_rejected_by_the_answer_gives_its_ports_back() {
    let mut world = World::new();
    let lines = ["m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 99"];
    world.send(offer(&sdp_of(A, &lines)));
    let lines = ["m=audio 5000 RTP/AVP 0", "m=video 0 RTP/AVP 99"];
    let answered = world.send(answer(&sdp_of(B, &lines)));
    assert_eq!(answered.port_of(1), 0);
    assert_eq!(world.pool.held.len(), 2);
}

#[test]
fn an_answer_that_has_fewer_medias_refuses_the_rest() {
    let mut world = World::new();
    let lines = ["m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 99"];
    world.send(offer(&sdp_of(A, &lines)));
    let answered = world.send(answer(&audio(B, 5000)));
    assert_eq!(answered.session().medias.len(), 2);
    assert_eq!(answered.port_of(1), 0);
    assert_eq!(world.pool.held.len(), 2);
}

#[test]
fn an_answer_to_an_unknown_call_is_an_error() {
    let mut world = World::new();
    assert_eq!(
        world.send(answer(&audio(B, 5000))).reason(),
        "Unknown call-id"
    );
}

#[test]
fn an_answer_by_an_offerer_nobody_knows_is_served() {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)));
    let answered = world.send(answer(&audio(B, 5000)).but("from-tag", "other"));
    assert_eq!(answered.result(), "ok");
}

#[test]
fn a_party_cannot_answer_itself() {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)));
    let answered = world.send(answer_by("a", &audio(B, 5000)));
    assert_eq!(answered.reason(), "Invalid dialogue association");
}

#[test]
fn a_fragment_of_trickle_ice_is_ok_without_a_body() {
    let mut world = World::new();
    world.call();
    let fragment = answer("a=ice-ufrag:abcd\r\na=candidate:1 1 UDP 1 192.0.2.1 1 typ host\r\n");
    let reply = world.send(fragment.list("flags", &["fragment"]));
    assert_eq!(reply.result(), "ok");
    assert_eq!(reply.text("sdp"), "");
}

#[test]
fn the_fragment_flag_on_a_whole_body_says_nothing() {
    let mut world = World::new();
    let offered = world.send(offer(&audio(A, 4000)).list("flags", &["fragment"]));
    assert_ne!(offered.port(), 4000);
}
