//! Offers in a call that is up: what stays, what moves, hold.

use super::world::*;
use crate::plan::{Action, StreamId};

/// The port that what arrives at another one leaves from.
fn sent_from(world: &World, arrival: u16) -> u16 {
    u16::try_from(world.plan(arrival).sinks[0].stream.0).unwrap()
}

#[test]
fn a_reinvite_that_says_nothing_new_is_counted_and_changes_nothing() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let before = world.plans.clone();
    let again = world.send(offer(&audio(A, 4000)).with("to-tag", "b"));
    assert_eq!(world.news, []);
    assert_eq!(again.port(), to_b);
    let again = world.send(answer(&audio(B, 5000)));
    assert_eq!(world.news, []);
    assert_eq!(again.port(), to_a);
    for (stream, plan) in before {
        assert_eq!(world.plans[&stream].signalled, plan.signalled + 2);
    }
}

#[test]
fn a_reinvite_by_the_callee_says_nothing_new_either() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let offer = world.send(
        offer(&audio(B, 5000))
            .but("from-tag", "b")
            .with("to-tag", "a"),
    );
    assert_eq!(offer.port(), to_a);
    let answer = world.send(
        answer(&audio(A, 4000))
            .but("from-tag", "b")
            .but("to-tag", "a"),
    );
    assert_eq!(answer.port(), to_b);
    assert_eq!(world.news, []);
}

#[test]
fn a_moved_endpoint_gets_new_ports_towards_the_other_side() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let moved = world.send(offer(&audio(A, 4002)).with("to-tag", "b"));
    assert_ne!(moved.port(), to_b);
    let answer = world.send(answer(&audio(B, 5000)));
    assert_eq!(answer.port(), to_a);
    assert_eq!(world.plan(to_a).endpoint, at("198.51.100.10:4002"));
    assert_eq!(sent_from(&world, to_a), moved.port());
}

#[test]
fn new_ports_set_out_from_what_the_ones_before_have_learned() {
    let mut world = World::new();
    let (to_b, _) = world.call();
    let moved = world.send(offer(&audio(A, 4002)).with("to-tag", "b"));
    let id = |port: u16| StreamId(u64::from(port));
    for component in [0, 1] {
        let opened = world.actions.iter().find_map(|action| match action {
            Action::Open {
                port, predecessor, ..
            } if port.id == id(moved.port() + component) => Some(*predecessor),
            _ => None,
        });
        assert_eq!(opened, Some(Some(id(to_b + component))));
    }
}

#[test]
fn the_first_ports_set_out_from_nothing() {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)));
    for action in &world.actions {
        let Action::Open { predecessor, .. } = action else {
            panic!("{action:?}");
        };
        assert_eq!(*predecessor, None);
    }
}

#[test]
fn until_it_is_answered_packets_leave_from_the_ports_before() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    for step in 1..10 {
        world.send(offer(&audio(A, 4000 + 2 * step)).with("to-tag", "b"));
        assert_eq!(sent_from(&world, to_a), to_b);
    }
}

#[test]
fn earlier_ports_go_on_forwarding_what_is_still_sent_to_them() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    world.send(offer(&audio(A, 4002)).with("to-tag", "b"));
    assert_eq!(world.plan(to_b).sinks[0].stream.0, u64::from(to_a));
}

#[test]
fn an_endpoint_that_moves_back_gets_its_ports_back() {
    let mut world = World::new();
    let (to_b, _) = world.call();
    world.send(offer(&audio(A, 4002)).with("to-tag", "b"));
    let back = world.send(offer(&audio(A, 4000)).with("to-tag", "b"));
    assert_eq!(back.port(), to_b);
}

#[test]
fn moving_again_and_again_holds_a_bounded_number_of_ports() {
    let mut world = World::new();
    world.call();
    for step in 1..20 {
        world.send(offer(&audio(A, 4000 + 2 * step)).with("to-tag", "b"));
    }
    assert_eq!(world.pool.held.len(), 3 + 1);
}

#[test]
fn with_port_latching_ports_stay_wherever_the_endpoint_moves() {
    let mut world = World::new();
    let (to_b, _) = world.call();
    let moved = offer(&audio(A, 4002))
        .with("to-tag", "b")
        .list("flags", &["port-latching"]);
    assert_eq!(world.send(moved).port(), to_b);
}

#[test]
fn hold_by_attribute_passes_and_keeps_ports() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let hold = sdp_of(A, &["m=audio 4000 RTP/AVP 0 8 101", "a=sendonly"]);
    let held = world.send(offer(&hold).with("to-tag", "b"));
    assert!(held.has_line("a=sendonly"));
    assert_eq!(held.port(), to_b);
    assert_eq!(world.news, []);
    let answer = sdp_of(B, &["m=audio 5000 RTP/AVP 0 8 101", "a=recvonly"]);
    let answered = world.send(answer_by("b", &answer));
    assert!(answered.has_line("a=recvonly"));
    assert_eq!(answered.port(), to_a);
}

#[test]
fn hold_by_zero_address_stays_one_and_ports_wait_for_its_end() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let held = world.send(offer(&audio("0.0.0.0", 4000)).with("to-tag", "b"));
    assert!(held.has_line("a=sendonly"));
    assert!(held.has_line("c=IN IP4 0.0.0.0"));
    assert_eq!(held.port(), to_b);
    assert_eq!(world.plan(to_a).endpoint, None);
    let resumed = world.send(offer(&audio(A, 4000)).with("to-tag", "b"));
    assert_eq!(resumed.port(), to_b);
    assert_eq!(world.plan(to_a).endpoint, at("198.51.100.10:4000"));
}

#[test]
fn replace_zero_address_shows_the_real_one_on_hold() {
    let mut world = World::new();
    world.call();
    let hold = offer(&audio("0.0.0.0", 4000))
        .with("to-tag", "b")
        .list("replace", &["zero-address"]);
    let held = world.send(hold);
    assert_eq!(held.address(), ip(ADVERTISED));
    assert!(held.has_line("a=sendonly"));
}

#[test]
fn original_sendrecv_keeps_the_direction_of_a_zero_address() {
    let mut world = World::new();
    let hold = audio("0.0.0.0", 4000) + "a=sendrecv\r\n";
    let held = world.send(offer(&hold).list("flags", &["original-sendrecv"]));
    assert!(held.has_line("a=sendrecv"));
    assert!(!held.has_line("a=sendonly"));
}

#[test]
fn media_added_later_gets_ports_on_the_same_interface() {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)).list("direction", &["ext", "int"]));
    world.send(answer(&audio(B, 5000)));
    let lines = ["m=audio 4000 RTP/AVP 0 8 101", "m=video 4002 RTP/AVP 99"];
    let offered = world.send(offer(&sdp_of(A, &lines)).with("to-tag", "b"));
    assert_eq!(world.pool.held.len(), 4);
    let video = offered.session().medias[1].connection.unwrap();
    assert_eq!(video.address, ip(INTERNAL));
}

#[test]
fn media_taken_away_keeps_its_ports_until_that_is_answered() {
    let mut world = World::new();
    let both = |address, port| {
        let audio = format!("m=audio {port} RTP/AVP 0");
        let video = format!("m=video {} RTP/AVP 99", port + 2);
        sdp_of(address, &[&audio, &video])
    };
    world.send(offer(&both(A, 4000)));
    world.send(answer(&both(B, 5000)));
    assert_eq!(world.pool.held.len(), 4);
    let lines = ["m=audio 4000 RTP/AVP 0", "m=video 0 RTP/AVP 99"];
    let offered = world.send(offer(&sdp_of(A, &lines)).with("to-tag", "b"));
    assert_eq!(offered.port_of(1), 0);
    assert_eq!(world.pool.held.len(), 4);
    let lines = ["m=audio 5000 RTP/AVP 0", "m=video 0 RTP/AVP 99"];
    world.send(answer(&sdp_of(B, &lines)));
    assert_eq!(world.pool.held.len(), 2);
}

#[test]
fn another_address_is_another_endpoint_even_after_a_hold_without_one() {
    let mut world = World::new();
    let (to_b, _) = world.call();
    world.send(offer(&audio("0.0.0.0", 4000)).with("to-tag", "b"));
    let moved = world.send(offer(&audio("198.51.100.11", 4000)).with("to-tag", "b"));
    assert_ne!(moved.port(), to_b);
}

#[test]
fn the_address_family_stays_where_it_is_not_asked_for_again() {
    let mut world = World::new();
    let first = world.send(offer(&audio(A, 4000)).with("address family", "IP6"));
    world.send(answer(&audio("2001:db8::20", 5000)));
    let again = world.send(offer(&audio(A, 4000)).with("to-tag", "b"));
    assert_eq!(again.address(), ip(LOCAL6));
    assert_eq!(again.port(), first.port());
}

#[test]
fn ports_of_a_side_that_does_not_send_stay_unless_told_otherwise() {
    let moved_to = |flags: &[&'static str]| {
        let mut world = World::new();
        let (to_b, _) = world.call();
        let hold = sdp_of(A, &["m=audio 4002 RTP/AVP 0 8 101", "a=sendonly"]);
        let hold = offer(&hold).with("to-tag", "b").list("flags", flags);
        world.send(hold).port() == to_b
    };
    assert!(moved_to(&[]));
    assert!(!moved_to(&["no-port-latching"]));
}

#[test]
fn hold_by_an_ipv4_zero_address_moves_nothing_in_an_ipv6_call() {
    let mut world = World::new();
    let to_b = world.send(offer(&audio("2001:db8::10", 4000))).port();
    let to_a = world.send(answer(&audio("2001:db8::20", 5000))).port();
    let hold = world.send(offer(&audio("0.0.0.0", 4000)).with("to-tag", "b"));
    assert_eq!(hold.port(), to_b);
    assert!(hold.has_line("c=IN IP6 ::"));
    let answered = world.send(answer(&audio("2001:db8::20", 5000)));
    assert_eq!((answered.port(), answered.address()), (to_a, ip(LOCAL6)));
    assert_eq!(world.pool.held.len(), 2);
}
