//! Several receivers: what is left of a packet is the last one's; `live` looks at all of them.

use std::net::SocketAddr;

use underpass_abi::{Flow as AbiFlow, MAX_FURTHER, Outcome, SEVERAL_RECEIVERS};

use crate::flow::{Flow, expected, flow, voice};
use crate::frame::{Checksum, Frame};
use crate::harness::{
    CALLER, CALLER6, HOOKS, Hook, Kernel, Loaded, RELAY, RELAY6, STATS_RECORD, bytes, packets,
};

const PAIRS: [(&str, &str); 2] = [(CALLER, RELAY), (CALLER6, RELAY6)];

/// Where receiver number `n` of a source is sent to.
fn receiver(source: &str, n: usize) -> Flow {
    let is_v4 = source == CALLER;
    let at = |v4: &str, v6: &str, port| format!("{}:{port}", if is_v4 { v4 } else { v6 });
    let from = at("198.51.100.1", "[2001:db8:2::1]", 40_000 + n);
    let to = at("198.51.100.20", "[2001:db8:2::20]", 5000 + n * 77);
    Flow {
        tos: n as u8,
        to_mac: [2, 0, 0, 0, 1, n as u8],
        ..flow(source, &from, &to)
    }
}

fn receivers(source: &str, count: usize) -> Vec<Flow> {
    (0..count).map(|n| receiver(source, n)).collect()
}

fn kernel(hook: Hook, local: &str, receivers: &[Flow]) -> Loaded {
    let mut kernel = Kernel::load(hook);
    kernel.install_several(local.parse().unwrap(), receivers);
    kernel
}

fn becomes(frame: &Frame, last: &Flow) -> Vec<u8> {
    expected(frame, last, last.from, last.to, Hook::Tc)
}

#[test]
fn the_last_of_any_number_of_receivers_is_sent_what_it_would_be_alone() {
    for (source, local) in PAIRS {
        for count in 2..=MAX_FURTHER + 1 {
            let receivers = receivers(source, count);
            let mut kernel = kernel(Hook::Tc, local, &receivers);
            let frame = Frame::new(source, local, voice());
            let ran = kernel.run(&frame.bytes());
            assert_eq!(kernel.outcomes(), [(Outcome::Forwarded, 1)], "{count}");
            assert_eq!(ran.action, kernel.redirect());
            assert_eq!(ran.packet, becomes(&frame, &receivers[count - 1]));
        }
    }
}

#[test]
fn a_packet_is_counted_once_in_the_first_record() {
    let mut kernel = kernel(Hook::Tc, RELAY, &receivers(CALLER, 3));
    let frame = Frame::new(CALLER, RELAY, voice());
    for _ in 0..5 {
        kernel.run(&frame.bytes());
    }
    let stats = kernel.stats(STATS_RECORD);
    assert_eq!((packets(&stats), bytes(&stats)), (5, 5 * 172));
    assert_eq!(stats.ssrcs[0].packets, 5);
}

#[test]
fn a_device_s_sum_over_the_whole_packet_stays_true_for_each_receiver() {
    for (source, local) in PAIRS {
        for count in 2..=4 {
            let receivers = receivers(source, count);
            let plain = Frame::new(source, local, voice());
            let none = Frame {
                checksum: Checksum::Zero,
                ..plain.clone()
            };
            for frame in [plain, none] {
                if frame.checksum == Checksum::Zero && source != CALLER {
                    continue;
                }
                let ran = kernel(Hook::Tc, local, &receivers).run_complete(&frame.bytes());
                let Some(ran) = ran else {
                    eprintln!("skipped: this kernel cannot make such packets (Linux 6.16)");
                    return;
                };
                let ran = ran.unwrap_or_else(|error| panic!("{source}: error {error}"));
                assert_eq!(ran.packet, becomes(&frame, &receivers[count - 1]));
            }
        }
    }
}

/// A packet for three receivers goes up untouched for `outcome` after `change`.
fn assert_up(
    hook: Hook,
    (source, local): (&str, &str),
    outcome: Outcome,
    change: impl Fn(&mut [Flow]),
) {
    let mut receivers = receivers(source, 3);
    change(&mut receivers);
    let mut kernel = kernel(hook, local, &receivers);
    let packet = Frame::new(source, local, voice()).bytes();
    assert_goes_up(&mut kernel, packet, outcome);
}

fn assert_goes_up(kernel: &mut Kernel, packet: Vec<u8>, outcome: Outcome) {
    let ran = kernel.run(&packet);
    assert_eq!(kernel.outcomes(), [(outcome, 1)]);
    assert_eq!((ran.action, ran.packet), (kernel.pass(), packet));
}

#[test]
fn xdp_lets_up_what_it_would_have_to_copy() {
    for hook in HOOKS.into_iter().filter(|hook| *hook != Hook::Tc) {
        for pair in PAIRS {
            assert_up(hook, pair, Outcome::SeveralReceivers, |_| {});
        }
    }
}

#[test]
fn what_is_too_big_for_one_receiver_goes_up_for_all() {
    for pair in PAIRS {
        for place in 0..3 {
            assert_up(Hook::Tc, pair, Outcome::TooBig, |receivers| {
                receivers[place].egress_mtu = 100;
            });
        }
    }
}

#[test]
fn a_receiver_in_the_other_family_keeps_a_packet_from_all() {
    for pair in PAIRS {
        let other = if pair.0 == CALLER { CALLER6 } else { CALLER };
        assert_up(Hook::Tc, pair, Outcome::SeveralReceivers, |receivers| {
            let Flow { from, to, .. } = receiver(other, 2);
            receivers[2] = Flow {
                from,
                to,
                ..receivers[2]
            };
        });
    }
}

#[test]
fn without_a_checksum_nothing_goes_to_ipv6() {
    let mut kernel = kernel(Hook::Tc, RELAY6, &receivers(CALLER6, 2));
    let frame = Frame {
        checksum: Checksum::Zero,
        ..Frame::new(CALLER6, RELAY6, voice())
    };
    assert_goes_up(&mut kernel, frame.bytes(), Outcome::Checksum);
}

#[test]
fn tags_in_the_bytes_bring_a_packet_for_several_up() {
    for (source, local) in PAIRS {
        let mut kernel = kernel(Hook::Tc, local, &receivers(source, 2));
        let frame = Frame {
            tags: vec![(0x88a8, 100), (0x8100, 7)],
            ..Frame::new(source, local, voice())
        };
        let ran = kernel.run(&frame.bytes());
        assert_eq!(kernel.outcomes(), [(Outcome::SeveralReceivers, 1)]);
        assert_eq!(ran.action, kernel.pass());
    }
}

/// What a careless or hostile owner names as further receivers sends nothing that it could not send otherwise.
#[test]
fn records_that_do_not_exist_are_no_receivers() {
    for name in [17, 1 << 20, 1 << 31, u32::MAX] {
        for place in 0..MAX_FURTHER {
            let mut kernel = kernel(Hook::Tc, RELAY, &receivers(CALLER, 2));
            kernel.change_flow(|flow| {
                flow.further = [STATS_RECORD + 1; MAX_FURTHER];
                flow.further[place] = name;
            });
            let packet = Frame::new(CALLER, RELAY, voice()).bytes();
            assert_goes_up(&mut kernel, packet, Outcome::SeveralReceivers);
        }
    }
}

#[test]
fn no_copy_leaves_outside_the_grant() {
    for (source, local) in PAIRS {
        for place in 0..3 {
            let changes: [fn(&mut AbiFlow); 3] = [
                |flow| flow.egress = 31,
                |flow| flow.from_local = 31,
                |flow| flow.head[0] ^= 1 << 56,
            ];
            for change in changes {
                let mut kernel = kernel(Hook::Tc, local, &receivers(source, 3));
                kernel.change_record(STATS_RECORD + place, change);
                let packet = Frame::new(source, local, voice()).bytes();
                assert_goes_up(&mut kernel, packet, Outcome::OutsideGrant);
            }
        }
    }
}

#[test]
fn a_chain_of_one_is_a_flow_like_any_other() {
    let only = receivers(CALLER, 1);
    let mut kernel = kernel(Hook::Tc, RELAY, &only);
    kernel.change_flow(|flow| flow.flags |= SEVERAL_RECEIVERS);
    let frame = Frame::new(CALLER, RELAY, voice());
    assert_eq!(kernel.run(&frame.bytes()).packet, becomes(&frame, &only[0]));
}

#[test]
fn a_flow_that_names_itself_for_ever_ends() {
    let local: SocketAddr = RELAY.parse().unwrap();
    let mut kernel = Kernel::with(Hook::Tc, RELAY, receiver(CALLER, 0));
    kernel.change_flow(|flow| {
        flow.flags |= SEVERAL_RECEIVERS;
        flow.further = [STATS_RECORD + 1; MAX_FURTHER];
    });
    let ran = kernel.run(&Frame::new(CALLER, &local.to_string(), voice()).bytes());
    assert_eq!(ran.action, kernel.redirect());
}
