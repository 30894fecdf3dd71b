//! A retransmitted command is answered again, not executed again; two commands never get each other's reply.

use lab::call::{new_call_id, offer_request, sent_sdp};
use lab::{CallOptions, Encoding, Engine, Lab, NgClient, Relay, TwoNetworks, Wiring, sdp};
use serde_json::{Value, json};

struct Ground {
    net: TwoNetworks,
    relay: Relay,
    ng: NgClient,
}

fn ground(lab: &Lab) -> Ground {
    let net = TwoNetworks::build(lab, Wiring::Veth);
    let relay = Relay::under_test()
        .engine(Engine::Null)
        .two_networks()
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    Ground { net, relay, ng }
}

fn offer(call: &str) -> Value {
    offer_request(
        call,
        &sdp::audio("10.1.0.2:4000".parse().unwrap()),
        &CallOptions::default(),
    )
}

#[test]
fn the_same_bytes_get_the_same_reply() {
    let Some(lab) = Lab::open() else { return };
    let ground = ground(&lab);
    let datagram = ground.ng.datagram("cookie", &offer(&new_call_id()));
    let first = ground.ng.exchange_raw(&datagram).unwrap();
    let used = ground.relay.metrics(&ground.net.relay).ports_used();
    assert_eq!(ground.ng.exchange_raw(&datagram).unwrap(), first);
    assert_eq!(ground.relay.metrics(&ground.net.relay).ports_used(), used);
}

#[test]
fn the_same_bytes_from_another_port_get_the_same_reply() {
    let Some(lab) = Lab::open() else { return };
    let ground = ground(&lab);
    let datagram = ground.ng.datagram("cookie", &offer(&new_call_id()));
    let first = ground.ng.exchange_raw(&datagram).unwrap();
    let other = ground.relay.client(&ground.net.relay);
    assert_eq!(other.exchange_raw(&datagram).unwrap(), first);
    assert_eq!(ground.relay.calls(&ground.net.relay).len(), 1);
}

#[test]
fn the_same_cookie_with_another_call_is_another_command() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let ground = ground(&lab);
    let other = ground.relay.client(&ground.net.relay);
    let first = ground
        .ng
        .request_with_cookie("same", &offer(&new_call_id()));
    let second = other.request_with_cookie("same", &offer(&new_call_id()));
    assert_ne!(sent_sdp(&first), sent_sdp(&second));
    assert_eq!(ground.relay.calls(&ground.net.relay).len(), 2);
}

#[test]
fn the_same_cookie_with_another_command_is_another_command() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let ground = ground(&lab);
    let ping = ground
        .ng
        .request_with_cookie("same", &json!({"command": "ping"}));
    let list = ground
        .ng
        .request_with_cookie("same", &json!({"command": "list"}));
    assert_eq!(
        (&ping["result"], &list["result"]),
        (&json!("pong"), &json!("ok"))
    );
}

#[test]
fn a_reply_comes_in_the_encoding_of_its_request() {
    let Some(lab) = Lab::open() else { return };
    let ground = ground(&lab);
    let ping = json!({"command": "ping"});
    assert_eq!(ground.ng.request(&ping)["result"], "pong");
    let json = ground
        .relay
        .client(&ground.net.relay)
        .encoding(Encoding::Json);
    assert_eq!(json.request(&ping)["result"], "pong");
}

#[test]
fn an_error_is_repeated_too() {
    let Some(lab) = Lab::open() else { return };
    let ground = ground(&lab);
    let datagram = ground.ng.datagram(
        "cookie",
        &json!({"command": "query", "call-id": "nobody's"}),
    );
    let first = ground.ng.exchange_raw(&datagram).unwrap();
    assert!(String::from_utf8_lossy(&first).contains("Unknown call-id"));
    assert_eq!(ground.ng.exchange_raw(&datagram).unwrap(), first);
}
