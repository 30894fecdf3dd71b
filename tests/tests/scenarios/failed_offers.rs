//! A failed or empty offer leaves nothing behind: no call, no port.

use lab::call::{new_call_id, offer_request};
use lab::{CallOptions, Engine, Lab, Relay, TwoNetworks, Wiring, sdp};
use serde_json::{Value, json};

/// The reply to an offer that has to fail, after which nothing is left.
fn refused(sdp: Option<&str>, options: &[&str]) -> Option<Value> {
    let lab = Lab::for_underpass()?;
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let launch = Relay::under_test().engine(Engine::Null).two_networks();
    let relay = options
        .iter()
        .fold(launch, |launch, option| launch.option(option))
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let mut request = offer_request(
        &new_call_id(),
        sdp.unwrap_or_default(),
        &CallOptions::default(),
    );
    if sdp.is_none() {
        request.as_object_mut().unwrap().remove("sdp");
    }
    let reply = ng.request(&request);
    relay.assert_idle(&net.relay);
    Some(reply)
}

fn is_error(reply: &Value, reason: &str) -> bool {
    reply["result"] == "error" && reply["error-reason"] == reason
}

#[test]
fn without_sdp() {
    let Some(reply) = refused(None, &[]) else {
        return;
    };
    assert!(is_error(&reply, "No SDP body in message"), "{reply}");
}

#[test]
fn with_sdp_that_is_none() {
    let Some(reply) = refused(Some("this is not SDP\r\n"), &[]) else {
        return;
    };
    assert_eq!(reply["result"], "error", "{reply}");
}

#[test]
fn with_sdp_that_ends_early() {
    let Some(reply) = refused(Some("v=0\r\no=lab 1 1 IN IP4"), &[]) else {
        return;
    };
    assert_eq!(reply["result"], "error", "{reply}");
}

#[test]
fn without_media_lines() {
    let sdp = "v=0\r\no=lab 1 1 IN IP4 10.1.0.2\r\ns=-\r\nc=IN IP4 10.1.0.2\r\nt=0 0\r\n";
    assert!(refused(Some(sdp), &[]).is_none_or(|reply| reply["result"].is_string()));
}

#[test]
fn when_the_ports_have_run_out() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    // Room for two calls: each takes an RTP and an RTCP port a side.
    let relay = Relay::under_test()
        .engine(Engine::Null)
        .two_networks()
        .option("--port-min=30000")
        .option("--port-max=30003")
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let sdp = sdp::audio("10.1.0.2:4000".parse().unwrap());
    let offer = || {
        ng.request(&offer_request(
            &new_call_id(),
            &sdp,
            &CallOptions::default(),
        ))
    };
    let replies = [offer(), offer(), offer()];
    assert_eq!(
        (&replies[0]["result"], &replies[1]["result"]),
        (&json!("ok"), &json!("ok")),
        "{replies:?}"
    );
    assert!(is_error(&replies[2], "Ran out of ports"), "{}", replies[2]);
    let calls = relay.calls(&net.relay);
    assert_eq!(calls.len(), 2, "{calls:?}");
    for call in calls {
        ng.ok(&json!({"command": "delete", "call-id": call}));
    }
    relay.assert_idle(&net.relay);
}
