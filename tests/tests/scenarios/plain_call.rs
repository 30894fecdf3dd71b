//! A plain call: offer, answer, RTP and RTCP both ways, delete; on every wiring, by every engine, over IPv4, IPv6 and
//! between them.

use lab::{Call, CallOptions, Encoding, Engine, Family, Lab, Relay, TwoNetworks, Wiring};
use serde_json::json;

use Family::{V4, V6};

/// Every packet of a call arrives, and nothing is left after it.
fn a_call_passes(wiring: Wiring, engine: Engine, (caller, callee): (Family, Family)) {
    let lab = match engine {
        Engine::Null => Lab::open(),
        Engine::Auto | Engine::Tc | Engine::Xdp => Lab::for_kernel_path(),
    };
    let Some(lab) = lab else { return };
    let net = TwoNetworks::build(&lab, wiring);
    let relay = Relay::under_test()
        .engine(engine)
        .two_networks()
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::between(caller, callee));
    call.talk(20);
    if engine != Engine::Null {
        call.bring_into_kernel(&ng);
    }
    call.exchange_rtcp();
    call.talk(80);
    call.hang_up(&ng);
    relay.assert_idle(&net.relay);
}

#[test]
fn in_user_space_over_ipv4() {
    a_call_passes(Wiring::Veth, Engine::Null, (V4, V4));
}

#[test]
fn in_user_space_over_ipv6() {
    a_call_passes(Wiring::Veth, Engine::Null, (V6, V6));
}

#[test]
fn in_user_space_from_ipv4_to_ipv6() {
    a_call_passes(Wiring::Veth, Engine::Null, (V4, V6));
}

#[test]
fn in_user_space_from_ipv6_to_ipv4() {
    a_call_passes(Wiring::Veth, Engine::Null, (V6, V4));
}

#[test]
fn in_user_space_on_macvlan() {
    a_call_passes(Wiring::Macvlan, Engine::Null, (V4, V4));
}

#[test]
fn by_tc_on_veth_over_ipv4() {
    a_call_passes(Wiring::Veth, Engine::Tc, (V4, V4));
}

#[test]
fn by_tc_on_veth_over_ipv6() {
    a_call_passes(Wiring::Veth, Engine::Tc, (V6, V6));
}

#[test]
fn by_tc_on_veth_from_ipv4_to_ipv6() {
    a_call_passes(Wiring::Veth, Engine::Tc, (V4, V6));
}

#[test]
fn by_tc_on_veth_from_ipv6_to_ipv4() {
    a_call_passes(Wiring::Veth, Engine::Tc, (V6, V4));
}

#[test]
fn by_tc_on_macvlan_over_ipv4() {
    a_call_passes(Wiring::Macvlan, Engine::Tc, (V4, V4));
}

#[test]
fn by_tc_on_macvlan_from_ipv4_to_ipv6() {
    a_call_passes(Wiring::Macvlan, Engine::Tc, (V4, V6));
}

#[test]
fn by_xdp_on_veth_with_a_cooperating_peer_over_ipv4() {
    a_call_passes(Wiring::VethWithXdpPeer, Engine::Xdp, (V4, V4));
}

#[test]
fn by_xdp_on_veth_with_a_cooperating_peer_over_ipv6() {
    a_call_passes(Wiring::VethWithXdpPeer, Engine::Xdp, (V6, V6));
}

#[test]
fn by_xdp_on_veth_with_a_cooperating_peer_from_ipv4_to_ipv6() {
    a_call_passes(Wiring::VethWithXdpPeer, Engine::Xdp, (V4, V6));
}

#[test]
fn by_the_engine_chosen_on_veth() {
    a_call_passes(Wiring::Veth, Engine::Auto, (V4, V4));
}

#[test]
fn by_the_engine_chosen_on_macvlan() {
    a_call_passes(Wiring::Macvlan, Engine::Auto, (V6, V4));
}

#[test]
fn with_a_client_that_talks_json() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::under_test().two_networks().start(&net.relay);
    let ng = relay.client(&net.relay).encoding(Encoding::Json);
    let call = Call::set_up(&net, &ng, &CallOptions::default());
    call.talk(20);
    assert!(call.query(&ng)["tags"]["caller"].is_object());
    call.hang_up(&ng);
    relay.assert_idle(&net.relay);
}

#[test]
fn a_delete_without_tags_ends_the_whole_call() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::under_test().two_networks().start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default());
    ng.ok(&json!({"command": "delete", "call-id": call.id}));
    relay.assert_idle(&net.relay);
}

#[test]
fn twenty_calls_at_once_do_not_mix() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::under_test().two_networks().start(&net.relay);
    let ng = relay.client(&net.relay);
    let pairs = [(V4, V4), (V6, V6), (V4, V6), (V6, V4)];
    let set_up = |at: usize| {
        let (caller, callee) = pairs[at % pairs.len()];
        Call::set_up(&net, &ng, &CallOptions::between(caller, callee))
    };
    let calls: Vec<_> = (0..20).map(set_up).collect();
    std::thread::scope(|scope| {
        for call in &calls {
            scope.spawn(|| call.talk(50));
        }
    });
    calls.iter().for_each(|call| call.hang_up(&ng));
    relay.assert_idle(&net.relay);
}
