//! What a subscriber answers.

use super::*;
use crate::datapath::PayloadTypes;

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
