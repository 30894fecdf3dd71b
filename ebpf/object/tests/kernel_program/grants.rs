//! What a table may receive for and send from, whatever its owner writes into it.

use std::net::SocketAddr;

use underpass_abi::{Flow as AbiFlow, Outcome};

use crate::flow::{Flow, expected, flow, voice};
use crate::frame::Frame;
use crate::harness::{
    CALLER, CALLER6, HOOKS, Hook, Kernel, Loaded, RELAY, RELAY6, STATS_RECORD, packets,
};

const OUT: (&str, &str) = ("198.51.100.1:40000", "198.51.100.20:5000");
const OUT6: (&str, &str) = ("[2001:db8:2::1]:40000", "[2001:db8:2::20]:5000");
/// Who sends, where it arrives, and what leaves.
type Case = (&'static str, &'static str, (&'static str, &'static str));
const CASES: [Case; 2] = [(CALLER, RELAY, OUT), (CALLER6, RELAY6, OUT6)];
const CROSSED: [Case; 2] = [(CALLER, RELAY, OUT6), (CALLER6, RELAY6, OUT)];

fn kernel(hook: Hook, (source, local, (from, to)): Case) -> Loaded {
    Kernel::with(hook, local, flow(source, from, to))
}

/// The flow's packet goes up untouched for `outcome`, after `change`; before, it was forwarded.
fn assert_refused(case: Case, outcome: Outcome, change: impl Fn(&mut Kernel)) {
    for hook in HOOKS {
        let mut kernel = kernel(hook, case);
        let packet = Frame::new(case.0, case.1, voice()).bytes();
        assert_eq!(kernel.run(&packet).action, kernel.redirect(), "{case:?}");
        change(&mut kernel);
        let ran = kernel.run(&packet);
        assert_eq!(
            kernel.outcomes(),
            [(Outcome::Forwarded, 1), (outcome, 1)],
            "{hook:?} {case:?}"
        );
        assert_eq!((ran.action, ran.packet), (kernel.pass(), packet));
        assert_eq!(packets(&kernel.stats(STATS_RECORD)), 1);
    }
}

fn assert_outside(change: impl Fn(&mut Kernel)) {
    for case in CASES.into_iter().chain(CROSSED) {
        assert_refused(case, Outcome::OutsideGrant, &change);
    }
}

/// Changes the bytes that packets of the flow leave with.
fn change_head(kernel: &mut Kernel, change: impl FnOnce(&mut [u8])) {
    kernel.change_flow(|flow: &mut AbiFlow| {
        let mut words = flow.head.map(u64::to_ne_bytes);
        change(words.as_flattened_mut());
        flow.head = words.map(u64::from_ne_bytes);
    });
}

/// Whether what leaves is IPv6.
fn is_v6(head: &[u8]) -> bool {
    head[12] == 0x86
}

#[test]
fn a_destination_address_outside_the_grant_misses() {
    for case in CASES {
        let local: SocketAddr = case.1.parse().unwrap();
        assert_refused(case, Outcome::Miss, |kernel| kernel.forget(local.ip()));
    }
}

#[test]
fn a_destination_port_outside_the_grant_misses() {
    for case in CASES {
        for (first, last) in [(30_001, 65_535), (1, 29_999), (30_001, 29_999)] {
            assert_refused(case, Outcome::Miss, |kernel| {
                kernel.change_grant(|grant| {
                    // The local address came first.
                    (grant.v4[0].first_port, grant.v4[0].last_port) = (first, last);
                    (grant.v6[0].first_port, grant.v6[0].last_port) = (first, last);
                });
            });
        }
    }
}

#[test]
fn no_flow_leaves_from_a_foreign_address() {
    assert_outside(|kernel| {
        change_head(kernel, |head| {
            head[if is_v6(head) { 37 } else { 29 }] ^= 2;
        });
    });
    assert_outside(|kernel| {
        change_head(kernel, |head| {
            head[if is_v6(head) { 22 } else { 26 }] ^= 0x80;
        });
    });
}

#[test]
fn no_flow_leaves_from_another_address_than_it_names() {
    for named in [5, 31, 32, u16::MAX] {
        assert_outside(|kernel| kernel.change_flow(|flow| flow.from_local = named));
    }
    for case in CASES {
        // One of the granted addresses, but not the one in the head.
        assert_refused(case, Outcome::OutsideGrant, |kernel| {
            kernel.change_flow(|flow| flow.from_local = 0);
        });
    }
}

#[test]
fn no_flow_leaves_from_a_port_outside_the_grant() {
    for (first, last) in [(40_001, 65_535), (1, 39_999)] {
        assert_outside(|kernel| {
            kernel.change_grant(|grant| {
                // The address that it leaves from came last.
                let (v4, v6) = (grant.v4_count as usize, grant.v6_count as usize);
                for local in &mut grant.v4[v4.saturating_sub(1)..v4] {
                    if local.address == [198, 51, 100, 1] {
                        (local.first_port, local.last_port) = (first, last);
                    }
                }
                for local in &mut grant.v6[v6.saturating_sub(1)..v6] {
                    if local.address[5] == 2 {
                        (local.first_port, local.last_port) = (first, last);
                    }
                }
            });
        });
    }
}

#[test]
fn no_flow_leaves_from_a_foreign_link_layer_address_or_to_a_group() {
    for at in 6..12 {
        assert_outside(|kernel| change_head(kernel, |head| head[at] ^= 4));
    }
    assert_outside(|kernel| change_head(kernel, |head| head[0] |= 1));
    assert_outside(|kernel| change_head(kernel, |head| head[..6].fill(0xff)));
}

#[test]
fn no_flow_leaves_by_a_way_that_there_is_not() {
    for egress in [1, 31, 32, 1 << 16, u32::MAX] {
        assert_outside(|kernel| kernel.change_flow(|flow| flow.egress = egress));
    }
    assert_outside(|kernel| kernel.change_grant(|grant| grant.egresses[0].ifindex = 0));
    // Another way out of the table's, of another link-layer address.
    assert_outside(|kernel| {
        kernel.change_grant(|grant| {
            grant.egresses[7] = grant.egresses[0];
            grant.egresses[7].mac[7] ^= 4;
        });
        kernel.change_flow(|flow| flow.egress = 7);
    });
}

#[test]
fn nothing_but_ip_leaves() {
    for ethertype in [[8, 6], [0x81, 0], [0x88, 0xa8], [0x88, 0xcc], [0, 0]] {
        assert_outside(|kernel| {
            change_head(kernel, |head| head[12..14].copy_from_slice(&ethertype));
        });
    }
    // The other family's ethertype, and the other family's version.
    assert_outside(|kernel| {
        change_head(kernel, |head| {
            let other = if is_v6(head) { [8, 0] } else { [0x86, 0xdd] };
            head[12..14].copy_from_slice(&other);
        });
    });
    assert_outside(|kernel| change_head(kernel, |head| head[14] ^= 0x20));
}

#[test]
fn nothing_but_udp_leaves() {
    for protocol in [0, 1, 6, 44, 58, 136] {
        assert_outside(|kernel| {
            change_head(kernel, |head| {
                head[if is_v6(head) { 20 } else { 23 }] = protocol;
            });
        });
    }
}

#[test]
fn no_fragment_and_no_options_leave() {
    let case = (CALLER, RELAY, OUT);
    for (at, value) in [
        (20, 0x20),
        (20, 0x80),
        (20, 0x41),
        (21, 1),
        (14, 0x46),
        (14, 0x44),
    ] {
        assert_refused(case, Outcome::OutsideGrant, |kernel| {
            change_head(kernel, |head| head[at] = value);
        });
    }
    for hook in HOOKS {
        let mut kernel = kernel(hook, case);
        change_head(&mut kernel, |head| head[20] = 0);
        let packet = Frame::new(case.0, case.1, voice()).bytes();
        let action = kernel.run(&packet).action;
        assert_eq!(action, kernel.redirect(), "may be fragmented, and is not");
    }
}

#[test]
fn the_tag_is_the_way_out_s_alone() {
    for hook in HOOKS {
        for case in CASES {
            let mut kernel = kernel(hook, case);
            kernel.change_grant(|grant| grant.egresses[0].vlan = 0x2005);
            let frame = Frame::new(case.0, case.1, voice());
            let (from, to) = (case.2.0.parse().unwrap(), case.2.1.parse().unwrap());
            let tagged = Flow {
                egress_vlan: 0x2005,
                ..flow(case.0, case.2.0, case.2.1)
            };
            let ran = kernel.run(&frame.bytes());
            assert_eq!(ran.packet, expected(&frame, &tagged, from, to, hook));
        }
    }
}

#[test]
fn every_place_has_a_grant_of_its_own() {
    for hook in HOOKS {
        let mut own = Kernel::load_at(hook, underpass_abi::PLACE_OWN);
        own.install(RELAY.parse().unwrap(), flow(CALLER, OUT.0, OUT.1));
        let packet = Frame::new(CALLER, RELAY, voice()).bytes();
        assert_eq!(own.run(&packet).action, own.redirect());
        own.revoke_here_and_grant_elsewhere();
        assert_eq!(own.run(&packet).action, own.pass());
    }
}
