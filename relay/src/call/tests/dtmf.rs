//! What becomes of digits that parties dial, and what they do.

use super::world::*;
use crate::call::{Settings, StarCodes};
use crate::plan::{
    Action, CallKey, Digits, Recording, Replacement, StreamId, Substitute, TelephoneEvent, code_of,
};

fn with_events(address: &str, port: u16) -> String {
    audio(address, port) + "a=rtpmap:101 telephone-event/8000\r\n"
}

/// The ports towards b and towards a.
fn call(world: &mut World) -> (u16, u16) {
    let offer = world.send(offer(&with_events(A, 4000)));
    let answer = world.send(answer(&with_events(B, 5000)));
    (offer.port(), answer.port())
}

fn of(name: &'static str) -> Command {
    command(name).with("call-id", "c")
}

fn from_a(name: &'static str) -> Command {
    of(name).with("from-tag", "a")
}

fn digits(world: &World, port: u16) -> Digits {
    world.plan(port).digits
}

fn replaced(digit: Substitute) -> Digits {
    let volume = None;
    Digits::Replace(Replacement { digit, volume })
}

/// Dials at a port: each digit lasts 100 ms, with as much between them. Returns what was recorded.
fn dial(world: &mut World, port: u16, digits: &str) -> Vec<&'static str> {
    let mut recorded = Vec::new();
    for digit in digits.chars() {
        for has_ended in [false, true] {
            let event = TelephoneEvent {
                call: CallKey(0),
                stream: StreamId(u64::from(port)),
                source: at("198.51.100.10:4000").unwrap(),
                code: code_of(digit).unwrap(),
                volume: 10,
                duration_ms: if has_ended { 100 } else { 20 },
                has_ended,
            };
            let actions = world.calls.dialled(&event, world.now);
            world.finish(actions);
            recorded.extend(world.actions.iter().filter_map(|action| match action {
                Action::Record(Recording::Begin { .. }) => Some("begin"),
                Action::Record(Recording::Pause { .. }) => Some("pause"),
                Action::Record(Recording::Resume { .. }) => Some("resume"),
                Action::Record(Recording::End { .. }) => Some("end"),
                _ => None,
            }));
            world.now.monotonic_ms += 100;
            world.now.wall_us += 100_000;
        }
    }
    recorded
}

#[test]
fn digits_become_what_was_asked_for() {
    for (mode, expected) in [
        ("drop", Digits::Drop),
        ("zero", replaced(Substitute::Code(0))),
        ("random", replaced(Substitute::Random)),
        ("DTMF", replaced(Substitute::Code(11))),
        ("silence", Digits::Drop),
        ("tone", Digits::Drop),
        ("off", Digits::Pass),
        ("nonsense", Digits::Drop),
    ] {
        let mut world = World::new();
        let (to_b, to_a) = call(&mut world);
        let block = from_a("block DTMF").with("digit", "#");
        world.send(block.with("DTMF-security", mode));
        assert_eq!(digits(&world, to_a), expected, "{mode}");
        assert_eq!(digits(&world, to_b), Digits::Pass, "{mode}");
        world.send(from_a("unblock DTMF"));
        assert_eq!(digits(&world, to_a), Digits::Pass, "{mode}");
    }
}

#[test]
fn the_flag_in_an_offer_means_its_sender_and_may_say_how() {
    let mut world = World::new();
    let offer = offer(&with_events(A, 4000)).list("flags", &["block-DTMF"]);
    let to_b = world.send(offer.with("DTMF-security", "zero")).port();
    let to_a = world.send(answer(&with_events(B, 5000))).port();
    assert_eq!(digits(&world, to_a), replaced(Substitute::Code(0)));
    assert_eq!(digits(&world, to_b), Digits::Pass);
    world.send(of("unblock DTMF"));
    let of_the_party = digits(&world, to_a);
    assert_eq!(of_the_party, replaced(Substitute::Code(0)));
    world.send(from_a("unblock DTMF"));
    assert_eq!(digits(&world, to_a), Digits::Pass);
}

#[test]
fn what_is_said_of_the_call_goes_before_what_is_said_of_a_party() {
    let mut world = World::new();
    let (_, to_a) = call(&mut world);
    world.send(from_a("block DTMF").with("DTMF-security", "zero"));
    world.send(of("block DTMF"));
    assert_eq!(digits(&world, to_a), Digits::Drop);
    world.send(of("unblock DTMF"));
    assert_eq!(digits(&world, to_a), replaced(Substitute::Code(0)));
}

#[test]
fn encrypted_digits_are_dropped_and_not_replaced() {
    let mut world = World::new();
    let secure = |address, port: u16| {
        let lines = [
            &format!("m=audio {port} RTP/SAVP 0 101"),
            "a=rtpmap:101 telephone-event/8000",
        ];
        sdp_of(address, &lines)
    };
    world.send(offer(&secure(A, 4000)));
    let to_a = world.send(answer(&secure(B, 5000))).port();
    let block = from_a("block DTMF").with("DTMF-security", "zero");
    world.send(block.with("trigger", "*1"));
    assert_eq!(digits(&world, to_a), Digits::Drop);
    assert!(
        !world.plan(to_a).watch_digits,
        "there is nothing to be read"
    );
}

fn triggered() -> Command {
    from_a("block DTMF")
        .with("trigger", "*1")
        .with("DTMF-security-trigger", "zero")
}

#[test]
fn a_trigger_changes_what_becomes_of_the_digits_that_follow() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(triggered().with("trigger-end", "##"));
    assert!(world.plan(to_a).watch_digits);
    assert!(!world.plan(to_b).watch_digits);
    assert_eq!(digits(&world, to_a), Digits::Pass);
    dial(&mut world, to_b, "*1");
    assert_eq!(digits(&world, to_a), Digits::Pass, "nobody asked b");
    dial(&mut world, to_a, "5*1");
    assert_eq!(digits(&world, to_a), replaced(Substitute::Code(0)));
    dial(&mut world, to_a, "123##");
    assert_eq!(digits(&world, to_a), Digits::Pass);
    assert!(
        world.plan(to_a).watch_digits,
        "the last one is not over yet"
    );
}

#[test]
fn a_trigger_ends_in_its_own_way() {
    let mut world = World::new();
    let (_, to_a) = call(&mut world);
    let end = triggered().with("trigger-end-digits", 2);
    world.send(end.with("DTMF-security-trigger-end", "random"));
    dial(&mut world, to_a, "*1");
    dial(&mut world, to_a, "7");
    assert_eq!(digits(&world, to_a), replaced(Substitute::Code(0)));
    dial(&mut world, to_a, "8");
    assert_eq!(digits(&world, to_a), replaced(Substitute::Random));
}

#[test]
fn a_trigger_ends_with_its_time() {
    let mut world = World::new();
    let (_, to_a) = call(&mut world);
    world.send(triggered().with("trigger-end-time", 5000));
    dial(&mut world, to_a, "*1");
    world.pass_ms(4000);
    assert_eq!(digits(&world, to_a), replaced(Substitute::Code(0)));
    world.pass_ms(1000);
    assert_eq!(digits(&world, to_a), Digits::Pass);
}

#[test]
fn a_trigger_of_the_call_is_each_partys_own() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(of("block DTMF").with("trigger", "*1"));
    dial(&mut world, to_b, "*1");
    assert_eq!(digits(&world, to_b), Digits::Drop);
    assert_eq!(digits(&world, to_a), Digits::Pass);
    world.send(of("unblock DTMF").with("all", "all"));
    assert_eq!(digits(&world, to_b), Digits::Pass);
    assert!(!world.plan(to_a).watch_digits);
}

#[test]
fn an_offer_that_asks_for_the_same_trigger_again_lets_no_digit_through() {
    let mut world = World::new();
    let again = || {
        let offer = offer(&with_events(A, 4000)).list("flags", &["block-DTMF"]);
        offer.with("trigger", "*1")
    };
    world.send(again());
    let to_a = world.send(answer(&with_events(B, 5000))).port();
    dial(&mut world, to_a, "*1");
    assert_eq!(digits(&world, to_a), Digits::Drop);
    world.send(again().with("to-tag", "b"));
    assert_eq!(digits(&world, to_a), Digits::Drop);
}

#[test]
fn query_shows_what_may_be_dialled() {
    let mut world = World::new();
    let (_, to_a) = call(&mut world);
    let shown = |world: &mut World| {
        let reply = world.send(of("query"));
        let list = reply.at(&["tags", "a", "VSC"]).expect("a list");
        let entries = list.as_list().unwrap().iter().map(|entry| {
            let entry = entry.as_dict().unwrap();
            let text = |key| entry.get(key).unwrap().as_str().unwrap().to_owned();
            let active = entry.get("active").unwrap().as_integer();
            (text("type"), text("trigger"), active == Some(1))
        });
        entries.collect::<Vec<_>>()
    };
    assert_eq!(shown(&mut world), []);
    world.send(triggered().with("trigger-end", "##"));
    let entry = |effect: &str, code: &str, active| (effect.to_owned(), code.to_owned(), active);
    let expected = [
        entry("block DTMF", "*1", true),
        entry("unblock DTMF", "##", false),
    ];
    assert_eq!(shown(&mut world), expected);
    dial(&mut world, to_a, "*1");
    assert_eq!(shown(&mut world), [entry("unblock DTMF", "##", true)]);
}

/// A relay that records, with a code for everything.
fn recording() -> World {
    let code = |code: &str| Some(code.to_owned());
    World::with(Settings {
        recording_dir: Some("/spool".to_owned()),
        star_codes: StarCodes {
            start: code("*1"),
            stop: code("*2"),
            start_stop: code("*3"),
            pause: code("*4"),
            pause_resume: code("*5"),
            start_pause_resume: code("*6"),
        },
        ..Settings::default()
    })
}

/// The port that faces a, who may dial star codes.
fn listening(world: &mut World, offer: Command) -> u16 {
    world.send(offer.list("flags", &["recording-vsc"]));
    world.send(answer(&with_events(B, 5000))).port()
}

#[test]
fn star_codes_control_the_recording() {
    for (dialled, expected) in [
        ("*1*1*2", &["begin", "end"][..]),
        ("*3*3*3", &["begin", "end", "begin"]),
        ("*1*4*1*4", &["begin", "pause", "resume", "pause"]),
        ("*5*1*5*5", &["begin", "pause", "resume"]),
        ("*6*6*6*2", &["begin", "pause", "resume", "end"]),
        ("*4*2*91*", &[]),
    ] {
        let mut world = recording();
        let to_a = listening(&mut world, offer(&with_events(A, 4000)));
        assert_eq!(dial(&mut world, to_a, dialled), expected, "{dialled}");
    }
}

#[test]
fn star_codes_are_for_those_who_were_given_them() {
    let mut world = recording();
    let to_b = world.send(offer(&with_events(A, 4000))).port();
    let answer = answer(&with_events(B, 5000)).list("flags", &["recording-vsc"]);
    let to_a = world.send(answer).port();
    assert_eq!(
        [to_a, to_b].map(|port| world.plan(port).watch_digits),
        [false, true]
    );
    assert_eq!(dial(&mut world, to_a, "*1"), [""; 0]);
    assert_eq!(dial(&mut world, to_b, "*1"), ["begin"]);
}

#[test]
fn a_call_may_have_star_codes_of_its_own() {
    let mut world = recording();
    let offer = offer(&with_events(A, 4000)).with("vsc-start-rec", "*9");
    let to_a = listening(&mut world, offer.with("VSC-stop-recording", "*8"));
    assert_eq!(dial(&mut world, to_a, "*1*9*2*8"), ["begin", "end"]);
}

#[test]
fn without_codes_nobody_listens() {
    let mut world = World::new();
    let to_a = listening(&mut world, offer(&with_events(A, 4000)));
    assert!(!world.plan(to_a).watch_digits);
}

#[test]
fn digits_of_a_star_code_are_close_together() {
    let mut world = recording();
    let to_a = listening(&mut world, offer(&with_events(A, 4000)));
    dial(&mut world, to_a, "*");
    world.pass_ms(3000);
    assert_eq!(dial(&mut world, to_a, "1"), [""; 0]);
}

#[test]
fn query_lists_star_codes_by_what_they_do() {
    let mut world = recording();
    listening(&mut world, offer(&with_events(A, 4000)));
    let reply = world.send(of("query"));
    let entry = |index: &str, key: &str| {
        let value = reply.at(&["tags", "a", "VSC", index, key]);
        value.unwrap().as_str().unwrap().to_owned()
    };
    assert_eq!(entry("0", "type"), "start recording");
    assert_eq!(entry("0", "trigger"), "*1");
    assert_eq!(entry("5", "type"), "start/pause/resume recording");
    assert_eq!(
        reply
            .at(&["tags", "b", "VSC"])
            .unwrap()
            .as_list()
            .unwrap()
            .len(),
        0
    );
}

#[test]
fn what_a_party_was_asked_for_outlives_a_restart() {
    let mut world = recording();
    world.calls.follow_changes();
    let offer = offer(&with_events(A, 4000)).list("flags", &["recording-vsc", "block-DTMF"]);
    world.send(offer.with("trigger", "*7"));
    let to_a = world.send(answer(&with_events(B, 5000))).port();
    dial(&mut world, to_a, "*7*");
    let kept = world.calls.snapshot(CallKey(0), &world.streams).unwrap();
    let kept = rmp_serde::to_vec_named(&kept).unwrap();
    let mut again = recording();
    again.now = world.now;
    let restored = again.calls.restore(
        rmp_serde::from_slice(&kept).unwrap(),
        again.now,
        &mut again.pool,
    );
    again.finish(restored.unwrap().actions);
    assert_eq!(digits(&again, to_a), Digits::Drop);
    assert_eq!(dial(&mut again, to_a, "1"), ["begin"]);
}
