//! Telephone events, as far as calls know of them.

use super::world::*;
use crate::call::{EventSource, Settings};
use crate::datapath::PayloadTypes;
use crate::plan::{CallKey, StreamId, TelephoneEvent};

/// A digit in the only call.
fn at_port(port: u16) -> TelephoneEvent {
    TelephoneEvent {
        call: CallKey(0),
        stream: StreamId(u64::from(port)),
        source: at("198.51.100.10:4000").unwrap(),
        code: 5,
        volume: 10,
        duration_ms: 100,
        has_ended: true,
    }
}

#[test]
fn an_event_is_of_the_party_that_its_port_faces() {
    let mut world = World::new();
    let offer = world.send(offer(&audio(A, 4000)).with("label", "caller"));
    let answer = world.send(answer(&audio(B, 5000)));
    let of = |port| world.calls.event_source(&at_port(port));
    let by_a = EventSource {
        call_id: "c".into(),
        tag: "a".into(),
        label: Some("caller".into()),
        tags: vec!["a".into(), "b".into()],
        log_dest: None,
    };
    // The port in the answer is where A sends.
    assert_eq!(of(answer.port()), Some(by_a));
    assert_eq!(of(offer.port()).unwrap().tag, "b");
    assert_eq!(of(1), None);
}

#[test]
fn events_are_told_where_somebody_listens() {
    for detect_dtmf in [false, true] {
        let mut world = World::with(Settings {
            detect_dtmf,
            ..Settings::default()
        });
        let (to_b, to_a) = world.call();
        for port in [to_a, to_b] {
            assert_eq!(world.plan(port).detect_events, detect_dtmf);
        }
    }
}

#[test]
fn which_payload_types_are_events_and_how_their_clocks_run_is_known() {
    let mut world = World::new();
    let with_events = |address, port: u16| {
        let lines = [
            &format!("m=audio {port} RTP/AVP 8 96 97"),
            "a=rtpmap:96 telephone-event/8000",
            "a=rtpmap:97 telephone-event/48000",
        ];
        sdp_of(address, &lines)
    };
    let offered = world.send(offer(&with_events(A, 4000)));
    let answered = world.send(answer(&with_events(B, 5000)));
    for port in [offered.port(), answered.port()] {
        let plan = world.plan(port);
        assert_eq!(plan.telephone_events, PayloadTypes(1 << 96 | 1 << 97));
        assert_eq!(plan.event_clock_rates, [(97, 48_000)]);
    }
}
