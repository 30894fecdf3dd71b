//! The kernel path never changes what a packet becomes: the same input through it and through the null engine gives
//! the same bytes out, IPv4's identification aside.

use std::net::SocketAddr;
use std::time::Duration;

use lab::capture::Capture;
use lab::checksum::Datagram;
use lab::{
    Call, CallOptions, Endpoint, Engine, Family, Lab, Relay, Side, TwoNetworks, Wiring, sdp,
    wait_until,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use Family::{V4, V6};

use crate::subscriptions::{Subscriber, bring_into_kernel};

/// Packets of one run.
const PACKETS: usize = 400;
/// The last two packets: one that the kernel forwards, and one it leaves to user space (payload type 120 was not negotiated). What
/// was sent before has been handled once both have arrived.
const LAST: [[u8; 16]; 2] = [
    *b"\x80\x00\xfe\xfe\x00\x00\x00\x01\x00\x00\x00\x07KERN",
    *b"\x80\x78\xfe\xff\x00\x00\x00\x01\x00\x00\x00\x07USER",
];

/// A packet as a sender may send it: RTP with any of its options, payload types known and unknown, and what only looks similar.
fn packet(random: &mut StdRng) -> Vec<u8> {
    let mut packet = vec![0x80, [0, 8, 101, 120][random.random_range(0..4)]];
    packet[1] |= u8::from(random.random_bool(0.2)) << 7;
    packet.extend(random.random::<[u8; 6]>());
    packet.extend([0, 0, 0, random.random_range(7..10)]);
    let csrcs: u8 = if random.random_bool(0.2) {
        random.random_range(1..4)
    } else {
        0
    };
    packet[0] |= csrcs;
    packet.extend((0..csrcs * 4).map(|_| random.random::<u8>()));
    if random.random_bool(0.2) {
        packet[0] |= 0x10;
        packet.extend([0xbe, 0xde, 0, 1]);
        packet.extend(random.random::<[u8; 4]>());
    }
    let payload = random.random_range(0..1200);
    packet.extend((0..payload).map(|_| random.random::<u8>()));
    if random.random_bool(0.2) {
        packet[0] |= 0x20;
        packet.extend([0, 0, 0, 4]);
    }
    if random.random_bool(0.1) {
        packet[0] ^= 0xc0;
    }
    if random.random_bool(0.05) {
        packet.truncate(random.random_range(1..12));
    }
    packet
}

/// What arrives at the callee of `PACKETS` random packets, sorted (the two paths may overtake each other).
fn run(
    lab: &Lab,
    wiring: Wiring,
    engine: Engine,
    families: (Family, Family),
    seed: u64,
) -> Vec<Vec<u8>> {
    let (call, capture) = run_for(lab, wiring, engine, families, seed, 0);
    let mut out = capture.normalised_from(call.callee_to);
    out.sort();
    out
}

/// Sends the packets to a callee and so many subscribers, whose capture has all of them then.
fn run_for(
    lab: &Lab,
    wiring: Wiring,
    engine: Engine,
    (caller, callee): (Family, Family),
    seed: u64,
    subscribers: u16,
) -> (Call, Capture) {
    let net = TwoNetworks::build(lab, wiring);
    let relay = Relay::under_test()
        .engine(engine)
        .two_networks()
        .option("--port-min=40000")
        .option(&format!("--port-max={}", 40_001 + 2 * subscribers))
        .option("--tos=184")
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let from = Endpoint::bind_at(&net.caller, SocketAddr::new(Side::A.far(caller), 20_000));
    let to = Endpoint::bind_at(&net.callee, SocketAddr::new(Side::B.far(callee), 30_000));
    let (offer, answer) = (sdp::audio(from.address()), sdp::audio(to.address()));
    let options = CallOptions::between(caller, callee);
    let call = Call::set_up_with(&ng, &options, (from, &offer), (to, &answer));
    call.talk(5);
    let far = |n| SocketAddr::new(Side::B.far(callee), 30_002 + 2 * n);
    let subscribers: Vec<_> = (0..subscribers)
        .map(|n| Subscriber::at(Endpoint::bind_at(&net.callee, far(n)), &call, &ng))
        .collect();
    if engine != Engine::Null {
        bring_into_kernel(&call, &ng);
    }
    let name = match engine {
        Engine::Xdp => "xdp",
        _ => "tc",
    };
    let forwards = relay.metrics(&net.relay).has_engine("a", name);
    assert_eq!(forwards, engine != Engine::Null, "{engine:?}");
    let capture = Capture::start(&net.callee, "eth0");
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..PACKETS {
        call.caller.send_raw(call.caller_to, &packet(&mut random));
        std::thread::sleep(Duration::from_millis(1));
    }
    LAST.iter()
        .for_each(|last| call.caller.send_raw(call.caller_to, last));
    for last in LAST {
        wait_until("the last packets", || {
            capture.received(|found| found.payload() == last).len() > subscribers.len()
        });
    }
    assert_eq!(capture.faults(), vec![]);
    (call, capture)
}

/// What each receiver gets of the same packets, sorted: whatever it is, but for the relay's port, which is any.
fn run_for_subscribers(
    lab: &Lab,
    engine: Engine,
    families: (Family, Family),
    seed: u64,
) -> Vec<(SocketAddr, Vec<u8>)> {
    let (_, capture) = run_for(lab, Wiring::Veth, engine, families, seed, 3);
    let relay = Side::B.relay(families.1);
    let sent = capture.received(|found| found.source.ip() == relay);
    let without_port = |found: Datagram| {
        let mut packet = found.packet;
        if found.udp == 20 {
            // Identification, and the checksum over it.
            packet[4..6].fill(0);
            packet[10..12].fill(0);
        }
        // Source port and checksum, which was found right.
        packet[found.udp..found.udp + 2].fill(0);
        packet[found.udp + 6..found.udp + 8].fill(0);
        (found.destination, packet)
    };
    let mut out: Vec<_> = sent.into_iter().map(without_port).collect();
    out.sort();
    out
}

fn same_bytes_for_subscribers(families: (Family, Family)) {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    for seed in 0..2 {
        let in_kernel = run_for_subscribers(&lab, Engine::Tc, families, seed);
        let in_user_space = run_for_subscribers(&lab, Engine::Null, families, seed);
        for port in [30_000, 30_002, 30_004, 30_006] {
            let to_port = in_user_space.iter().filter(|(to, _)| to.port() == port);
            assert!(to_port.count() > PACKETS / 2, "packets to {port}");
        }
        for (kernel, user) in in_kernel.iter().zip(&in_user_space) {
            assert_eq!(kernel, user, "seed {seed}");
        }
        assert_eq!(in_kernel.len(), in_user_space.len(), "seed {seed}");
    }
}

#[test]
fn by_tc_for_subscribers_over_ipv4() {
    same_bytes_for_subscribers((V4, V4));
}

#[test]
fn by_tc_for_subscribers_over_ipv6() {
    same_bytes_for_subscribers((V6, V6));
}

fn same_bytes(wiring: Wiring, engine: Engine, families: (Family, Family)) {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    for seed in 0..2 {
        let in_kernel = run(&lab, wiring, engine, families, seed);
        let in_user_space = run(&lab, wiring, Engine::Null, families, seed);
        assert!(
            in_user_space.len() > PACKETS / 2,
            "only {} packets arrived",
            in_user_space.len()
        );
        for (kernel, user) in in_kernel.iter().zip(&in_user_space) {
            assert_eq!(kernel, user, "seed {seed}");
        }
        assert_eq!(in_kernel.len(), in_user_space.len(), "seed {seed}");
    }
}

#[test]
fn by_tc_over_ipv4() {
    same_bytes(Wiring::Veth, Engine::Tc, (V4, V4));
}

#[test]
fn by_tc_over_ipv6() {
    same_bytes(Wiring::Veth, Engine::Tc, (V6, V6));
}

#[test]
fn by_tc_from_ipv4_to_ipv6() {
    same_bytes(Wiring::Veth, Engine::Tc, (V4, V6));
}

#[test]
fn by_tc_from_ipv6_to_ipv4() {
    same_bytes(Wiring::Veth, Engine::Tc, (V6, V4));
}

#[test]
fn by_xdp_over_ipv4() {
    same_bytes(Wiring::VethWithXdpPeer, Engine::Xdp, (V4, V4));
}

#[test]
fn by_xdp_over_ipv6() {
    same_bytes(Wiring::VethWithXdpPeer, Engine::Xdp, (V6, V6));
}

#[test]
fn by_xdp_from_ipv4_to_ipv6() {
    same_bytes(Wiring::VethWithXdpPeer, Engine::Xdp, (V4, V6));
}

#[test]
fn by_xdp_from_ipv6_to_ipv4() {
    same_bytes(Wiring::VethWithXdpPeer, Engine::Xdp, (V6, V4));
}

/// The comparison itself can be trusted only if two runs through one path agree.
#[test]
fn two_runs_in_user_space_give_the_same_bytes() {
    let Some(lab) = Lab::open() else { return };
    let once = || run(&lab, Wiring::Veth, Engine::Null, (V4, V4), 9);
    assert_eq!(once(), once());
}
