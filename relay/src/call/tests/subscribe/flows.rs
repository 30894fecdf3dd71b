//! What goes to subscribers, and what comes back.

use super::*;

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

/// Somebody who hears party a and is heard by it: the tag, and the port between us and it.
fn talker(world: &mut World, direction: &str) -> (String, u16) {
    let request = request().with("from-tag", "a");
    let offered = world.send(request.list("flags", &["bidirectional"]));
    assert!(offered.has_line("a=sendrecv"), "{}", offered.sdp());
    let tag = offered.text("to-tag").to_owned();
    world.send(subscribe_answer(&tag, &directed(C, 6000, direction)));
    (tag, offered.port())
}

#[test]
fn with_bidirectional_the_source_hears_its_subscriber() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let (tag, to_c) = talker(&mut world, "sendrecv");
    assert_eq!(sinks(&world, to_a), [to_b, to_c].map(u64::from));
    assert_eq!(sinks(&world, to_c), [u64::from(to_a)]);
    assert_eq!(sinks(&world, to_c + 1), [u64::from(to_a) + 1]);
    world.send(unsubscribe(&tag));
    assert_eq!(sinks(&world, to_a), [u64::from(to_b)]);
    assert_eq!(world.pool.held.len(), 2);
}

#[test]
fn a_subscriber_that_talks_keeps_the_call_alive() {
    let mut world = World::new();
    world.call();
    let (_, to_c) = talker(&mut world, "sendrecv");
    for _ in 0..4 {
        world.pass(30);
        world.packet(to_c);
    }
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn subscribing_again_without_it_the_subscriber_is_not_heard_any_more() {
    let mut world = World::new();
    let (_, to_a) = world.call();
    let (tag, to_c) = talker(&mut world, "sendrecv");
    world.send(request().with("from-tag", "a").with("to-tag", tag.clone()));
    world.send(subscribe_answer(&tag, &directed(C, 6000, "recvonly")));
    assert_eq!(sinks(&world, to_c), [0; 0]);
    assert_eq!(sinks(&world, to_a).len(), 2);
}

#[test]
fn of_two_sources_the_one_that_is_left_still_hears_its_subscriber() {
    let mut world = World::new();
    let (_, to_a) = world.call();
    let both = request()
        .with("all", "all")
        .list("flags", &["bidirectional"]);
    let offered = world.send(both);
    let sections = [
        "m=audio 6000 RTP/AVP 0 8 101",
        "m=audio 6002 RTP/AVP 0 8 101",
    ];
    let tag = offered.text("to-tag").to_owned();
    world.send(subscribe_answer(&tag, &sdp_of(C, &sections)));
    let [of_a, of_b] = [0, 1].map(|index| offered.port_of(index));
    let one = unsubscribe(&tag).with("from-tag", "b");
    world.send(one.list("flags", &["directional"]));
    assert_eq!(sinks(&world, of_a), [u64::from(to_a)]);
    assert_eq!(sinks(&world, of_b), [0; 0]);
}
