//! `block media`, `silence media`, `block DTMF`: whom they mean, and what goes on. See [`super::dtmf`] for the rest of DTMF.

use super::world::*;
use crate::datapath::PayloadTypes;
use crate::plan::{Digits, Sink, StreamId, Treatment};

const EVENTS: PayloadTypes = PayloadTypes(1 << 101);
const ALL_BUT_EVENTS: PayloadTypes = PayloadTypes(!(1 << 101));

fn with_events(address: &str, port: u16) -> String {
    audio(address, port) + "a=rtpmap:101 telephone-event/8000\r\n"
}

/// Offer and answer with telephone events: the ports towards b and towards a.
fn call(world: &mut World) -> (u16, u16) {
    let offer = world.send(offer(&with_events(A, 4000)).with("label", "caller"));
    let answer = world.send(answer(&with_events(B, 5000)).with("label", "callee"));
    (offer.port(), answer.port())
}

fn of(name: &'static str) -> Command {
    command(name).with("call-id", "c")
}

/// Of one party: its flag makes that clear to proxies that send tags with everything.
fn from(name: &'static str, tag: &'static str) -> Command {
    of(name).with("from-tag", tag)
}

fn sinks(world: &World, port: u16) -> Vec<Sink> {
    world.plan(port).sinks.clone()
}

fn treated(port: u16, treatment: Treatment) -> Vec<Sink> {
    let stream = StreamId(u64::from(port));
    vec![Sink { stream, treatment }]
}

fn untouched(port: u16) -> Vec<Sink> {
    treated(port, Treatment::default())
}

fn dropping(port: u16, dropped: PayloadTypes) -> Vec<Sink> {
    let treatment = Treatment {
        dropped,
        ..Treatment::default()
    };
    treated(port, treatment)
}

/// Where the digits of those whose packets arrive at these ports are dropped.
fn drops(world: &World, ports: [u16; 2]) -> [bool; 2] {
    ports.map(|port| world.plan(port).digits == Digits::Drop)
}

fn silent(port: u16) -> Vec<Sink> {
    let treatment = Treatment {
        silence: true,
        ..Treatment::default()
    };
    treated(port, treatment)
}

#[test]
fn blocked_media_goes_nowhere_but_telephone_events_do() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    assert_eq!(world.send(of("block media")).result(), "ok");
    assert_eq!(sinks(&world, to_a), dropping(to_b, ALL_BUT_EVENTS));
    assert_eq!(sinks(&world, to_b), dropping(to_a, ALL_BUT_EVENTS));
    world.send(of("unblock media"));
    assert_eq!(sinks(&world, to_a), untouched(to_b));
}

#[test]
fn blocked_media_without_telephone_events_goes_nowhere() {
    let mut world = World::new();
    let (_, to_a) = world.call();
    world.send(of("block media"));
    assert_eq!(sinks(&world, to_a), []);
}

#[test]
fn rtcp_is_passed_on_while_media_is_blocked() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(of("block media"));
    let rtcp_of_b = StreamId(u64::from(to_b) + 1);
    assert_eq!(world.plan(to_a + 1).rtcp_sinks, [rtcp_of_b]);
}

#[test]
fn silenced_media_goes_on_as_silence() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(of("silence media"));
    assert_eq!(sinks(&world, to_a), silent(to_b));
    world.send(of("unsilence media"));
    assert_eq!(sinks(&world, to_a), untouched(to_b));
}

#[test]
fn silence_of_a_codec_is_not_that_of_another_that_is_called_alike() {
    let mut world = World::new();
    let speech = |address, port: u16| {
        let lines = [
            &format!("m=audio {port} RTP/AVP 96 97"),
            "a=rtpmap:96 G7221/16000",
            "a=rtpmap:97 g722/8000",
        ];
        sdp_of(address, &lines)
    };
    world.send(offer(&speech(A, 4000)));
    let to_a = world.send(answer(&speech(B, 5000))).port();
    assert_eq!(world.plan(to_a).silences.g722, PayloadTypes(1 << 97));
}

#[test]
fn blocked_dtmf_is_dropped() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(of("block DTMF"));
    assert_eq!(drops(&world, [to_a, to_b]), [true; 2]);
    assert_eq!(sinks(&world, to_a), untouched(to_b));
    world.send(of("unblock DTMF"));
    assert_eq!(drops(&world, [to_a, to_b]), [false; 2]);
}

#[test]
fn media_and_dtmf_blocked_together_leave_nothing() {
    let mut world = World::new();
    let (_, to_a) = call(&mut world);
    world.send(of("block media"));
    world.send(of("block DTMF"));
    assert_eq!(sinks(&world, to_a), []);
}

#[test]
fn a_party_is_meant_by_its_tag() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(from("block DTMF", "a"));
    assert_eq!(drops(&world, [to_a, to_b]), [true, false]);
}

#[test]
fn a_party_is_meant_by_its_label() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(of("silence media").with("label", "callee"));
    assert_eq!(sinks(&world, to_b), silent(to_a));
    assert_eq!(sinks(&world, to_a), untouched(to_b));
}

#[test]
fn a_party_is_meant_by_its_address() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(of("silence media").with("address", B));
    assert_eq!(sinks(&world, to_b), silent(to_a));
    assert_eq!(sinks(&world, to_a), untouched(to_b));
}

#[test]
fn a_tag_in_a_string_of_flags_means_a_party_only_with_directional() {
    let silenced = |command: Command, flags: &'static str| {
        let mut world = World::new();
        let (to_b, to_a) = call(&mut world);
        world.send(command.with("rtpp-flags", flags));
        let blocked = |port| {
            sinks(&world, port)
                .iter()
                .any(|sink| sink.treatment != Treatment::default())
                || world.plan(port).digits == Digits::Drop
        };
        (blocked(to_a), blocked(to_b))
    };
    assert_eq!(silenced(from("block DTMF", "a"), ""), (true, true));
    assert_eq!(
        silenced(from("block DTMF", "a"), "directional"),
        (true, false)
    );
    assert_eq!(silenced(of("block DTMF"), "from-tag=a"), (true, false));
    // rtpengine takes it at its word here.
    assert_eq!(silenced(from("silence media", "a"), ""), (true, false));
}

#[test]
fn letting_the_call_go_leaves_blocked_parties_blocked_unless_it_is_for_all() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(from("silence media", "a"));
    world.send(of("silence media"));
    world.send(of("unsilence media"));
    assert_eq!(sinks(&world, to_a), silent(to_b));
    assert_eq!(sinks(&world, to_b), untouched(to_a));
    world.send(of("unsilence media").with("all", "all"));
    assert_eq!(sinks(&world, to_a), untouched(to_b));
}

#[test]
fn blocking_for_all_blocks_the_call_and_not_each_party() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(of("silence media").list("flags", &["all"]));
    assert_eq!(sinks(&world, to_a), silent(to_b));
    world.send(of("unsilence media"));
    assert_eq!(sinks(&world, to_a), untouched(to_b));
}

#[test]
fn a_single_flow_is_meant_by_both_tags() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(from("silence media", "a").with("to-tag", "b"));
    assert_eq!(sinks(&world, to_a), silent(to_b));
    assert_eq!(sinks(&world, to_b), untouched(to_a));
    // The party as such is not silenced.
    world.send(from("unsilence media", "a"));
    assert_eq!(sinks(&world, to_a), silent(to_b));
    world.send(from("unsilence media", "a").with("to-label", "callee"));
    assert_eq!(sinks(&world, to_a), untouched(to_b));
}

#[test]
fn flows_are_meant_by_how_they_were_made() {
    for all in ["offer-answer", "flows"] {
        let mut world = World::new();
        let (to_b, to_a) = call(&mut world);
        world.send(from("silence media", "a").with("all", all));
        assert_eq!(sinks(&world, to_a), silent(to_b), "{all}");
    }
}

#[test]
fn an_offer_with_the_same_parties_leaves_blocked_what_is_blocked() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(from("silence media", "a").with("to-tag", "b"));
    world.send(from("block DTMF", "b"));
    world.send(offer(&with_events(A, 4000)).with("to-tag", "b"));
    world.send(answer(&with_events(B, 5000)));
    assert_eq!(sinks(&world, to_a), silent(to_b));
    assert_eq!(drops(&world, [to_a, to_b]), [false, true]);
}

#[test]
fn set_label_labels_the_party_that_was_meant() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(from("block DTMF", "a").with("set-label", "x"));
    world.send(of("silence media").with("label", "x"));
    assert_eq!(drops(&world, [to_a, to_b]), [true, false]);
    assert_eq!(sinks(&world, to_a), silent(to_b));
}

#[test]
fn doing_it_twice_does_nothing_the_second_time() {
    let mut world = World::new();
    call(&mut world);
    world.send(of("block media"));
    world.send(of("block media"));
    assert_eq!(world.actions, []);
}

/// Every command that means a party, with its error text for a request that is this.
fn refused(with: impl Fn(Command) -> Command, reason: &str) {
    for name in [
        "block media",
        "unblock media",
        "silence media",
        "unsilence media",
        "block DTMF",
        "unblock DTMF",
    ] {
        let mut world = World::new();
        call(&mut world);
        let reply = world.send(with(command(name)));
        assert_eq!(reply.reason(), reason, "{name}");
        assert_eq!(world.actions, [], "{name}");
    }
}

#[test]
fn no_call_id_in_message() {
    refused(|command| command, "No call-id in message");
}

#[test]
fn unknown_call_id() {
    refused(|command| command.with("call-id", "nope"), "Unknown call-ID");
}

#[test]
fn no_monologue_matching_the_given_label() {
    let wrong = |command: Command| command.with("call-id", "c").with("label", "x");
    refused(wrong, "No monologue matching the given label");
}

#[test]
fn failed_to_parse_network_address() {
    let wrong = |command: Command| command.with("call-id", "c").with("address", "x");
    refused(wrong, "Failed to parse network address");
}

#[test]
fn failed_to_match_address_to_any_tag() {
    let wrong = |command: Command| command.with("call-id", "c").with("address", "192.0.2.99");
    refused(wrong, "Failed to match address to any tag");
}

#[test]
fn from_tag_given_but_no_such_tag_exists() {
    let wrong = |command: Command| command.with("call-id", "c").with("from-tag", "x");
    refused(wrong, "From-tag given, but no such tag exists");
}

#[test]
fn media_flows_that_are_not_there() {
    let reason = |key, value: &'static str| {
        let mut world = World::new();
        call(&mut world);
        let reply = world.send(from("block media", "a").with(key, value));
        assert_eq!(world.actions, []);
        reply.reason().to_owned()
    };
    assert_eq!(
        reason("to-tag", "x"),
        "Media flow not found (to-tag not found)"
    );
    assert_eq!(
        reason("to-label", "x"),
        "Media flow not found (to-label not found)"
    );
    assert_eq!(
        reason("to-tag", "a"),
        "Media flow not found (to-tag not subscribed)"
    );
    assert_eq!(
        reason("all", "except-offer-answer"),
        "No eligible media subscriptions found"
    );
}

#[test]
fn traffic_is_dropped_from_one_exchange_to_another() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let sinks = |world: &World| {
        let plans = [to_b, to_a].map(|port| world.plan(port));
        plans.map(|plan| (plan.sinks.len(), plan.rtcp_sinks.len()))
    };
    let before = sinks(&world);
    assert!(before.iter().all(|(sinks, _)| *sinks == 1));
    let again = || offer(&audio(A, 4000)).with("to-tag", "b");
    world.send(again().with("drop-traffic", "start"));
    assert_eq!(sinks(&world), [(0, 0); 2]);
    world.send(answer(&audio(B, 5000)));
    assert_eq!(sinks(&world), [(0, 0); 2]);
    world.send(again().list("drop-traffic", &["start", "stop"]));
    assert_eq!(sinks(&world), before);
}

fn to(name: &'static str, tag: &'static str) -> Command {
    from(name, tag).list("flags", &["egress"])
}

#[test]
fn with_egress_what_a_party_is_sent_is_meant() {
    for (block, unblock, expected) in [
        (
            "block media",
            "unblock media",
            dropping as fn(u16, PayloadTypes) -> _,
        ),
        ("silence media", "unsilence media", |port, _| silent(port)),
        ("block DTMF", "unblock DTMF", |port, _| {
            dropping(port, EVENTS)
        }),
    ] {
        let mut world = World::new();
        let (to_b, to_a) = call(&mut world);
        world.send(to(block, "a"));
        assert_eq!(sinks(&world, to_b), expected(to_a, ALL_BUT_EVENTS));
        assert_eq!(sinks(&world, to_a), untouched(to_b));
        world.send(from(unblock, "a"));
        assert_eq!(sinks(&world, to_b), expected(to_a, ALL_BUT_EVENTS));
        world.send(to(unblock, "a"));
        assert_eq!(sinks(&world, to_b), untouched(to_a));
    }
}

#[test]
fn with_egress_a_flow_is_one_to_the_party() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(to("silence media", "a").with("to-tag", "b"));
    assert_eq!(sinks(&world, to_b), silent(to_a));
    assert_eq!(sinks(&world, to_a), untouched(to_b));
    world.send(to("unsilence media", "a").with("all", "flows"));
    assert_eq!(sinks(&world, to_b), untouched(to_a));
}

#[test]
fn letting_everybody_go_is_for_what_parties_are_sent_too() {
    let mut world = World::new();
    let (to_b, to_a) = call(&mut world);
    world.send(to("silence media", "a"));
    world.send(of("unsilence media").with("all", "all"));
    assert_eq!(sinks(&world, to_b), untouched(to_a));
}
