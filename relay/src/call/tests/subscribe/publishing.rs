//! Media of somebody who talks to nobody.

use super::*;

#[test]
fn a_publisher_is_answered_with_one_codec_to_be_received() {
    let mut world = World::new();
    let reply = world.send(publish(&directed(A, 4000, "sendonly")));
    assert!(reply.has_line("a=recvonly"));
    assert!(reply.sdp().contains(" RTP/AVP 0\r\n"), "{}", reply.sdp());
    assert!(reply.sdp().contains("\r\ns=underpass\r\nt=0 0\r\n"));
    assert_eq!(reply.address(), ip(ADVERTISED));
    assert_eq!((reply.text("call-id"), reply.text("from-tag")), ("c", "a"));
    assert_eq!(world.pool.held.len(), 1);
    assert_eq!(world.plan(reply.port()).endpoint, at("198.51.100.10:4000"));
}

#[test]
fn a_publisher_may_leave_its_names_to_us() {
    let mut world = World::new();
    let sdp = directed(A, 4000, "sendonly");
    let reply = world.send(command("publish").with("sdp", sdp));
    assert_eq!(reply.text("call-id").len(), 64);
    assert_eq!(reply.text("from-tag").len(), 64);
    assert_ne!(reply.text("call-id"), reply.text("from-tag"));
}

#[test]
fn a_publisher_is_told_to_send_what_is_to_be_accepted() {
    let mut world = World::new();
    let accepting = |world: &mut World, codec: &'static str| {
        let reply = world.send(publish(&audio(A, 4000)).list("codec-accept", &[codec]));
        reply.session().medias[0].formats.join(" ")
    };
    assert_eq!(accepting(&mut world, "PCMA"), "8");
    assert_eq!(accepting(&mut world, "opus"), "0");
    let unknown = sdp_of(A, &["m=audio 4000 RTP/AVP 96 8", "a=rtpmap:96 foobar/8000"]);
    assert!(
        world
            .send(publish(&unknown))
            .sdp()
            .contains(" RTP/AVP 8\r\n")
    );
    let any = world.send(publish(&unknown).list("codec-accept", &["any"]));
    assert!(any.sdp().contains(" RTP/AVP 96\r\n"));
}

#[test]
fn publishing_again_counts_the_version_only_if_it_says_something_else() {
    let mut world = World::new();
    let origin = |world: &mut World, port| {
        let reply = world.send(publish(&audio(A, port)));
        let origin = reply.sdp().lines().nth(1).unwrap().to_owned();
        (reply.port(), origin)
    };
    let (port, first) = origin(&mut world, 4000);
    assert_eq!(origin(&mut world, 4000), (port, first.clone()));
    let video = sdp_of(A, &["m=video 4002 RTP/AVP 31"]);
    let other = world.send(publish(&video));
    assert_ne!(other.sdp().lines().nth(1), Some(first.as_str()));
}

#[test]
fn what_is_encrypted_cannot_be_published() {
    let mut world = World::new();
    let reply = world.send(publish(&sdp_of(A, &["m=audio 4000 RTP/SAVP 0"])));
    assert_eq!(reply.port(), 0);
    assert_eq!(world.pool.held.len(), 0);
}

#[test]
fn what_is_published_is_heard_by_who_subscribes() {
    let mut world = World::new();
    let published = world.send(publish(&directed(A, 4000, "sendonly")));
    assert_eq!(sinks(&world, published.port()), [0; 0]);
    let offered = world.send(request().with("from-tag", "a"));
    assert!(offered.sdp().contains(" RTP/AVP 0\r\n"));
    let sdp = sdp_of(C, &["m=audio 6000 RTP/AVP 0", "a=recvonly"]);
    world.send(subscribe_answer(offered.text("to-tag"), &sdp));
    assert_eq!(sinks(&world, published.port()), [u64::from(offered.port())]);
}
