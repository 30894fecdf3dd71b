//! Records of calls that have ended.

use super::world::*;
use crate::call::{Cdr, Notice, Settings};

fn world() -> World {
    World::with(Settings {
        cdr: true,
        tos: 184,
        ..Settings::default()
    })
}

fn record(world: &mut World) -> Option<Cdr> {
    let notices = world.calls.take_notices();
    notices.into_iter().find_map(|notice| match notice {
        Notice::Ended { cdr, .. } => cdr,
        Notice::Warning { .. } => None,
    })
}

fn line(world: &mut World) -> String {
    record(world).unwrap().line(at("192.0.2.9:5060"))
}

#[test]
fn an_ended_call_is_one_line_in_rtpengines_words() {
    let mut world = world();
    let (to_b, to_a) = world.call();
    world.pass(1);
    world.packet(to_a);
    world.view(to_a).kernel_packets = 10;
    world.view(to_a).kernel_bytes = 1720;
    world.view(to_a).endpoint = at("198.51.100.66:6666");
    world.view(to_b).errors = 3;
    world.pass_ms(1_500);
    world.send(delete().with("delete-delay", 0));
    let stream =
        |party: u8, kind: &str, endpoint: &str, local: u16, counts: [u32; 3], last: u32| {
            let (ip, port) = endpoint.split_once(':').unwrap();
            let [packets, bytes, errors] = counts;
            [
                format!("endpoint_ip={ip}"),
                format!("endpoint_port={port}"),
                format!("local_relay_ip={LOCAL}"),
                format!("local_relay_port={local}"),
                format!("relayed_packets={packets}"),
                format!("relayed_bytes={bytes}"),
                format!("relayed_errors={errors}"),
                format!("last_packet={last}"),
                "in_tos_tclass=0".to_owned(),
            ]
            .map(|field| format!("ml{party}_midx1_{kind}_{field}, "))
            .concat()
        };
    let party = |number: u8, own: &str, kind: &str, other: &str| {
        [
            "start_time=1700000000.250000",
            "end_time=1700000002.750000",
            "duration=2.500000",
            "termination=REGULAR",
            &format!("local_tag={own}"),
            &format!("local_tag_type={kind}"),
            &format!("remote_tag={other}"),
        ]
        .map(|field| format!("ml{number}_{field}, "))
        .concat()
    };
    let expected = [
        "ci=c, created_from=192.0.2.9:5060, last_signal=1700000000, tos=184, ".to_owned(),
        party(0, "a", "FROM_TAG", "b"),
        "payload_type=0, ".to_owned(),
        stream(
            0,
            "rtp",
            "198.51.100.66:6666",
            to_a,
            [11, 1892, 0],
            1_700_000_001,
        ),
        stream(
            0,
            "rtcp",
            "198.51.100.10:4001",
            to_a + 1,
            [0, 0, 0],
            1_700_000_000,
        ),
        party(1, "b", "TO_TAG", "a"),
        "payload_type=unknown, ".to_owned(),
        stream(
            1,
            "rtp",
            "198.51.100.20:5000",
            to_b,
            [0, 0, 3],
            1_700_000_000,
        ),
        stream(
            1,
            "rtcp",
            "198.51.100.20:5001",
            to_b + 1,
            [0, 0, 0],
            1_700_000_000,
        ),
    ];
    assert_eq!(line(&mut world), expected.concat());
}

#[test]
fn a_party_that_never_answered_has_no_tag_and_no_endpoint() {
    let mut world = world();
    world.send(offer(&audio(A, 4000)));
    world.send(delete().with("delete-delay", 0));
    let line = line(&mut world);
    for field in [
        "ml0_remote_tag=(null), ",
        "ml1_local_tag=(null), ",
        "ml1_local_tag_type=UNKNOWN, ",
        "ml1_midx1_rtp_endpoint_ip=, ",
        "ml1_midx1_rtp_endpoint_port=0, ",
    ] {
        assert!(line.contains(field), "{field} {line}");
    }
}

#[test]
fn a_record_says_why_the_call_ended() {
    let mut world = world();
    world.call();
    world.pass(60);
    assert!(line(&mut world).contains("ml1_termination=TIMEOUT, "));
    world.call();
    let actions = world.calls.close(&"c".into(), world.now, &world.streams);
    world.finish(actions);
    assert!(line(&mut world).contains("ml1_termination=FORCED, "));
}

#[test]
fn rtcp_on_the_port_of_rtp_has_no_fields_of_its_own() {
    let mut world = world();
    let sdp = |address, port| {
        let section = format!("m=audio {port} RTP/AVP 0");
        sdp_of(address, &[&section, "a=rtcp-mux"])
    };
    world.send(offer(&sdp(A, 4000)));
    world.send(answer(&sdp(B, 5000)));
    world.send(delete().with("delete-delay", 0));
    let line = line(&mut world);
    assert!(
        line.contains("ml1_midx1_rtp_endpoint_port=5000, "),
        "{line}"
    );
    assert!(!line.contains("_rtcp_"), "{line}");
}

#[test]
fn what_a_client_sends_cannot_begin_a_line() {
    let mut world = world();
    world.send(
        offer(&audio(A, 4000))
            .but("call-id", "x\nci=y")
            .but("from-tag", "\n"),
    );
    world.send(
        command("delete")
            .with("call-id", "x\nci=y")
            .with("delete-delay", 0),
    );
    let line = line(&mut world);
    assert!(line.starts_with("ci=x\\nci=y, "), "{line}");
    assert!(!line.contains('\n'), "{line}");
}

#[test]
fn no_record_is_made_where_none_is_kept() {
    let mut world = World::new();
    world.call();
    world.send(delete().with("delete-delay", 0));
    assert_eq!(record(&mut world), None);
}
