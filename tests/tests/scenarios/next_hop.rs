//! The network changes under a call that runs.

use std::net::SocketAddr;

use lab::capture::Capture;
use lab::{
    Call, CallOptions, Endpoint, Engine, Family, Lab, Netns, Relay, Side, TwoNetworks, Wiring, sdp,
    wait_until,
};

use Family::{V4, V6};

/// Lets packets flow until one of each party arrives again.
fn wait_for_both_ways(call: &Call) {
    let (at_caller, at_callee) = (call.caller.arrivals().len(), call.callee.arrivals().len());
    wait_until("packets both ways", || {
        call.send_both(1);
        call.caller.arrivals().len() > at_caller && call.callee.arrivals().len() > at_callee
    });
}

/// All of the next packets arrive, whatever became of those before.
fn next_packets_arrive(call: &Call, count: u32) {
    let (caller, callee) = (call.caller.sent(), call.callee.sent());
    call.send_both(count);
    wait_until("every further packet at the caller", || {
        call.caller.has_all_since(&call.callee, callee)
    });
    wait_until("every further packet at the callee", || {
        call.callee.has_all_since(&call.caller, caller)
    });
}

fn neighbour_mac(relay: &Netns, side: Side) -> String {
    relay.ip_output(&format!(
        "neigh show {} dev {}",
        side.far(V4),
        side.interface()
    ))
}

/// A call over IPv4 on veth survives.
fn call_survives(engine: Engine, change: impl FnOnce(&TwoNetworks, &Call)) {
    call_of_survives(engine, V4, change);
}

/// A call in one address family survives a change of the network.
fn call_of_survives(engine: Engine, family: Family, change: impl FnOnce(&TwoNetworks, &Call)) {
    let lab = if engine == Engine::Null {
        Lab::open()
    } else {
        Lab::for_kernel_path()
    };
    let Some(lab) = lab else { return };
    let wiring = match engine {
        Engine::Xdp => Wiring::VethWithXdpPeer,
        _ => Wiring::Veth,
    };
    let net = TwoNetworks::build(&lab, wiring);
    let relay = Relay::under_test()
        .engine(engine)
        .two_networks()
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::between(family, family));
    call.talk(20);
    if engine != Engine::Null {
        call.bring_into_kernel(&ng);
    }
    change(&net, &call);
    wait_for_both_ways(&call);
    next_packets_arrive(&call, 100);
    if engine != Engine::Null {
        wait_until("both streams in the kernel again", || {
            call.send_both(2);
            call.is_in_kernel(&ng)
        });
    }
    assert_eq!(call.caller.report_of(&call.callee).foreign, 0);
    assert_eq!(call.callee.report_of(&call.caller).foreign, 0);
}

/// The callee gets another MAC address, as when a router fails over; its own packets tell the relay's kernel.
fn callee_gets_another_mac(net: &TwoNetworks, call: &Call) {
    let new = "02:00:00:00:be:ef";
    net.callee.ip(&format!("link set dev eth0 address {new}"));
    wait_until("the relay's neighbour entry", || {
        call.send_both(1);
        neighbour_mac(&net.relay, Side::B).contains(new)
    });
}

/// The relay's interface towards the callee goes down and comes up; its IPv4 address stays.
fn interface_goes_down_and_up(net: &TwoNetworks, call: &Call) {
    net.relay.ip("link set dev b down");
    call.send_both(5);
    net.relay.ip("link set dev b up");
}

#[test]
fn the_next_hop_gets_another_mac_in_user_space() {
    call_survives(Engine::Null, callee_gets_another_mac);
}

#[test]
fn the_next_hop_gets_another_mac_in_the_kernel() {
    call_survives(Engine::Tc, callee_gets_another_mac);
}

#[test]
fn the_interface_goes_down_and_up_in_user_space() {
    call_survives(Engine::Null, interface_goes_down_and_up);
}

#[test]
fn the_interface_goes_down_and_up_in_the_kernel() {
    call_survives(Engine::Tc, interface_goes_down_and_up);
}

#[test]
fn the_next_hop_gets_another_mac_in_native_xdp() {
    call_survives(Engine::Xdp, callee_gets_another_mac);
}

/// As over IPv4, but the kernel takes the address away with the link, and an administrator gives it back.
fn ipv6_interface_goes_down_and_up(net: &TwoNetworks, call: &Call) {
    interface_goes_down_and_up(net, call);
    net.relay.address("b", &format!("{}/64", Side::B.relay(V6)));
}

#[test]
fn the_interface_goes_down_and_up_over_ipv6_in_user_space() {
    call_of_survives(Engine::Null, V6, ipv6_interface_goes_down_and_up);
}

#[test]
fn the_interface_goes_down_and_up_over_ipv6_in_the_kernel() {
    call_of_survives(Engine::Tc, V6, ipv6_interface_goes_down_and_up);
}

/// Where the callee's media is in these tests: behind a gateway.
const BEYOND: &str = "10.9.0.1";

/// The route to the callee's media changes during the call: from then on all packets arrive at `device` of its namespace.
fn route_moves(engine: Engine, route: &str, device: &str) {
    let lab = if engine == Engine::Null {
        Lab::open()
    } else {
        Lab::for_kernel_path()
    };
    let Some(lab) = lab else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    two_ways_to_the_callee(&net);
    let relay = Relay::under_test()
        .engine(engine)
        .two_networks()
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let caller = Endpoint::bind(&net.caller, Side::A.far(V4));
    let callee = Endpoint::bind_at(
        &net.callee,
        SocketAddr::new(BEYOND.parse().unwrap(), 30_000),
    );
    let (offer, answer) = (sdp::audio(caller.address()), sdp::audio(callee.address()));
    let options = CallOptions::default();
    let call = Call::set_up_with(&ng, &options, (caller, &offer), (callee, &answer));
    call.talk(20);
    if engine != Engine::Null {
        call.bring_into_kernel(&ng);
    }
    let capture = Capture::start(&net.callee, device);
    net.relay.ip(&format!("route replace {BEYOND}/32 {route}"));
    wait_until("packets by the new way", || {
        call.send_both(1);
        capture.count_from(call.callee_to) > 0
    });
    wait_for_both_ways(&call);
    let (before, sent) = (capture.count_from(call.callee_to), call.caller.sent());
    next_packets_arrive(&call, 100);
    wait_until("all of them by the new way", || {
        capture.count_from(call.callee_to) >= before + 100
    });
    assert_eq!(call.caller.sent(), sent + 100);
    if engine != Engine::Null {
        wait_until("both streams in the kernel", || {
            call.send_both(2);
            call.is_in_kernel(&ng)
        });
    }
    call.talk(50);
}

/// The callee's media is reached through its `eth0` (10.2.0.2), through another machine's address on the same network
/// (`gw`, 10.2.0.4), or over another link (`eth1`, 10.3.0.2, the relay's `c`).
fn two_ways_to_the_callee(net: &TwoNetworks) {
    net.callee.ip(&format!("address add {BEYOND}/32 dev lo"));
    net.callee.veth("eth1", &net.relay, "c");
    net.callee.address("eth1", "10.3.0.2/24");
    net.relay.address("c", "10.3.0.1/24");
    net.callee
        .ip("link add link eth0 name gw type macvlan mode bridge");
    net.callee.address("gw", "10.2.0.4/32");
    for (ns, device) in [
        (&net.callee, "all"),
        (&net.callee, "eth0"),
        (&net.callee, "eth1"),
        (&net.callee, "gw"),
        (&net.relay, "all"),
        (&net.relay, "b"),
        (&net.relay, "c"),
    ] {
        ns.sysctl(&format!("net/ipv4/conf/{device}/rp_filter"), "0");
        // Each address is answered for by its own interface only.
        ns.sysctl(&format!("net/ipv4/conf/{device}/arp_ignore"), "1");
    }
    net.relay.ip(&format!(
        "route add {BEYOND}/32 via {} dev b",
        Side::B.far(V4)
    ));
}

#[test]
fn the_route_moves_to_another_gateway_in_user_space() {
    route_moves(Engine::Null, "via 10.2.0.4 dev b", "gw");
}

#[test]
fn the_route_moves_to_another_gateway_in_the_kernel() {
    route_moves(Engine::Tc, "via 10.2.0.4 dev b", "gw");
}

#[test]
fn the_route_moves_to_another_interface_in_user_space() {
    route_moves(Engine::Null, "via 10.3.0.2 dev c", "eth1");
}

#[test]
fn the_route_moves_to_another_interface_in_the_kernel() {
    route_moves(Engine::Tc, "via 10.3.0.2 dev c", "eth1");
}
