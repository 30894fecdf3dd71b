//! BUNDLE in plans: what arrives at one port for several sections goes to each what is its own. What is said about it stands in
//! `rules/bundle.txt`.

use super::world::*;
use crate::datapath::PayloadTypes;
use crate::plan::{Sink, StreamId, Treatment};

const GROUP: &str = "a=group:BUNDLE a v";

fn bundled(address: &str, port: u16, video: u16) -> String {
    let audio = format!("m=audio {port} RTP/AVP 0");
    let video = format!("m=video {video} RTP/AVP 105");
    sdp_of(address, &[GROUP, &audio, "a=mid:a", &video, "a=mid:v"])
}

fn types(numbers: &[u8]) -> PayloadTypes {
    PayloadTypes(numbers.iter().fold(0, |set, number| set | 1 << number))
}

fn dropping(port: u16, numbers: &[u8]) -> Sink {
    Sink {
        stream: StreamId(u64::from(port)),
        treatment: Treatment {
            dropped: types(numbers),
            ..Treatment::default()
        },
    }
}

#[test]
fn a_bundle_is_told_apart_by_payload_type() {
    let mut world = World::new();
    let offered = world.send(offer(&bundled(A, 4000, 4002)).with("rtpp-flags", "BUNDLE-accept"));
    let answered = world.send(answer(&bundled(B, 5000, 5002)));
    let (audio, video, both) = (offered.port_of(0), offered.port_of(1), answered.port());
    assert_eq!(answered.port_of(1), both);
    let expected = [dropping(audio, &[105]), dropping(video, &[0])];
    assert_eq!(world.plan(both).sinks, expected);
    for port in [audio, video] {
        let expected = [Sink::untouched(StreamId(u64::from(both)))];
        assert_eq!(world.plan(port).sinks, expected);
    }
    assert_eq!(world.pool.held.len(), 3);
}

#[test]
fn a_section_without_a_port_is_sent_to_where_its_bundle_is() {
    let mut world = World::new();
    let body = bundled(A, 4000, 0) + "a=bundle-only\r\n";
    let offered = world.send(offer(&body).with("rtpp-flags", "BUNDLE-accept"));
    let answered = world.send(answer(&bundled(B, 5000, 5002)));
    assert_ne!(offered.port_of(1), 0);
    let endpoint = world.plan(answered.port()).endpoint;
    assert_eq!(endpoint, at(&format!("{A}:4000")));
}

#[test]
fn between_two_bundles_nothing_is_told_apart() {
    let mut world = World::new();
    let both = "BUNDLE=[accept offer]";
    let offered = world.send(offer(&bundled(A, 4000, 4000)).with("rtpp-flags", both));
    let answered = world.send(answer(&bundled(B, 5000, 5000)));
    let (to_b, to_a) = (offered.port(), answered.port());
    let only = |port: u16| vec![Sink::untouched(StreamId(u64::from(port)))];
    assert_eq!(world.plan(to_a).sinks, only(to_b));
    assert_eq!(world.plan(to_b).sinks, only(to_a));
    assert_eq!(world.plan(to_a).rtcp_sinks.len(), 1);
    assert_eq!(world.pool.held.len(), 2);
}

#[test]
fn what_is_no_longer_bundled_has_ports_again() {
    let mut world = World::new();
    world.send(offer(&bundled(A, 4000, 4002)).with("rtpp-flags", "BUNDLE-accept"));
    let bundle = world.send(answer(&bundled(B, 5000, 5002)));
    world.send(
        offer(&bundled(A, 4000, 4002))
            .with("to-tag", "b")
            .with("rtpp-flags", "BUNDLE-reject"),
    );
    let apart = world.send(answer(&bundled(B, 5000, 5002)));
    assert_eq!(apart.port_of(0), bundle.port_of(0));
    assert_ne!(apart.port_of(1), apart.port_of(0));
}
