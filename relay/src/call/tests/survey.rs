//! All calls at a glance.

use super::world::*;

#[test]
fn calls_are_listed_in_the_order_they_began() {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)).but("call-id", "z"));
    world.pass(1);
    world.send(offer(&audio(A, 4000)).with("address family", "IP6"));
    world.send(delete());
    let list = world.calls.summaries();
    let ids: Vec<_> = list.iter().map(|call| call.call_id.as_ref()).collect();
    assert_eq!(ids, [&b"z"[..], b"c"]);
    assert!(list[0].ipv4 && !list[0].ipv6 && !list[0].deleted);
    assert!(list[1].ipv4 && list[1].ipv6 && list[1].deleted);
}

#[test]
fn medias_are_counted_by_where_both_ways_are_forwarded() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let count = |world: &World| {
        let forwarding = world.calls.forwarding(&world.streams);
        (forwarding.kernel, forwarding.mixed, forwarding.user_space)
    };
    assert_eq!(count(&world), (2, 0, 0));
    world.view(to_a).kernel_reason = Some("not confirmed yet");
    assert_eq!(count(&world), (0, 2, 0));
    world.view(to_b).kernel_reason = Some("not confirmed yet");
    assert_eq!(count(&world), (0, 0, 2));
    let reasons = world.calls.forwarding(&world.streams).reasons;
    assert_eq!(reasons["not confirmed yet"], 2);
}
