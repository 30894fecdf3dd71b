//! A plain call: offer, answer, RTP and RTCP both ways, delete.

use lab::{Call, CallOptions, Engine, Family, Lab, Relay, TwoNetworks, Wiring};

/// Every engine forwards every packet of a call on this wiring, and nothing is left after it.
fn a_call_passes(wiring: Wiring, engine: Engine, caller: Family, callee: Family) {
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
    call.talk(50);
    call.exchange_rtcp();
    call.talk(50);
    call.hang_up(&ng);
    relay.assert_idle(&net.relay);
}

#[test]
fn on_veth_in_user_space() {
    a_call_passes(Wiring::Veth, Engine::Null, Family::V4, Family::V4);
}
