//! Silence at the ports of an owner that is gone: packets that the kernel would answer with "port unreachable".

use std::net::UdpSocket;

use nix::sched::{CloneFlags, unshare};
use underpass_abi::{HELD, Outcome, PLACE_NODE, PLACE_OWN};

use crate::flow::{flow, voice};
use crate::frame::{Frame, rtp};
use crate::harness::{CALLER, CALLER6, HOOKS, Hook, Kernel, Loaded, RELAY, RELAY6, SSRC};

const STRANGER: &str = "192.0.2.99:9";
const STRANGER6: &str = "[2001:db8::99]:9";
/// A stranger's packets, at ports of flows.
const STRANGERS: [(&str, &str); 2] = [(STRANGER, RELAY), (STRANGER6, RELAY6)];

/// Runs in a namespace of its own, where nobody else has sockets.
fn alone(test: impl Fn(Hook) + Send + Sync) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            for hook in HOOKS {
                test(hook);
            }
        });
    });
}

/// A flow of either family.
fn kernel(hook: Hook, place: u32) -> Loaded {
    let mut kernel = Kernel::load_at(hook, place);
    for (source, local) in [(CALLER, RELAY), (CALLER6, RELAY6)] {
        let flow = flow(source, "198.51.100.1:40000", "198.51.100.20:5000");
        kernel.install(local.parse().unwrap(), flow);
    }
    kernel
}

fn assert_dropped(kernel: &mut Kernel, packet: &[u8]) {
    kernel.forget_outcomes();
    assert_eq!(kernel.run(packet).action, kernel.drop());
    assert_eq!(kernel.outcomes(), [(Outcome::OwnerGone, 1)]);
}

fn assert_passed(kernel: &mut Kernel, packet: &[u8], outcome: Outcome) {
    kernel.forget_outcomes();
    let ran = kernel.run(packet);
    assert_eq!(kernel.outcomes(), [(outcome, 1)]);
    assert_eq!((ran.action, ran.packet.as_slice()), (kernel.pass(), packet));
}

#[test]
fn at_a_flow_s_port_without_a_socket_nothing_goes_up() {
    alone(|hook| {
        let mut kernel = kernel(hook, PLACE_OWN);
        for (source, local) in STRANGERS {
            assert_dropped(&mut kernel, &Frame::new(source, local, voice()).bytes());
        }
        for (source, local) in [(CALLER, RELAY), (CALLER6, RELAY6)] {
            let rtcp = rtp(200, 1, 1, SSRC, &[0; 16]);
            assert_dropped(&mut kernel, &Frame::new(source, local, rtcp).bytes());
            let stun = vec![0; 20];
            assert_dropped(&mut kernel, &Frame::new(source, local, stun).bytes());
        }
    });
}

#[test]
fn nor_at_a_port_that_is_held_without_a_flow() {
    alone(|hook| {
        let mut kernel = kernel(hook, PLACE_OWN);
        for local in ["192.0.2.1:30001", "[2001:db8::1]:30001"] {
            kernel.name(local.parse().unwrap(), HELD);
            let source = if local.starts_with('[') {
                CALLER6
            } else {
                CALLER
            };
            assert_dropped(&mut kernel, &Frame::new(source, local, voice()).bytes());
        }
    });
}

#[test]
fn nor_in_a_frame_with_tags() {
    alone(|hook| {
        let mut kernel = kernel(hook, PLACE_OWN);
        for (source, local) in STRANGERS {
            let frame = Frame {
                tags: vec![(0x88a8, 5), (0x8100, 6)],
                ..Frame::new(source, local, voice())
            };
            assert_dropped(&mut kernel, &frame.bytes());
        }
    });
}

#[test]
fn a_flow_s_own_packets_are_forwarded_without_a_socket() {
    alone(|hook| {
        let mut kernel = kernel(hook, PLACE_OWN);
        let packet = Frame::new(CALLER, RELAY, voice()).bytes();
        assert_eq!(kernel.run(&packet).action, kernel.redirect());
    });
}

#[test]
fn with_a_socket_there_they_go_up() {
    alone(|hook| {
        let mut kernel = kernel(hook, PLACE_OWN);
        for (any, (source, local)) in ["0.0.0.0:30000", "[::]:30000"].into_iter().zip(STRANGERS) {
            let packet = Frame::new(source, local, voice()).bytes();
            {
                let _socket = UdpSocket::bind(any).unwrap();
                assert_passed(&mut kernel, &packet, Outcome::OtherSource);
            }
            assert_dropped(&mut kernel, &packet);
        }
    });
}

#[test]
fn at_a_port_that_is_not_held_they_go_up() {
    alone(|hook| {
        let mut kernel = kernel(hook, PLACE_OWN);
        for local in ["192.0.2.1:30001", "192.0.2.7:30000"] {
            let packet = Frame::new(STRANGER, local, voice()).bytes();
            assert_passed(&mut kernel, &packet, Outcome::Miss);
        }
        for local in ["[2001:db8::1]:30001", "[2001:db8::7]:30000"] {
            let packet = Frame::new(STRANGER6, local, voice()).bytes();
            assert_passed(&mut kernel, &packet, Outcome::Miss);
        }
    });
}

#[test]
fn at_a_port_that_is_not_granted_they_go_up() {
    alone(|hook| {
        let mut kernel = kernel(hook, PLACE_OWN);
        kernel.change_grant(|grant| grant.v4[0].last_port = 29_999);
        let packet = Frame::new(STRANGER, RELAY, voice()).bytes();
        assert_passed(&mut kernel, &packet, Outcome::Miss);
    });
}

#[test]
fn when_the_lease_is_over_they_go_up() {
    alone(|hook| {
        let mut kernel = kernel(hook, PLACE_OWN);
        kernel.say_alive(1);
        kernel.change_grant(|grant| grant.lease_ns = 1_000_000_000);
        let packet = Frame::new(STRANGER, RELAY, voice()).bytes();
        assert_passed(&mut kernel, &packet, Outcome::LeaseOver);
        let packet = Frame::new(CALLER, RELAY, voice()).bytes();
        assert_passed(&mut kernel, &packet, Outcome::LeaseOver);
    });
}

#[test]
fn at_the_node_they_go_up_since_sockets_are_elsewhere() {
    alone(|hook| {
        let mut kernel = kernel(hook, PLACE_NODE);
        for (source, local) in STRANGERS {
            let packet = Frame::new(source, local, voice()).bytes();
            assert_passed(&mut kernel, &packet, Outcome::OtherSource);
        }
    });
}

#[test]
fn to_another_host_s_link_layer_address_or_a_group_they_go_up() {
    alone(|hook| {
        let mut kernel = kernel(hook, PLACE_OWN);
        let group = Frame {
            to_mac: [0xff; 6],
            ..Frame::new(CALLER, RELAY, voice())
        };
        assert_passed(&mut kernel, &group.bytes(), Outcome::OtherHost);
    });
}
