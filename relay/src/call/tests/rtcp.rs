//! What becomes of RTCP, as signalling asks.

use super::world::*;
use crate::call::Settings;
use crate::plan::{Generated, StreamId};

fn with_protocol(sdp: &str, protocol: &str) -> String {
    sdp.replace("RTP/AVP ", &format!("{protocol} "))
}

#[test]
fn rtcp_passes_through_unless_somebody_asks() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    for port in [to_a, to_a + 1, to_b, to_b + 1] {
        assert_eq!(world.plan(port).rtcp, crate::plan::RtcpHandling::default());
    }
}

#[test]
fn generated_reports_leave_through_the_rtcp_ports_of_both_sides() {
    let mut world = World::with(Settings {
        rtcp_interval_ms: 3000,
        ..Settings::default()
    });
    let offered = world.send(offer(&audio(A, 4000)).with("generate RTCP", "on"));
    let answered = world.send(answer(&audio(B, 5000)));
    for port in [offered.port(), answered.port()] {
        let expected = Generated {
            every_ms: 3000,
            media: StreamId(u64::from(port)),
        };
        assert!(world.plan(port).rtcp.consumed);
        assert_eq!(world.plan(port).rtcp.generated, None);
        assert!(world.plan(port + 1).rtcp.consumed);
        assert_eq!(world.plan(port + 1).rtcp.generated, Some(expected));
    }
}

#[test]
fn multiplexed_they_leave_through_the_rtp_port() {
    let muxed = |address, port: u16| format!("{}a=rtcp-mux\r\n", audio(address, port));
    let mut world = World::new();
    let offered = world.send(offer(&muxed(A, 4000)).list("flags", &["generate-RTCP"]));
    world.send(answer(&muxed(B, 5000)));
    assert!(world.plan(offered.port()).rtcp.generated.is_some());
    assert_eq!(world.plan(offered.port() + 1).rtcp.generated, None);
}

#[test]
fn generating_goes_on_until_it_is_switched_off() {
    let mut world = World::new();
    let offered = world.send(offer(&audio(A, 4000)).with("generate RTCP", "on"));
    world.send(answer(&audio(B, 5000)));
    world.send(offer(&audio(A, 4000)).with("to-tag", "b"));
    assert!(world.plan(offered.port()).rtcp.consumed);
    world.send(
        offer(&audio(A, 4000))
            .with("to-tag", "b")
            .with("generate RTCP", "off"),
    );
    assert!(!world.plan(offered.port()).rtcp.consumed);
    assert_eq!(world.plan(offered.port() + 1).rtcp.generated, None);
}

#[test]
fn a_party_whose_profile_has_no_feedback_is_sent_none() {
    let mut world = World::new();
    let with_feedback = with_protocol(&audio(A, 4000), "RTP/AVPF");
    let offered = world.send(offer(&with_feedback).with("transport protocol", "RTP/AVP"));
    let answered = world.send(answer(&audio(B, 5000)));
    assert!(world.plan(offered.port() + 1).rtcp.without_feedback);
    assert!(!world.plan(answered.port() + 1).rtcp.without_feedback);
}
