//! The network changes under a call that runs.

use lab::{Call, CallOptions, Engine, Lab, Netns, Relay, Side, TwoNetworks, Wiring, wait_until};

use lab::Family::V4;

/// Lets packets flow until one of each party arrives again.
fn wait_for_both_ways(call: &Call) {
    let (at_caller, at_callee) = (call.caller.arrivals().len(), call.callee.arrivals().len());
    wait_until("packets both ways", || {
        call.send_both(1);
        call.caller.arrivals().len() > at_caller && call.callee.arrivals().len() > at_callee
    });
}

/// All of the next packets arrive, each once and unchanged.
fn next_packets_arrive(call: &Call, count: u32) {
    let (caller, callee) = (
        call.caller.report_of(&call.callee),
        call.callee.report_of(&call.caller),
    );
    call.send_both(count);
    wait_until("every further packet at the caller", || {
        call.caller.report_of(&call.callee).received == caller.received + count
    });
    wait_until("every further packet at the callee", || {
        call.callee.report_of(&call.caller).received == callee.received + count
    });
}

fn neighbour_mac(relay: &Netns, side: Side) -> String {
    relay.ip_output(&format!(
        "neigh show {} dev {}",
        side.far(V4),
        side.interface()
    ))
}

fn call_survives(engine: Engine, change: impl FnOnce(&TwoNetworks, &Call)) {
    let lab = if engine == Engine::Null {
        Lab::open()
    } else {
        Lab::for_kernel_path()
    };
    let Some(lab) = lab else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::under_test()
        .engine(engine)
        .two_networks()
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default());
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
