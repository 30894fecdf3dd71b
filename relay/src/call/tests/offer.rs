//! `offer`.

use super::world::*;
use crate::call::{Notice, Settings};
use crate::datapath::PayloadTypes;
use crate::plan::{Action, EndpointLearning, Sink, StreamId};

#[test]
fn both_legs_are_opened_at_the_first_offer() {
    let mut world = World::new();
    let offer = world.send(offer(&audio(A, 4000)));
    assert_eq!(offer.address(), ip(ADVERTISED));
    assert_eq!(world.pool.held.len(), 2);
    assert!(offer.has_line(&format!("a=rtcp:{}", offer.port() + 1)));
    let plan = world.plan(offer.port());
    assert_eq!(plan.endpoint, None);
    assert!(!plan.public);
}

#[test]
fn packets_of_each_leg_lead_to_the_other() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let sinks = |port: u16| {
        let plan = world.plan(port);
        let sinks = plan.sinks.iter().map(|sink| sink.stream.0);
        let rtcp_sinks = plan.rtcp_sinks.iter().map(|id| id.0);
        (sinks.collect::<Vec<_>>(), rtcp_sinks.collect::<Vec<_>>())
    };
    let (to_a64, to_b64) = (u64::from(to_a), u64::from(to_b));
    assert_eq!(sinks(to_b), (vec![to_a64], vec![to_a64 + 1]));
    assert_eq!(sinks(to_a), (vec![to_b64], vec![to_b64 + 1]));
    assert_eq!(sinks(to_a + 1), (vec![to_b64 + 1], vec![to_b64 + 1]));
    assert_eq!(world.plan(to_a).endpoint, at("198.51.100.10:4000"));
    assert_eq!(world.plan(to_a + 1).endpoint, at("198.51.100.10:4001"));
    assert_eq!(world.plan(to_b).endpoint, at("198.51.100.20:5000"));
}

#[test]
fn payload_types_of_both_sides_and_comfort_noise_pass() {
    let mut world = World::new();
    world.send(offer(&sdp_of(
        A,
        &["m=audio 4000 RTP/AVP 96 9", "a=rtpmap:96 opus/48000/2"],
    )));
    let answer = world.send(answer(&sdp_of(B, &["m=audio 5000 RTP/AVP 9"])));
    let plan = world.plan(answer.port());
    assert_eq!(plan.payload_types.0, 1 << 96 | 1 << 9 | 1 << 13);
    assert_eq!(plan.clock_rate, 48000);
}

#[test]
fn direction_chooses_interfaces_for_good() {
    let mut world = World::new();
    let offered = world.send(offer(&audio(A, 4000)).list("direction", &["ext", "int"]));
    assert_eq!(offered.address(), ip(INTERNAL));
    let answered = world.send(answer(&audio(B, 5000)));
    assert_eq!(answered.address(), ip(ADVERTISED));
    let again = offer(&audio(A, 4000)).list("direction", &["int", "ext"]);
    assert_eq!(world.send(again).address(), ip(INTERNAL));
}

#[test]
fn an_unknown_interface_is_the_first_one_with_a_warning() {
    let mut world = World::new();
    let offered = world.send(offer(&audio(A, 4000)).list("direction", &["ext", "nope"]));
    assert_eq!(offered.address(), ip(ADVERTISED));
    let notices = world.calls.take_notices();
    let [Notice::Warning { text, .. }] = &notices[..] else {
        panic!("{notices:?}");
    };
    assert!(text.contains("nope"));
}

#[test]
fn address_family_bridges_to_ipv6_and_back() {
    let mut world = World::new();
    let offered = world.send(offer(&audio(A, 4000)).with("address family", "IP6"));
    assert_eq!(offered.address(), ip(LOCAL6));
    let answered = world.send(answer(&audio("2001:db8::20", 5000)));
    assert_eq!(answered.address(), ip(ADVERTISED));
    assert_eq!(
        world.plan(offered.port()).endpoint,
        at("[2001:db8::20]:5000")
    );
}

#[test]
fn media_address_is_what_the_sdp_says() {
    let mut world = World::new();
    let offered = world.send(offer(&audio(A, 4000)).with("media-address", "192.0.2.99"));
    assert_eq!(offered.address(), ip("192.0.2.99"));
}

#[test]
fn received_from_counts_only_with_sip_source_address() {
    let source = |command: Command| {
        let source = vec!["IP4".into(), "192.0.2.77".into()];
        command.with("received-from", source)
    };
    let mut world = World::new();
    world.call();
    world.send(source(offer(&audio(A, 4000)).with("to-tag", "b")));
    assert_eq!(world.news, []);
    let believed = offer(&audio(A, 4000)).list("flags", &["SIP-source-address"]);
    world.send(source(believed));
    assert!(
        world
            .plans
            .values()
            .any(|plan| plan.endpoint == at("192.0.2.77:4000"))
    );
}

#[test]
fn flags_about_the_source_hold_for_the_side_that_is_described() {
    let mut world = World::new();
    let flags = ["strict-source", "media-handover", "asymmetric"];
    let offered = world.send(
        offer(&audio(A, 4000))
            .list("flags", &flags)
            .with("endpoint-learning", "off"),
    );
    let answered = world.send(answer(&audio(B, 5000)));
    let towards_a = world.plan(answered.port());
    assert!(towards_a.strict_source && towards_a.media_handover && towards_a.asymmetric);
    assert_eq!(towards_a.learning, EndpointLearning::Off);
    let towards_b = world.plan(offered.port());
    assert!(!towards_b.strict_source);
    assert_eq!(towards_b.learning, EndpointLearning::Heuristic);
}

#[test]
fn several_medias_have_ports_of_their_own() {
    let mut world = World::new();
    let lines = ["m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVPF 99"];
    let offered = world.send(offer(&sdp_of(A, &lines)));
    assert_ne!(offered.port_of(0), offered.port_of(1));
    assert_eq!(world.pool.held.len(), 4);
}

#[test]
fn rejected_media_stays_rejected_and_takes_no_port() {
    let mut world = World::new();
    let lines = ["m=audio 4000 RTP/AVP 0", "m=video 0 RTP/AVP 99"];
    let offered = world.send(offer(&sdp_of(A, &lines)));
    assert_eq!(offered.port_of(1), 0);
    assert_eq!(world.pool.held.len(), 2);
}

#[test]
fn end_to_end_srtp_passes_unchanged() {
    let mut world = World::new();
    let crypto =
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
    let secure = sdp_of(A, &["m=audio 4000 RTP/SAVP 0", crypto]);
    let offered = world.send(offer(&secure).with("transport-protocol", "RTP/AVP"));
    assert!(offered.has_line(crypto));
    assert!(offered.sdp().contains("RTP/SAVP 0"));
}

#[test]
fn transport_protocol_turns_avpf_into_avp_and_back_in_the_answer() {
    let mut world = World::new();
    let offered = offer(&sdp_of(A, &["m=audio 4000 RTP/AVPF 0"]));
    let offered = world.send(offered.with("transport-protocol", "RTP/AVP"));
    assert!(offered.sdp().contains("RTP/AVP 0"));
    let answered = world.send(answer(&sdp_of(B, &["m=audio 5000 RTP/AVP 0"])));
    assert!(answered.sdp().contains("RTP/AVPF 0"));
}

#[test]
fn t38_over_udp_is_relayed_and_neither_tcp_nor_a_message_is_touched() {
    let mut world = World::new();
    let lines = [
        "m=image 4000 udptl t38",
        "m=message 4002 TCP/MSRP *",
        "m=message 4004 UDP/MSRP *",
    ];
    let offered = world.send(offer(&sdp_of(A, &lines)));
    assert_eq!(world.pool.held.len(), 2);
    assert_ne!(offered.port_of(0), 4000);
    assert_eq!((offered.port_of(1), offered.port_of(2)), (4002, 4004));
    assert!(!offered.sdp().contains("a=rtcp"));
}

#[test]
fn packets_of_media_that_is_not_rtp_are_not_looked_into() {
    for media in ["image 4000 udptl t38", "application 4000 UDP/BFCP *"] {
        let mut world = World::new();
        let section = format!("m={media}");
        let to_b = world.send(offer(&sdp_of(A, &[&section]))).port();
        let to_a = world.send(answer(&sdp_of(B, &[&section]))).port();
        for (port, sink) in [(to_a, to_b), (to_b, to_a)] {
            let plan = world.plan(port);
            assert_eq!(plan.payload_types, PayloadTypes::NONE, "{media}");
            assert_eq!(
                plan.sinks,
                [Sink::untouched(StreamId(u64::from(sink)))],
                "{media}"
            );
        }
    }
}

#[test]
fn a_call_that_turns_into_a_fax_is_not_looked_into_any_more() {
    let mut world = World::new();
    let (to_b, _) = world.call();
    assert_ne!(world.plan(to_b).payload_types, PayloadTypes::NONE);
    world.send(offer(&sdp_of(A, &["m=image 4000 udptl t38"])).with("to-tag", "b"));
    world.send(answer(&sdp_of(B, &["m=image 5000 udptl t38"])));
    assert_eq!(world.plan(to_b).payload_types, PayloadTypes::NONE);
}

#[test]
fn rtcp_goes_where_its_attribute_says() {
    let mut world = World::new();
    let lines = ["m=audio 4000 RTP/AVP 0", "a=rtcp:4444 IN IP4 198.51.100.11"];
    world.send(offer(&sdp_of(A, &lines)));
    let answered = world.send(answer(&audio(B, 5000)));
    let plan = world.plan(answered.port() + 1);
    assert_eq!(plan.endpoint, at("198.51.100.11:4444"));
}

#[test]
fn the_rtcp_attribute_is_left_out_or_full_as_asked() {
    let mut world = World::new();
    let without = offer(&audio(A, 4000)).list("flags", &["no-rtcp-attribute"]);
    assert!(!world.send(without).sdp().contains("a=rtcp"));
    let full = offer(&audio(A, 4000)).list("flags", &["full-rtcp-attribute"]);
    let full = world.send(full);
    let line = format!("a=rtcp:{} IN IP4 {ADVERTISED}", full.port() + 1);
    assert!(full.has_line(&line), "{}", full.sdp());
}

#[test]
fn loop_protect_returns_a_body_that_has_been_here_as_it_is() {
    let mut world = World::new();
    let protected = |sdp: &str| offer(sdp).list("flags", &["loop-protect"]);
    let first = world.send(protected(&audio(A, 4000)));
    let held = world.pool.held.len();
    let second = world.send(protected(first.sdp()).but("from-tag", "x"));
    assert_eq!(second.sdp(), first.sdp());
    assert_eq!(world.pool.held.len(), held);
}

#[test]
fn replace_origin_shows_our_address_and_a_steady_version() {
    let mut world = World::new();
    let replaced = |sdp: &str| offer(sdp).list("replace", &["origin", "sdp-version"]);
    let first = world.send(replaced(&audio(A, 4000)));
    assert!(first.has_line(&format!("o=- 1 1 IN IP4 {ADVERTISED}")));
    let newer = audio(A, 4000).replace("o=- 1 1", "o=- 1 7");
    let second = world.send(replaced(&newer));
    assert_eq!(second.sdp(), first.sdp());
    let moved = world.send(replaced(&audio(A, 4002)));
    assert!(moved.has_line(&format!("o=- 1 2 IN IP4 {ADVERTISED}")));
}

#[test]
fn tos_is_configured_unless_the_offer_says_otherwise() {
    let mut world = World::with(Settings {
        tos: 184,
        ..Settings::default()
    });
    let (to_b, _) = world.call();
    assert_eq!(world.plan(to_b).tos, 184);
    world.send(offer(&audio(A, 4000)).with("to-tag", "b").with("TOS", 40));
    assert_eq!(world.plan(to_b).tos, 40);
    assert!(
        world
            .actions
            .iter()
            .all(|action| matches!(action, Action::Update { .. }))
    );
}

#[test]
fn a_version_that_is_taken_over_goes_on_from_the_last_one_sent() {
    let mut world = World::new();
    let version = |sdp: &str, version: u32| sdp.replace("o=- 1 1", &format!("o=- 1 {version}"));
    world.send(offer(&version(&audio(A, 4000), 5)));
    world.send(offer(&version(&audio(A, 4000), 7)));
    let taken_over = offer(&version(&audio(A, 4002), 8)).list("replace", &["sdp-version"]);
    assert!(world.send(taken_over).sdp().contains("o=- 1 8 "));
}

#[test]
fn trust_address_believes_the_sdp_where_sip_source_is_configured() {
    let mut world = World::with(Settings {
        sip_source: true,
        ..Settings::default()
    });
    let source = vec!["IP4".into(), "192.0.2.77".into()];
    let trusting = offer(&audio(A, 4000))
        .with("received-from", source)
        .list("flags", &["trust-address"]);
    world.send(trusting);
    assert!(
        world
            .plans
            .values()
            .any(|plan| plan.endpoint == at("198.51.100.10:4000"))
    );
}

#[test]
fn ice_is_removed_or_passes_as_it_is() {
    let mut world = World::new();
    let candidate = "a=candidate:1 1 UDP 2130706431 198.51.100.10 4000 typ host";
    let body = sdp_of(
        A,
        &["m=audio 4000 RTP/AVP 0", "a=ice-ufrag:abcd", candidate],
    );
    assert!(world.send(offer(&body)).has_line(candidate));
    let removed = world.send(offer(&body).with("ICE", "remove"));
    assert!(!removed.sdp().contains("a=candidate") && !removed.sdp().contains("a=ice"));
}

#[test]
fn the_greatest_version_there_is_does_no_harm() {
    let mut world = World::new();
    let greatest = audio(A, 4000).replace("o=- 1 1", &format!("o=- 1 {}", u64::MAX));
    let offer = offer(&greatest).list("replace", &["force-increment-sdp-ver"]);
    assert!(world.send(offer).sdp().contains("o=- 1 0 "));
}

#[test]
fn header_extensions_that_one_side_does_not_know_are_kept_from_it() {
    let mut world = World::new();
    let extended = |address: &str, port: u16, names: &[(u8, &str)]| {
        let lines: String = names
            .iter()
            .map(|(id, name)| format!("a=extmap:{id} urn:{name}\r\n"))
            .collect();
        audio(address, port) + &lines
    };
    let all = [(1, "one"), (2, "two"), (3, "three"), (4, "four")];
    let offered = world.send(
        offer(&extended(A, 4000, &all))
            .with("rtpp-flags", "extmap=[strip=[urn:four] mask=[urn:three]]"),
    );
    let answered = world.send(answer(&extended(B, 5000, &[(1, "one"), (2, "two")])));
    let ids = |port: u16| world.plan(port).sinks[0].treatment.extensions;
    let both = Some([1, 2].into_iter().collect());
    assert_eq!((ids(offered.port()), ids(answered.port())), (both, both));
}

#[test]
fn without_extmap_all_header_extensions_pass() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    for port in [to_b, to_a] {
        assert_eq!(world.plan(port).sinks[0].treatment.extensions, None);
    }
}

#[test]
fn what_cannot_be_encrypted_here_is_said() {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)).with("transport protocol", "RTP/SAVP"));
    let notices = world.calls.take_notices();
    let [Notice::Warning { text, .. }] = &notices[..] else {
        panic!("{notices:?}");
    };
    assert!(
        text.starts_with("RTP/SAVP is not made of RTP/AVP"),
        "{text}"
    );
}

#[test]
fn short_packets_are_blocked_of_the_sender_where_its_codecs_have_one_length() {
    let mut world = World::new();
    let speech = |address, port: u16| {
        let lines = [
            &format!("m=audio {port} RTP/AVP 0 8 96 101"),
            "a=rtpmap:96 opus/48000/2",
            "a=rtpmap:101 telephone-event/8000",
        ];
        sdp_of(address, &lines)
    };
    let offer = offer(&speech(A, 4000)).list("flags", &["block-short"]);
    let to_b = world.send(offer).port();
    let to_a = world.send(answer(&speech(B, 5000))).port();
    assert_eq!(world.plan(to_a).never_short, PayloadTypes(1 << 8 | 1));
    assert_eq!(world.plan(to_b).never_short, PayloadTypes::NONE);
}

#[test]
fn a_nat_is_pierced_towards_the_sender_as_soon_as_it_has_said_where_it_is() {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)).list("flags", &["pierce-NAT"]));
    let piercing = |world: &World| {
        let plans = world.plans.values().filter(|plan| plan.pierce_nat);
        plans.map(|plan| plan.endpoint).collect::<Vec<_>>()
    };
    let of_a = [at("198.51.100.10:4000"), at("198.51.100.10:4001")];
    assert_eq!(piercing(&world), of_a);
    world.send(answer(&audio(B, 5000)));
    assert_eq!(piercing(&world), of_a);
}
