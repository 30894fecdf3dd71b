//! No packet leaves with a bad checksum, whatever the sender left to be filled in.

use lab::capture::Capture;
use lab::counters::udp_checksum_errors;
use lab::{Call, CallOptions, Engine, Family, Lab, Relay, TwoNetworks, Wiring};

use Family::{V4, V6};

/// A call whose senders leave checksums to their device (or not), and not one bad checksum at any receiver.
fn no_bad_checksum(wiring: Wiring, engine: Engine, families: (Family, Family), offload: bool) {
    let lab = match engine {
        Engine::Null => Lab::open(),
        Engine::Auto | Engine::Tc | Engine::Xdp => Lab::for_kernel_path(),
    };
    let Some(lab) = lab else { return };
    let net = TwoNetworks::build(&lab, wiring);
    for far in [&net.caller, &net.callee] {
        far.offload("eth0", "tx", offload);
    }
    let relay = Relay::under_test()
        .engine(engine)
        .two_networks()
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let captures = [
        Capture::start(&net.caller, "eth0"),
        Capture::start(&net.callee, "eth0"),
    ];
    let call = Call::set_up(&net, &ng, &CallOptions::between(families.0, families.1));
    call.talk(10);
    if engine != Engine::Null {
        call.bring_into_kernel(&ng);
    }
    call.talk(100);
    for (capture, relay_address, sender) in [
        (&captures[0], call.caller_to, &call.callee),
        (&captures[1], call.callee_to, &call.caller),
    ] {
        lab::wait_until("the capture of every packet", || {
            capture.count_from(relay_address) >= sender.sent() as usize
        });
        assert_eq!(capture.faults(), vec![]);
    }
    for (capture, sender) in captures.iter().zip([&call.caller, &call.callee]) {
        let expected = if offload { sender.sent() as usize } else { 0 };
        assert_eq!(
            capture.sent_without_checksum(),
            expected,
            "the sender's offload is not what the test is about"
        );
    }
    for ns in [&net.caller, &net.relay, &net.callee] {
        assert_eq!(udp_checksum_errors(ns), 0, "in {}", ns.name());
    }
}

#[test]
fn in_user_space_with_sender_offload() {
    no_bad_checksum(Wiring::Veth, Engine::Null, (V4, V6), true);
}

#[test]
fn in_user_space_without_sender_offload() {
    no_bad_checksum(Wiring::Veth, Engine::Null, (V4, V4), false);
}

#[test]
fn by_tc_over_ipv4_with_sender_offload() {
    no_bad_checksum(Wiring::Veth, Engine::Tc, (V4, V4), true);
}

#[test]
fn by_tc_over_ipv6_with_sender_offload() {
    no_bad_checksum(Wiring::Veth, Engine::Tc, (V6, V6), true);
}

#[test]
fn by_tc_between_ipv4_and_ipv6_with_sender_offload() {
    no_bad_checksum(Wiring::Veth, Engine::Tc, (V4, V6), true);
}

#[test]
fn by_tc_over_ipv4_without_sender_offload() {
    no_bad_checksum(Wiring::Veth, Engine::Tc, (V4, V4), false);
}

#[test]
fn by_tc_between_ipv6_and_ipv4_without_sender_offload() {
    no_bad_checksum(Wiring::Veth, Engine::Tc, (V6, V4), false);
}

#[test]
fn by_tc_on_macvlan_with_sender_offload() {
    no_bad_checksum(Wiring::Macvlan, Engine::Tc, (V4, V6), true);
}

#[test]
fn by_xdp_over_ipv4_with_sender_offload() {
    no_bad_checksum(Wiring::VethWithXdpPeer, Engine::Xdp, (V4, V4), true);
}

#[test]
fn by_xdp_between_ipv4_and_ipv6_with_sender_offload() {
    no_bad_checksum(Wiring::VethWithXdpPeer, Engine::Xdp, (V4, V6), true);
}

#[test]
fn by_xdp_over_ipv6_without_sender_offload() {
    no_bad_checksum(Wiring::VethWithXdpPeer, Engine::Xdp, (V6, V6), false);
}
