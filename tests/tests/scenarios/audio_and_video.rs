//! A call with two medias, each with ports and flows of its own; the second is taken away while the first goes on.

use std::net::SocketAddr;

use lab::call::{answer_request, new_call_id, offer_request};
use lab::{
    Call, CallOptions, Endpoint, Engine, Family, NgClient, Side, Stage, TwoNetworks, sdp,
    wait_until,
};
use serde_json::Value;

/// Audio at `audio`, video at `video`; `None`: the media is rejected.
fn body(audio: &Endpoint, video: Option<&Endpoint>) -> String {
    let port = video.map_or(0, |video| video.address().port());
    let video = format!("m=video {port} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n");
    sdp::audio(audio.address()) + &video
}

/// The relay's ports in the order of the medias.
fn ports(reply: &Value) -> Vec<u16> {
    let body = reply["sdp"].as_str().unwrap();
    let medias = body.lines().filter(|line| line.starts_with("m="));
    medias
        .map(|line| line.split(' ').nth(1).unwrap().parse().unwrap())
        .collect()
}

fn bind(net: &TwoNetworks, side: Side) -> Endpoint {
    Endpoint::bind(net.far(side), side.far(Family::V4))
}

/// Offer and answer; the ports that the callee and the caller send to.
fn negotiate(ng: &NgClient, id: &str, offer: &str, answer: &str) -> [Vec<u16>; 2] {
    let options = CallOptions::default();
    let callee_to = ports(&ng.ok(&offer_request(id, offer, &options)));
    let caller_to = ports(&ng.ok(&answer_request(id, answer, &options)));
    [callee_to, caller_to]
}

fn both_medias_pass(engine: Engine) {
    let Some(stage) = Stage::with(engine) else {
        return;
    };
    let Stage { ng, relay, net } = &stage;
    let (callers, callees) = (
        [bind(net, Side::A), bind(net, Side::A)],
        [bind(net, Side::B), bind(net, Side::B)],
    );
    for (video, ssrc) in [(&callers[1], 96_001), (&callees[1], 96_002)] {
        video.change_stream(96, ssrc);
    }
    let id = new_call_id();
    let offer = body(&callers[0], Some(&callers[1]));
    let answer = body(&callees[0], Some(&callees[1]));
    let only_audio = [body(&callers[0], None), body(&callees[0], None)];
    let [callee_to, caller_to] = negotiate(ng, &id, &offer, &answer);
    let at = |side: Side, port| SocketAddr::new(side.relay(Family::V4), port);
    let medias = callers.into_iter().zip(callees).zip(0..);
    let calls: Vec<Call> = medias
        .map(|((caller, callee), media)| Call {
            id: id.clone(),
            caller,
            callee,
            caller_to: at(Side::A, caller_to[media]),
            callee_to: at(Side::B, callee_to[media]),
        })
        .collect();
    calls.iter().for_each(|media| media.talk(20));
    if engine != Engine::Null {
        wait_until("all four streams in the kernel", || {
            calls.iter().for_each(|media| media.talk(2));
            calls[0].rtp_streams(ng).len() == 4 && calls[0].is_in_kernel(ng)
        });
    }
    calls.iter().for_each(|media| media.talk(50));
    let without_video = negotiate(ng, &id, &only_audio[0], &only_audio[1]);
    assert_eq!(without_video, [[callee_to[0], 0], [caller_to[0], 0]]);
    calls[0].talk(50);
    let before = calls[1].callee.arrivals().len();
    calls[1].send_both(10);
    calls[0].talk(50);
    assert_eq!(calls[1].callee.arrivals().len(), before);
    calls[0].hang_up(ng);
    relay.assert_idle(&net.relay);
}

#[test]
fn in_user_space() {
    both_medias_pass(Engine::Null);
}

#[test]
fn in_the_kernel() {
    both_medias_pass(Engine::Tc);
}
