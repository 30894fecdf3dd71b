//! What a relayed packet looks like on the wire: the relay's own TTL and the configured TOS, whatever the sender's were.

use lab::capture::Capture;
use lab::checksum::Datagram;
use lab::{Call, CallOptions, Engine, Family, Lab, Relay, TwoNetworks, Wiring, wait_until};

use Family::{V4, V6};

const TOS: u8 = 184;
const PACKETS: usize = 50;

/// TOS (or traffic class) and TTL (or hop limit) of a datagram.
fn marks(datagram: &Datagram) -> (u8, u8) {
    let packet = &datagram.packet;
    if datagram.source.is_ipv4() {
        (packet[1], packet[8])
    } else {
        (packet[0] << 4 | packet[1] >> 4, packet[7])
    }
}

/// The sender's packets arrive with a TTL of 9; the relay's namespace sends with 77.
fn leaves_as_a_fresh_packet(wiring: Wiring, engine: Engine, families: (Family, Family)) {
    let lab = if engine == Engine::Null {
        Lab::open()
    } else {
        Lab::for_kernel_path()
    };
    let Some(lab) = lab else { return };
    let net = TwoNetworks::build(&lab, wiring);
    for (ns, interface, ttl) in [
        (&net.caller, "eth0", "9"),
        (&net.callee, "eth0", "9"),
        (&net.relay, "a", "77"),
        (&net.relay, "b", "77"),
    ] {
        ns.sysctl("net/ipv4/ip_default_ttl", ttl);
        ns.sysctl(&format!("net/ipv6/conf/{interface}/hop_limit"), ttl);
    }
    let relay = Relay::under_test()
        .engine(engine)
        .option(&format!("--tos={TOS}"))
        .two_networks()
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::between(families.0, families.1));
    call.talk(5);
    if engine != Engine::Null {
        call.bring_into_kernel(&ng);
    }
    for (far, from) in [(&net.callee, call.callee_to), (&net.caller, call.caller_to)] {
        let capture = Capture::start(far, "eth0");
        call.talk(PACKETS as u32);
        wait_until("the capture of every packet", || {
            capture.count_from(from) == PACKETS
        });
        for datagram in capture.received(|found| found.source == from) {
            assert_eq!(marks(&datagram), (TOS, 77), "from {from}");
        }
    }
}

#[test]
fn in_user_space_over_ipv4() {
    leaves_as_a_fresh_packet(Wiring::Veth, Engine::Null, (V4, V4));
}

#[test]
fn in_user_space_over_ipv6() {
    leaves_as_a_fresh_packet(Wiring::Veth, Engine::Null, (V6, V6));
}

#[test]
fn by_tc_over_ipv4() {
    leaves_as_a_fresh_packet(Wiring::Veth, Engine::Tc, (V4, V4));
}

#[test]
fn by_tc_over_ipv6() {
    leaves_as_a_fresh_packet(Wiring::Veth, Engine::Tc, (V6, V6));
}

#[test]
fn by_tc_between_ipv4_and_ipv6_on_vlans() {
    let Some(lab) = Lab::open() else { return };
    if !lab.has_link_type("vlan id 7") {
        lab::lab::skip("this kernel has no VLAN interfaces");
        return;
    }
    leaves_as_a_fresh_packet(Wiring::Vlan, Engine::Tc, (V4, V6));
}

#[test]
fn by_xdp_between_ipv6_and_ipv4() {
    leaves_as_a_fresh_packet(Wiring::VethWithXdpPeer, Engine::Xdp, (V6, V4));
}
