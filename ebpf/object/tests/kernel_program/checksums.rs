//! UDP checksums as senders, devices and chance leave them.

use std::net::SocketAddr;

use underpass_abi::Outcome;

use crate::flow::{expected, flow, voice};
use crate::frame::{Checksum, Frame, folded, rtp};
use crate::harness::{CALLER, CALLER6, HOOKS, Hook, Kernel, RELAY, RELAY6, SSRC};

const OUT: (&str, &str) = ("198.51.100.1:40000", "198.51.100.20:5000");
const OUT6: (&str, &str) = ("[2001:db8:2::1]:40000", "[2001:db8:2::20]:5000");
const PAIRS: [(&str, &str, (&str, &str)); 4] = [
    (CALLER, RELAY, OUT),
    (CALLER6, RELAY6, OUT6),
    (CALLER, RELAY, OUT6),
    (CALLER6, RELAY6, OUT),
];

fn addresses((from, to): (&str, &str)) -> (SocketAddr, SocketAddr) {
    (from.parse().unwrap(), to.parse().unwrap())
}

#[test]
fn no_checksum_stays_none_between_ipv4() {
    for hook in HOOKS {
        let flow = flow(CALLER, OUT.0, OUT.1);
        let frame = Frame {
            checksum: Checksum::Zero,
            ..Frame::new(CALLER, RELAY, voice())
        };
        let ran = Kernel::with(hook, RELAY, flow).run(&frame.bytes());
        let (from, to) = addresses(OUT);
        assert_eq!(ran.packet, expected(&frame, &flow, from, to, hook));
    }
}

#[test]
fn native_xdp_completes_what_a_sender_left_to_the_device() {
    for (source, local, out) in PAIRS {
        let flow = flow(source, out.0, out.1);
        let mut kernel = Kernel::with(Hook::Xdp, local, flow);
        for length in (0..40).chain([160, 1300, 1301]) {
            let payload = rtp(0, 1, 2, SSRC, &vec![0x3c; length]);
            let frame = Frame {
                checksum: Checksum::Partial,
                ..Frame::new(source, local, payload)
            };
            let ran = kernel.run(&frame.bytes());
            let (from, to) = addresses(out);
            let full = Frame {
                checksum: Checksum::Full,
                ..frame
            };
            assert_eq!(
                ran.packet,
                expected(&full, &flow, from, to, Hook::Xdp),
                "{length}"
            );
        }
    }
}

#[test]
fn generic_xdp_leaves_to_the_device_what_the_sender_left() {
    for (source, local, out) in PAIRS {
        let flow = flow(source, out.0, out.1);
        let frame = Frame {
            checksum: Checksum::Partial,
            ..Frame::new(source, local, voice())
        };
        let ran = Kernel::with(Hook::GenericXdp, local, flow).run(&frame.bytes());
        let (from, to) = addresses(out);
        assert_eq!(
            ran.packet,
            expected(&frame, &flow, from, to, Hook::GenericXdp)
        );
    }
}

/// A frame whose complete checksum is the pseudo-header's sum, by choice of two bytes of payload.
fn ambiguous(source: &str, local: &str) -> Frame {
    let pseudo = Frame {
        checksum: Checksum::Partial,
        ..filled(source, local, 0)
    };
    let complete = checksum_field(&filled(source, local, 0).bytes());
    let fill = fill_between(complete, checksum_field(&pseudo.bytes()));
    let frame = filled(source, local, fill);
    let partial = Frame {
        checksum: Checksum::Partial,
        ..frame.clone()
    };
    assert_eq!(frame.bytes(), partial.bytes());
    frame
}

/// A frame whose payload is two bytes.
fn filled(source: &str, local: &str, fill: u16) -> Frame {
    Frame::new(source, local, rtp(0, 1, 2, SSRC, &fill.to_be_bytes()))
}

/// What the payload must become for a packet whose checksum is `empty` with a payload of zeros to have the checksum `wanted`.
fn fill_between(empty: u16, wanted: u16) -> u16 {
    let (difference, borrowed) = empty.overflowing_add(!wanted);
    difference + u16::from(borrowed)
}

#[test]
fn a_complete_checksum_that_looks_left_to_the_device_stays_complete_natively() {
    for (source, local, out) in PAIRS {
        let flow = flow(source, out.0, out.1);
        let frame = ambiguous(source, local);
        let ran = Kernel::with(Hook::Xdp, local, flow).run(&frame.bytes());
        let (from, to) = addresses(out);
        assert_eq!(ran.packet, expected(&frame, &flow, from, to, Hook::Xdp));
    }
}

#[test]
fn generic_xdp_passes_up_what_can_be_read_both_ways() {
    for (source, local, out) in PAIRS {
        let mut kernel = Kernel::with(Hook::GenericXdp, local, flow(source, out.0, out.1));
        let packet = ambiguous(source, local).bytes();
        let ran = kernel.run(&packet);
        assert_eq!((ran.action, ran.packet), (kernel.pass(), packet));
        assert_eq!(kernel.outcomes(), [(Outcome::Checksum, 1)]);
    }
}

#[test]
fn a_computed_zero_leaves_as_ffff() {
    for hook in HOOKS {
        for (source, local, out) in PAIRS {
            let flow = flow(source, out.0, out.1);
            let (from, to) = addresses(out);
            let mut kernel = Kernel::with(hook, local, flow);
            // One payload makes the sum that arrives zero, another the one that leaves.
            let empty = filled(source, local, 0);
            let left = expected(&empty, &flow, from, to, hook);
            for (empty, is_leaving) in [(empty.bytes(), false), (left, true)] {
                let fill = fill_between(checksum_field(&empty), 0xffff);
                let frame = filled(source, local, fill);
                let right = expected(&frame, &flow, from, to, hook);
                let arriving = frame.bytes();
                let zero = if is_leaving { &right } else { &arriving };
                assert_eq!(checksum_field(zero), 0xffff);
                assert_eq!(kernel.run(&arriving).packet, right, "{hook:?} {fill}");
            }
        }
    }
}

#[test]
fn tc_carries_every_value_of_a_checksum_over() {
    for (source, local, out) in PAIRS {
        let flow = flow(source, out.0, out.1);
        let (from, to) = addresses(out);
        let mut kernel = Kernel::with(Hook::Tc, local, flow);
        let mut seen = std::collections::HashSet::new();
        for fill in 0..=u16::MAX {
            let frame = Frame::new(source, local, rtp(0, 1, 2, SSRC, &fill.to_be_bytes()));
            let packet = frame.bytes();
            seen.insert(checksum_field(&packet));
            let right = expected(&frame, &flow, from, to, Hook::Tc);
            assert_eq!(kernel.run(&packet).packet, right, "{fill}");
        }
        assert_eq!(seen.len(), 65_535, "all but none");
    }
}

fn checksum_field(frame: &[u8]) -> u16 {
    let at = if frame[12] == 8 { 40 } else { 60 };
    u16::from_be_bytes([frame[at], frame[at + 1]])
}

#[test]
fn a_wrong_udp_checksum_stays_as_wrong() {
    for hook in HOOKS {
        for (source, local, out) in PAIRS {
            let mut packet = Frame::new(source, local, voice()).bytes();
            let last = packet.len() - 1;
            packet[last] ^= 0x40;
            let ran = Kernel::with(hook, local, flow(source, out.0, out.1)).run(&packet);
            let udp = if ran.packet[12] == 8 { 34 } else { 54 };
            let addresses = if ran.packet[12] == 8 { 26..34 } else { 22..54 };
            let length = (ran.packet.len() - udp) as u16;
            let pseudo = [&ran.packet[addresses], &length.to_be_bytes(), &[0, 17]].concat();
            assert_ne!(
                folded(&[&pseudo, &ran.packet[udp..]]),
                0xffff,
                "the receiver must find it"
            );
        }
    }
}

#[test]
fn a_device_s_sum_over_the_whole_packet_stays_true_in_tc() {
    let mut checked = 0;
    for (source, local, out) in PAIRS {
        let plain = Frame::new(source, local, voice());
        let none = Frame {
            checksum: Checksum::Zero,
            ..plain.clone()
        };
        for frame in [plain, ambiguous(source, local), none] {
            let flow = flow(source, out.0, out.1);
            if frame.checksum == Checksum::Zero && !(frame.source.is_ipv4() && flow.to.is_ipv4()) {
                continue;
            }
            let Some(ran) = Kernel::with(Hook::Tc, local, flow).run_complete(&frame.bytes()) else {
                continue;
            };
            let (from, to) = addresses(out);
            // EBADMSG: the sum is not the packet's.
            let ran = ran.unwrap_or_else(|error| {
                panic!("{source} to {}, {:?}: error {error}", out.1, frame.checksum)
            });
            assert_eq!(ran.packet, expected(&frame, &flow, from, to, Hook::Tc));
            checked += 1;
        }
    }
    if checked == 0 {
        eprintln!("skipped: this kernel cannot make such packets (Linux 6.16)");
    }
}
