//! The flag `reset`: an offer to a party that nothing is known of.

use super::world::*;

fn muxed(address: &str, port: u16) -> String {
    let media = format!("m=audio {port} RTP/AVP 0");
    sdp_of(address, &[&media, "a=rtcp-mux"])
}

fn reset(sdp: &str) -> Command {
    offer(sdp).with("to-tag", "b").list("flags", &["reset"])
}

#[test]
fn sources_are_learned_anew_on_the_same_ports() {
    let mut world = World::new();
    let (to_b, to_a) = world.call();
    let ports = [to_b, to_b + 1, to_a, to_a + 1];
    let again = offer(&audio(A, 4000)).with("to-tag", "b");
    world.send(again);
    assert_eq!(ports.map(|port| world.plan(port).resets), [0; 4]);
    assert_eq!(world.send(reset(&audio(A, 4000))).port(), to_b);
    assert_eq!(ports.map(|port| world.plan(port).resets), [1; 4]);
    assert_eq!(world.send(answer(&audio(B, 5000))).port(), to_a);
    assert_eq!(ports.map(|port| world.plan(port).resets), [1; 4]);
}

#[test]
fn an_answer_resets_nothing() {
    let mut world = World::new();
    let (to_b, _) = world.call();
    world.send(answer(&audio(B, 5000)).list("flags", &["reset"]));
    assert_eq!(world.plan(to_b).resets, 0);
}

#[test]
fn that_the_answerer_multiplexes_is_forgotten() {
    let again = |command: fn(&str) -> Command| {
        let mut world = World::new();
        world.send(offer(&muxed(A, 4000)).list("rtcp-mux", &["require"]));
        world.send(answer(&muxed(B, 5000)));
        world.send(command(&audio(A, 4000))).has_line("a=rtcp-mux")
    };
    assert!(again(|sdp| offer(sdp).with("to-tag", "b")));
    assert!(!again(reset));
}

#[test]
fn what_profile_the_answerer_wants_is_forgotten() {
    let again = |command: fn(&str) -> Command| {
        let mut world = World::new();
        let first = offer(&audio(A, 4000));
        world.send(first.with("transport-protocol", "RTP/AVPF"));
        world.send(answer(&sdp_of(B, &["m=audio 5000 RTP/AVPF 0"])));
        let offered = world.send(command(&audio(A, 4000)));
        offered.session().medias[0].protocol.as_str().to_owned()
    };
    assert_eq!(again(|sdp| offer(sdp).with("to-tag", "b")), "RTP/AVPF");
    assert_eq!(again(reset), "RTP/AVP");
}

#[test]
fn that_the_answerer_bundles_is_forgotten() {
    let body = |address: &str, group: &str| {
        let lines = [
            group,
            "m=audio 4000 RTP/AVP 0",
            "a=mid:a",
            "m=video 4000 RTP/AVP 31",
            "a=mid:v",
        ];
        sdp_of(address, &lines)
    };
    let again = |command: fn(&str) -> Command| {
        let mut world = World::new();
        let first = offer(&body(A, "a=x")).list("bundle", &["require"]);
        assert!(world.send(first).has_line("a=group:BUNDLE a v"));
        world.send(answer(&body(B, "a=group:BUNDLE a v")));
        let offered = world.send(command(&body(A, "a=x")));
        offered.has_line("a=group:BUNDLE a v")
    };
    assert!(again(|sdp| offer(sdp).with("to-tag", "b")));
    assert!(!again(reset));
}

#[test]
fn codecs_that_were_agreed_on_are_forgotten() {
    let mut world = World::new();
    world.call();
    let other = sdp_of(A, &["m=audio 4000 RTP/AVP 9"]);
    let offer = reset(&other).but("flags", "reset,static-codecs");
    assert!(world.send(offer).sdp().contains(" RTP/AVP 9\r\n"));
}
