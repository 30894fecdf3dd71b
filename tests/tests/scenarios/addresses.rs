//! One relay with several named interfaces: which of its addresses a call uses, and which its SDP names.

use std::net::IpAddr;

use lab::call::{answer_request, new_call_id, offer_request, sent_sdp};
use lab::relay::Launch;
use lab::{
    Call, CallOptions, Endpoint, Engine, Family, Lab, Relay, Side, TwoNetworks, Wiring, sdp,
};
use serde_json::json;

use Family::V4;

/// A third logical interface, `c`: another address on network b, behind a NAT that shows it as [`ADVERTISED`].
const BEHIND_NAT: &str = "10.2.0.9";
const ADVERTISED: &str = "198.51.100.7";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn three_interfaces(engine: Engine) -> Launch {
    Relay::under_test()
        .engine(engine)
        .two_networks()
        .interface(&format!("c/{BEHIND_NAT}!{ADVERTISED}"))
}

fn networks(lab: &Lab) -> TwoNetworks {
    let net = TwoNetworks::build(lab, Wiring::Veth);
    net.relay.address("b", &format!("{BEHIND_NAT}/24"));
    net
}

fn direction(from: &str, to: &str) -> CallOptions {
    let mut options = CallOptions::default();
    options
        .keys
        .insert("direction".to_owned(), json!([from, to]));
    options
}

/// A call whose packets come from `callee_side` towards the callee although the SDP names `named`.
fn call_by(engine: Engine, options: &CallOptions, named: &str, callee_side: &str) {
    let Some(lab) = Lab::for_engine(engine) else {
        return;
    };
    let net = networks(&lab);
    let relay = three_interfaces(engine).start(&net.relay);
    let ng = relay.client(&net.relay);
    let caller = Endpoint::bind(&net.caller, Side::A.far(V4));
    let callee = Endpoint::bind(&net.callee, Side::B.far(V4));
    let id = new_call_id();
    let offer = sdp::audio(caller.address());
    let mut callee_to = sent_sdp(&ng.ok(&offer_request(&id, &offer, options)));
    assert_eq!(callee_to.ip(), ip(named));
    let answer = sdp::audio(callee.address());
    let mut request = answer_request(&id, &answer, options);
    request.as_object_mut().unwrap().remove("media address");
    let caller_to = sent_sdp(&ng.ok(&request));
    assert_eq!(caller_to.ip(), Side::A.relay(V4));
    // As the NAT before the relay, or whoever asked for the address, sees to.
    callee_to.set_ip(ip(callee_side));
    let call = Call {
        id,
        caller,
        callee,
        caller_to,
        callee_to,
    };
    call.talk(20);
    if engine != Engine::Null {
        call.bring_into_kernel(&ng);
        call.talk(50);
    }
    call.hang_up(&ng);
    relay.assert_idle(&net.relay);
}

#[test]
fn direction_chooses_the_interface_of_each_side_in_user_space() {
    call_by(Engine::Null, &direction("a", "c"), ADVERTISED, BEHIND_NAT);
}

#[test]
fn direction_chooses_the_interface_of_each_side_in_the_kernel() {
    call_by(Engine::Tc, &direction("a", "c"), ADVERTISED, BEHIND_NAT);
}

#[test]
fn peers_choose_the_interfaces_that_they_are_reached_through() {
    let peers = direction("c", "a")
        .key("inbound-peer", &Side::A.far(V4).to_string())
        .key("outbound-peer", &Side::B.far(V4).to_string());
    let b = Side::B.relay(V4).to_string();
    call_by(Engine::Null, &peers, &b, &b);
}

#[test]
fn media_address_is_what_the_sdp_names_and_nothing_else_changes() {
    let options = direction("a", "b").key("media address", "203.0.113.99");
    let real = Side::B.relay(V4).to_string();
    call_by(Engine::Null, &options, "203.0.113.99", &real);
}

#[test]
fn an_interface_may_be_named_by_its_device() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::under_test()
        .engine(Engine::Tc)
        .interface("a/a")
        .interface("b/b")
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    for options in [CallOptions::default(), CallOptions::between(Family::V6, V4)] {
        let call = Call::set_up(&net, &ng, &options);
        call.bring_into_kernel(&ng);
        call.hang_up(&ng);
    }
    relay.assert_idle(&net.relay);
}

#[test]
fn interfaces_from_sections_of_the_file_have_ports_of_their_own() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let launch = Relay::under_test().engine(Engine::Tc);
    let file = launch.state().with_extension("conf");
    let (a, b) = (Side::A.relay(V4), Side::B.relay(V4));
    let sections = format!(
        "[underpass]\ninterfaces-config = interface\nport-min = 42000\nport-max = 42007\n\
         [interface-a]\naddress = {a}\nport-min = 40000\nport-max = 40009\nexclude-ports = 40002-40007\n\
         [interface-b]\naddress = {b}\n"
    );
    std::fs::write(&file, sections).unwrap();
    let relay = launch
        .option(&format!("--config-file={}", file.display()))
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let options = direction("a", "b");
    let calls = [(), ()].map(|()| Call::set_up(&net, &ng, &options));
    let mut near: Vec<u16> = calls.iter().map(|call| call.caller_to.port()).collect();
    near.sort_unstable();
    assert_eq!(near, [40_000, 40_008]);
    for call in &calls {
        assert!((42_000..42_008).contains(&call.callee_to.port()));
        call.bring_into_kernel(&ng);
    }
    let id = new_call_id();
    let refused = ng.request(&offer_request(
        &id,
        &sdp::audio(calls[0].callee.address()),
        &direction("b", "a"),
    ));
    assert_eq!(refused["result"], "error", "{refused}");
    for call in calls {
        call.hang_up(&ng);
    }
    relay.assert_idle(&net.relay);
}
