//! One source, several receivers: each gets every packet, from the kernel alone.

use std::net::{SocketAddr, UdpSocket};

use underpass::datapath::{EngineChoice, Flow, FlowState, Reason, Receiver};

use crate::net::{CALLEE, CALLEE6, CALLER, Net, RELAY_B, RELAY_B6, rtp, skipped, until};
use crate::relay::Relay;
use crate::{flow, is_in_kernel, is_out, local};

/// The callee's side, in one family: where packets leave from, and where they go.
type Side = (&'static str, &'static str);

const V4: Side = (RELAY_B, CALLEE);
const V6: Side = (RELAY_B6, CALLEE6);

fn receiver((relay, callee): Side, n: u16) -> Receiver {
    Receiver {
        from: SocketAddr::new(relay.parse().unwrap(), 40_000 + 2 * n),
        to: SocketAddr::new(callee.parse().unwrap(), 5000 + 2 * n),
        tos: 0xb8,
    }
}

/// To so many receivers at the callee's.
fn to_several(flow: Flow, side: Side, receivers: u16) -> Flow {
    let Receiver { from, to, tos } = receiver(side, 0);
    Flow {
        from,
        to,
        tos,
        further: (1..receivers).map(|n| receiver(side, n)).collect(),
        ..flow
    }
}

fn sockets(net: &Net, (_, callee): Side, receivers: u16) -> Vec<UdpSocket> {
    let ports = (0..receivers).map(|n| 5000 + 2 * n);
    let sockets: Vec<_> = ports.map(|port| net.socket("b", callee, port)).collect();
    for socket in &sockets {
        socket.set_nonblocking(true).unwrap();
    }
    sockets
}

/// What has arrived at a socket: where from, and the packet.
fn take(socket: &UdpSocket) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut buffer = [0; 2048];
    let next = || {
        let (length, from) = socket.recv_from(&mut buffer).ok()?;
        Some((from, buffer[..length].to_vec()))
    };
    std::iter::from_fn(next).collect()
}

/// Sends packets until one has come out at the last receiver: next hops are known from then on.
fn warm_up(caller: &UdpSocket, to: SocketAddr, sockets: &[UdpSocket]) {
    until("the first packet", || {
        let _ = caller.send_to(&rtp(0), to);
        !take(&sockets[sockets.len() - 1]).is_empty()
    });
    for socket in sockets {
        take(socket);
    }
}

/// Every receiver gets each of the packets from here on, once.
fn assert_each_gets(caller: &UdpSocket, to: SocketAddr, sockets: &[UdpSocket], side: Side) {
    let sent: Vec<_> = (1..=50).map(rtp).collect();
    for packet in &sent {
        caller.send_to(packet, to).unwrap();
    }
    for (n, socket) in (0..).zip(sockets) {
        let mut got = Vec::new();
        until("all packets at every receiver", || {
            got.extend(take(socket));
            got.len() >= sent.len()
        });
        let from = receiver(side, n).from;
        let expected = sent.iter().map(|packet| (from, packet.clone()));
        assert!(got.into_iter().eq(expected), "receiver {n}");
    }
}

fn each_of(receivers: u16, side: Side) {
    if skipped() {
        return;
    }
    let net = Net::new();
    let relay = Relay::new(&net, |claim| {
        claim.addresses.push(RELAY_B6.parse().unwrap());
    });
    let sockets = sockets(&net, side, receivers);
    // Of one family with the receivers.
    let (caller, local) = match side {
        V4 => (net.socket("a", CALLER, 4000), local(30_000)),
        _ => (
            net.socket("b", CALLEE6, 4000),
            SocketAddr::new(RELAY_B6.parse().unwrap(), 30_000),
        ),
    };
    let flow = Flow {
        local,
        source: caller.local_addr().unwrap(),
        ..to_several(flow(30_000), side, receivers)
    };
    let report = relay.install(1, flow);
    until("in the kernel", || is_in_kernel(&report));
    warm_up(&caller, local, &sockets);
    relay.started().datapath.refresh();
    let before = report.packets();
    assert_each_gets(&caller, local, &sockets, side);
    relay.started().datapath.refresh();
    assert_eq!(report.packets() - before, 50, "counted once");
}

#[test]
fn each_of_two_gets_every_packet_over_ipv4() {
    each_of(2, V4);
}

#[test]
fn each_of_eight_gets_every_packet_over_ipv4() {
    each_of(8, V4);
}

#[test]
fn each_of_three_gets_every_packet_over_ipv6() {
    each_of(3, V6);
}

#[test]
fn receivers_that_come_and_go_leave_the_others_every_packet() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let relay = Relay::new(&net, |_| {});
    let caller = net.socket("a", CALLER, 4000);
    let sockets = sockets(&net, V4, 4);
    let of = |receivers| to_several(flow(30_000), V4, receivers);
    let report = relay.install(1, of(4));
    until("in the kernel", || is_in_kernel(&report));
    warm_up(&caller, local(30_000), &sockets);
    // Fewer than there are records to spare: nothing has to wait.
    for round in 0..60 {
        let datapath = &relay.started().datapath;
        datapath.install(
            underpass::datapath::FlowId(1),
            of(2 + round % 3),
            report.clone(),
        );
        for sequence in 0..10 {
            caller
                .send_to(&rtp(round * 10 + sequence), local(30_000))
                .unwrap();
        }
        for socket in &sockets[..2] {
            let mut arrived = Vec::new();
            until("all packets at those who stay", || {
                arrived.extend(take(socket));
                arrived.len() >= 10
            });
            let packets = arrived.into_iter().map(|(_, packet)| packet);
            assert!(packets.eq((0..10).map(|sequence| rtp(round * 10 + sequence))));
        }
    }
    assert_eq!(report.state(), FlowState::Kernel);
}

#[test]
fn a_receiver_that_cannot_be_reached_keeps_the_flow_from_all() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let relay = Relay::new(&net, |_| {});
    for (to, reason) in [
        ("10.71.0.1:5002", Reason::DestinationIsLocal),
        ("192.0.2.1:5002", Reason::NoRoute),
        ("10.72.0.77:5002", Reason::NextHopUnresolved),
    ] {
        let mut flow = to_several(flow(30_000), V4, 3);
        flow.further[0].to = to.parse().unwrap();
        let report = relay.install(1, flow);
        until(reason.text(), || is_out(&report, reason));
    }
}

#[test]
fn where_xdp_takes_packets_in_several_receivers_stay_in_user_space() {
    if skipped() {
        return;
    }
    for engine in [EngineChoice::Xdp, EngineChoice::XdpGeneric] {
        let net = Net::new();
        let relay = Relay::new(&net, |claim| claim.engine = engine);
        let report = relay.install(1, to_several(flow(30_000), V4, 2));
        let reason = Reason::SeveralReceiversByXdp;
        until(reason.text(), || is_out(&report, reason));
        let alone = relay.install(1, flow(30_000));
        until("alone", || is_in_kernel(&alone));
    }
}
