//! Calls that end by themselves.

use super::world::*;
use crate::call::{Ending, Notice, Settings};

fn world() -> World {
    World::with(Settings {
        timeout: 60,
        silent_timeout: 600,
        offer_timeout: 300,
        ..Settings::default()
    })
}

fn ending(world: &mut World) -> Option<Ending> {
    let notices = world.calls.take_notices();
    notices.into_iter().find_map(|notice| match notice {
        Notice::Ended { ending, .. } => Some(ending),
        Notice::Warning { .. } => None,
    })
}

#[test]
fn a_call_without_a_packet_ends_after_its_timeout() {
    let mut world = world();
    world.call();
    world.pass(59);
    assert_eq!(ending(&mut world), None);
    world.pass(1);
    assert_eq!(ending(&mut world), Some(Ending::Timeout));
    assert!(world.pool.held.is_empty());
    assert_eq!(world.calls.totals().timeouts, 1);
}

#[test]
fn one_stream_that_is_heard_keeps_the_call() {
    let mut world = world();
    let (to_b, _) = world.call();
    world.pass(50);
    world.packet(to_b);
    world.pass(59);
    assert_eq!(world.calls.len(), 1);
    world.pass(1);
    assert!(world.calls.is_empty());
}

#[test]
fn packets_forwarded_by_the_kernel_count() {
    let mut world = world();
    let (to_b, _) = world.call();
    let now = world.now.monotonic_ms;
    world.view(to_b).last_kernel_ms = now + 50_000;
    world.pass(100);
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn an_offer_that_is_not_answered_has_a_timeout_of_its_own() {
    let mut world = world();
    world.send(offer(&audio(A, 4000)));
    world.pass(299);
    assert_eq!(world.calls.len(), 1);
    world.pass(1);
    assert!(world.calls.is_empty());
    assert_eq!(ending(&mut world), Some(Ending::OfferTimeout));
}

#[test]
fn inactive_media_may_be_silent_for_longer() {
    let mut world = world();
    world.call();
    let inactive = |address, port| {
        let media = format!("m=audio {port} RTP/AVP 0");
        sdp_of(address, &[&media, "a=inactive"])
    };
    world.send(offer(&inactive(A, 4000)).with("to-tag", "b"));
    world.send(answer(&inactive(B, 5000)));
    world.pass(599);
    assert_eq!(world.calls.len(), 1);
    world.pass(1);
    assert_eq!(ending(&mut world), Some(Ending::SilentTimeout));
}

#[test]
fn media_that_is_resumed_is_given_its_whole_timeout() {
    let mut world = world();
    world.call();
    let hold = sdp_of(A, &["m=audio 4000 RTP/AVP 0", "a=inactive"]);
    world.send(offer(&hold).with("to-tag", "b"));
    world.send(answer(&sdp_of(
        B,
        &["m=audio 5000 RTP/AVP 0", "a=inactive"],
    )));
    world.pass(500);
    world.send(offer(&audio(A, 4000)).with("to-tag", "b"));
    world.send(answer(&audio(B, 5000)));
    world.pass(59);
    assert_eq!(world.calls.len(), 1);
    world.pass(1);
    assert_eq!(ending(&mut world), Some(Ending::Timeout));
}

#[test]
fn a_call_that_rang_for_long_is_given_its_whole_timeout() {
    let mut world = world();
    world.send(offer(&audio(A, 4000)));
    world.pass(200);
    world.send(answer(&audio(B, 5000)));
    world.pass(59);
    assert_eq!(world.calls.len(), 1);
    world.pass(1);
    assert!(world.calls.is_empty());
}

#[test]
fn the_final_timeout_ends_any_call() {
    let mut world = world();
    world.calls.settings_mut().final_timeout = 10;
    let (to_b, _) = world.call();
    world.pass(9);
    world.packet(to_b);
    world.pass(1);
    assert_eq!(ending(&mut world), Some(Ending::FinalTimeout));
}

#[test]
fn a_call_of_tcp_media_only_ends_when_it_has_been_silent() {
    let mut world = world();
    world.send(offer(&sdp_of(A, &["m=message 4002 TCP/MSRP *"])));
    world.pass(599);
    assert_eq!(world.calls.len(), 1);
    world.pass(1);
    assert!(world.calls.is_empty());
}

#[test]
fn a_timeout_of_zero_is_none() {
    let mut world = world();
    world.calls.settings_mut().timeout = 0;
    world.call();
    world.pass(1_000_000);
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn ticks_within_a_second_share_the_calls_among_them() {
    let mut world = World::with(Settings {
        timeout: 1,
        ..Settings::default()
    });
    world.pass(0);
    for call in ["c1", "c2", "c3", "c4", "c5"] {
        world.send(offer(&audio(A, 4000)).but("call-id", call));
        world.send(answer(&audio(B, 5000)).but("call-id", call));
    }
    world.pass_ms(400);
    world.pass_ms(400);
    assert_eq!(world.calls.len(), 5);
    let left = [(); 5].map(|()| {
        world.pass_ms(200);
        world.calls.len()
    });
    assert_eq!(left, [4, 3, 2, 1, 0]);
}

#[test]
fn a_timeout_that_is_shortened_holds_for_calls_that_are_up() {
    let mut world = world();
    world.call();
    world.pass(10);
    world.calls.settings_mut().timeout = 20;
    world.pass(9);
    assert_eq!(world.calls.len(), 1);
    world.pass(1);
    assert_eq!(ending(&mut world), Some(Ending::Timeout));
}

#[test]
fn a_delayed_delete_takes_effect_in_time_although_the_call_is_heard() {
    let mut world = world();
    let (to_b, _) = world.call();
    world.pass(5);
    world.packet(to_b);
    world.pass(1);
    world.send(delete().with("delete-delay", 7));
    world.pass(6);
    assert_eq!(world.calls.len(), 1);
    world.pass(1);
    assert_eq!(ending(&mut world), Some(Ending::Deleted));
}

#[test]
fn a_proxy_that_does_not_know_of_the_end_is_told_whose_call_it_was() {
    let mut world = world();
    world.send(offer(&audio(A, 4000)).with("xmlrpc-callback", "192.0.2.99"));
    world.send(answer(&audio(B, 5000)));
    world.pass(60);
    let mut notices = world.calls.take_notices().into_iter();
    let teardown = notices.find_map(|notice| match notice {
        Notice::Ended { teardown, .. } => teardown,
        Notice::Warning { .. } => None,
    });
    let teardown = teardown.unwrap();
    assert_eq!(teardown.callback, Some(ip("192.0.2.99")));
    assert_eq!(teardown.tags, ["a", "b"]);
    assert_eq!(teardown.dialogues, [("a".into(), "b".into())]);
}

#[test]
fn a_proxy_that_has_ended_the_call_is_not_told() {
    let mut world = world();
    world.call();
    world.send(delete());
    world.pass(31);
    let notices = world.calls.take_notices();
    assert!(
        matches!(notices[..], [Notice::Ended { teardown: None, .. }]),
        "{notices:?}"
    );
}

#[test]
fn however_many_calls_end_at_once_every_end_is_told() {
    let mut world = world();
    world.pool.left = 4000;
    for number in 0..1500 {
        let offer = offer(&audio(A, 4000)).but("call-id", format!("c{number}"));
        assert_eq!(world.send(offer).result(), "ok");
    }
    world.pass(300);
    assert_eq!(world.calls.take_notices().len(), 1500);
}
