//! Who becomes a subscriber.

use ng_protocol::Value;

use super::*;

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
