//! rtcp-mux in SDP and in plans. Who decides what is tested beside the rules (`mux`).

use super::world::*;
use crate::plan::Sink;

fn muxed(address: &str, port: u16) -> String {
    let media = format!("m=audio {port} RTP/AVP 0");
    sdp_of(address, &[&media, "a=rtcp-mux"])
}

#[test]
fn passed_through_it_leaves_rtcp_on_the_rtp_ports() {
    let mut world = World::new();
    let offered = world.send(offer(&muxed(A, 4000)));
    assert!(offered.has_line("a=rtcp-mux"));
    assert!(offered.has_line(&format!("a=rtcp:{}", offered.port() + 1)));
    let answered = world.send(answer(&muxed(B, 5000)));
    assert!(answered.has_line("a=rtcp-mux"));
    assert!(answered.has_line(&format!("a=rtcp:{}", answered.port())));
    let plan = world.plan(offered.port());
    assert_eq!(plan.sinks, [Sink::untouched(plan.rtcp_sinks[0])]);
    assert_eq!(world.plan(answered.port() + 1).endpoint, None);
}

#[test]
fn required_it_is_offered_without_a_port_to_fall_back_to() {
    let mut world = World::new();
    let offered = world.send(offer(&audio(A, 4000)).list("rtcp-mux", &["require"]));
    assert!(offered.has_line("a=rtcp-mux"));
    assert!(offered.has_line(&format!("a=rtcp:{}", offered.port())));
}

#[test]
fn between_a_muxed_and_a_split_side_rtcp_changes_ports() {
    let mut world = World::new();
    let offered = world.send(offer(&muxed(A, 4000)).list("rtcp-mux", &["demux"]));
    assert!(!offered.has_line("a=rtcp-mux"));
    let answered = world.send(answer(&audio(B, 5000)));
    assert!(answered.has_line("a=rtcp-mux"));
    let (to_b, to_a) = (u64::from(offered.port()), u64::from(answered.port()));
    assert_eq!(world.plan(answered.port()).rtcp_sinks[0].0, to_b + 1);
    assert_eq!(world.plan(offered.port() + 1).rtcp_sinks[0].0, to_a);
}

#[test]
fn declined_by_the_answer_it_is_declined_towards_the_offerer() {
    let mut world = World::new();
    world.send(offer(&muxed(A, 4000)));
    let answered = world.send(answer(&audio(B, 5000)));
    assert!(!answered.has_line("a=rtcp-mux"));
    assert_eq!(
        world.plan(answered.port() + 1).endpoint,
        at("198.51.100.10:4001")
    );
}

#[test]
fn answered_though_nobody_offered_it_it_stays_on_the_answerers_side() {
    let mut world = World::new();
    let offered = world.send(offer(&audio(A, 4000)));
    let answered = world.send(answer(&muxed(B, 5000)));
    assert!(!answered.has_line("a=rtcp-mux"));
    assert!(answered.has_line(&format!("a=rtcp:{}", answered.port() + 1)));
    let to_a = u64::from(answered.port());
    assert_eq!(world.plan(offered.port()).rtcp_sinks[0].0, to_a + 1);
}
