//! Every rewrite, against the same frame written out from nothing.

use std::net::SocketAddr;

use underpass_abi::Outcome;

use crate::flow::{Flow, expected, flow, voice};
use crate::frame::{Frame, rtp};
use crate::harness::{
    CALLER, CALLER6, HOOKS, Hook, Kernel, RELAY, RELAY6, SSRC, STATS_RECORD, XDP_TX, packets,
};

const OUT: (&str, &str) = ("198.51.100.1:40000", "198.51.100.20:5000");
const OUT6: (&str, &str) = ("[2001:db8:2::1]:40000", "[2001:db8:2::20]:5000");

/// All four pairs of families: what arrives, and where it goes.
fn pairs() -> [(Frame, Flow, SocketAddr, SocketAddr); 4] {
    [
        (CALLER, RELAY, OUT),
        (CALLER6, RELAY6, OUT6),
        (CALLER, RELAY, OUT6),
        (CALLER6, RELAY6, OUT),
    ]
    .map(|(source, local, (from, to))| {
        (
            Frame::new(source, local, voice()),
            flow(source, from, to),
            from.parse().unwrap(),
            to.parse().unwrap(),
        )
    })
}

fn assert_becomes(hook: Hook, frame: &Frame, flow: Flow, from: SocketAddr, to: SocketAddr) {
    let mut kernel = Kernel::load(hook);
    kernel.install(frame.destination, flow);
    let ran = kernel.run(&frame.bytes());
    assert_eq!(
        kernel.outcomes(),
        [(Outcome::Forwarded, 1)],
        "{hook:?} {frame:?}"
    );
    assert_eq!(ran.action, kernel.redirect());
    assert_eq!(
        ran.packet,
        expected(frame, &flow, from, to, hook),
        "{hook:?} {frame:?}"
    );
}

#[test]
fn between_all_families() {
    for hook in HOOKS {
        for (frame, flow, from, to) in pairs() {
            assert_becomes(hook, &frame, flow, from, to);
        }
    }
}

#[test]
fn tos_and_ttl_are_the_flow_s() {
    for hook in HOOKS {
        for (frame, flow, from, to) in pairs() {
            let frame = Frame {
                tos: 0x2c,
                ttl: 1,
                ..frame
            };
            for (tos, ttl) in [(0, 255), (0xff, 64), (0xb8, 1)] {
                assert_becomes(hook, &frame, Flow { tos, ttl, ..flow }, from, to);
            }
        }
    }
}

#[test]
fn any_payload_length_odd_or_even() {
    for hook in HOOKS {
        for (frame, flow, from, to) in pairs() {
            for length in (0..40).chain(1380..1400) {
                let payload = rtp(0x80 | 96, 7, 9, SSRC, &vec![0xa7; length]);
                assert_becomes(
                    hook,
                    &Frame {
                        payload,
                        ..frame.clone()
                    },
                    flow,
                    from,
                    to,
                );
            }
        }
    }
}

#[test]
fn the_largest_packet_that_fits() {
    for hook in HOOKS {
        for (frame, flow, from, to) in pairs() {
            let header = if to.is_ipv4() { 20 } else { 40 };
            let payload = rtp(0, 7, 9, SSRC, &vec![0x55; 1500 - header - 8 - 12]);
            assert_becomes(hook, &Frame { payload, ..frame }, flow, from, to);
        }
    }
}

#[test]
fn padding_of_a_short_frame_goes_along() {
    for hook in HOOKS {
        for (frame, flow, from, to) in pairs() {
            let frame = Frame {
                payload: rtp(0, 7, 9, SSRC, &[1]),
                trailer: vec![0; 5],
                ..frame
            };
            assert_becomes(hook, &frame, flow, from, to);
        }
    }
}

#[test]
fn tags_are_taken_off_and_put_on() {
    let stacks = [
        vec![],
        vec![(0x8100, 0x2005)],
        vec![(0x88a8, 100), (0x8100, 7)],
    ];
    for hook in HOOKS {
        for (frame, flow, from, to) in pairs() {
            for tags in &stacks {
                for egress_vlan in [0, 42, 0x2005] {
                    let frame = Frame {
                        tags: tags.clone(),
                        ..frame.clone()
                    };
                    assert_becomes(
                        hook,
                        &frame,
                        Flow {
                            egress_vlan,
                            ..flow
                        },
                        from,
                        to,
                    );
                }
            }
        }
    }
}

#[test]
fn xdp_sends_out_of_the_same_interface_by_tx() {
    for hook in [Hook::Xdp, Hook::GenericXdp] {
        for (frame, flow, from, to) in pairs() {
            // Test runs arrive on the loopback interface.
            let flow = Flow {
                egress_ifindex: 1,
                ..flow
            };
            let mut kernel = Kernel::load(hook);
            kernel.install(frame.destination, flow);
            let ran = kernel.run(&frame.bytes());
            assert_eq!(ran.action, XDP_TX);
            assert_eq!(ran.packet, expected(&frame, &flow, from, to, hook));
        }
    }
}

#[test]
fn a_frame_to_the_flow_s_own_link_layer_address_passes() {
    let local_mac = [2, 0, 0, 0, 0, 0x54];
    for hook in [Hook::Xdp, Hook::GenericXdp] {
        for (frame, flow, from, to) in pairs() {
            let frame = Frame {
                to_mac: local_mac,
                ..frame
            };
            assert_becomes(hook, &frame, Flow { local_mac, ..flow }, from, to);
        }
    }
}

#[test]
fn a_flow_replaced_in_place_takes_effect_at_once() {
    for hook in HOOKS {
        let (frame, first, ..) = pairs()[0].clone();
        let second = flow(CALLER, OUT6.0, OUT6.1);
        let mut kernel = Kernel::load(hook);
        for (flow, (from, to)) in [(first, OUT), (second, OUT6), (first, OUT)] {
            kernel.install(frame.destination, flow);
            let ran = kernel.run(&frame.bytes());
            assert_eq!(
                ran.packet,
                expected(
                    &frame,
                    &flow,
                    from.parse().unwrap(),
                    to.parse().unwrap(),
                    hook
                )
            );
        }
        assert_eq!(
            packets(&kernel.stats(STATS_RECORD)),
            3,
            "the counters go on"
        );
    }
}
