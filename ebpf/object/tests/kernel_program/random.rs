//! Random RTP packets and flows: what the kernel puts out is what the tests' own reference writes.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use underpass_abi::{ANY_SSRC, Outcome};

use crate::flow::{Flow, expected, flow};
use crate::frame::{Checksum, Frame, rtp};
use crate::harness::{HOOKS, Kernel};

fn address(v6: bool) -> BoxedStrategy<SocketAddr> {
    let port = 1..=u16::MAX;
    if v6 {
        (any::<[u8; 16]>(), port)
            .prop_map(|(ip, port)| (IpAddr::from(ip), port).into())
            .boxed()
    } else {
        (any::<[u8; 4]>(), port)
            .prop_map(|(ip, port)| (IpAddr::from(ip), port).into())
            .boxed()
    }
}

fn tags() -> impl Strategy<Value = Vec<(u16, u16)>> {
    prop::collection::vec(
        (prop_oneof![Just(0x8100), Just(0x88a8)], any::<u16>()),
        0..=2,
    )
}

#[derive(Clone, Debug)]
struct Case {
    frame: Frame,
    flow: Flow,
    from: SocketAddr,
    to: SocketAddr,
    outcome: Outcome,
}

fn case() -> impl Strategy<Value = Case> {
    (any::<bool>(), any::<bool>()).prop_flat_map(|(v6, v6_out)| {
        (
            [address(v6), address(v6)],
            [address(v6_out), address(v6_out)],
            (any::<u8>(), any::<u16>(), any::<u32>(), 0..4_u32),
            prop::collection::vec(any::<u8>(), 0..1460),
            (
                any::<u64>(),
                any::<u64>(),
                any::<u8>(),
                any::<u8>(),
                0..=4_u8,
                any::<bool>(),
            ),
            (
                any::<u8>(),
                any::<u8>(),
                any::<u16>(),
                any::<bool>(),
                any::<bool>(),
            ),
            (tags(), any::<u16>(), 0..64_usize),
        )
            .prop_map(build)
    })
}

type Parts = (
    [SocketAddr; 2],
    [SocketAddr; 2],
    (u8, u16, u32, u32),
    Vec<u8>,
    (u64, u64, u8, u8, u8, bool),
    (u8, u8, u16, bool, bool),
    (Vec<(u16, u16)>, u16, usize),
);

fn build(parts: Parts) -> Case {
    let ([source, local], [from, to], header, body, policy, ip, (tags, egress_vlan, trailer)) =
        parts;
    let (second, sequence, timestamp, ssrc) = header;
    let (low, high, tos, ttl, ssrc_count, any_ssrc) = policy;
    let (old_tos, old_ttl, id, no_checksum, narrow) = ip;
    let checksum = if no_checksum && source.is_ipv4() {
        Checksum::Zero
    } else {
        Checksum::Full
    };
    let payload = rtp(second, sequence, timestamp, ssrc, &body);
    let flow = Flow {
        // Mostly allowed, so that most packets go through.
        payload_types: [low | !(low << 1), high | !(high >> 1)],
        ssrcs: [0, 1, 2, 3],
        ssrc_count,
        flags: if any_ssrc { ANY_SSRC } else { 0 },
        tos,
        ttl,
        egress_vlan,
        egress_mtu: if narrow { 600 } else { 1500 },
        ..flow(&source.to_string(), &from.to_string(), &to.to_string())
    };
    let frame = Frame {
        tags,
        tos: old_tos,
        ttl: old_ttl,
        id,
        checksum,
        trailer: vec![0xee; trailer],
        ..Frame::new(&source.to_string(), &local.to_string(), payload)
    };
    let outcome = outcome(&frame, &flow);
    Case {
        frame,
        flow,
        from,
        to,
        outcome,
    }
}

fn outcome(frame: &Frame, flow: &Flow) -> Outcome {
    let payload_type = frame.payload[1] & 0x7f;
    let ssrc = frame.payload[11];
    let grown = frame.payload.len() + 8 + if flow.egress_family() == 4 { 20 } else { 40 };
    let types = u128::from(flow.payload_types[0]) | u128::from(flow.payload_types[1]) << 64;
    if (192..=223).contains(&frame.payload[1]) {
        Outcome::Rtcp
    } else if types >> payload_type & 1 == 0 {
        Outcome::PayloadType
    } else if flow.flags != ANY_SSRC && ssrc >= flow.ssrc_count {
        Outcome::Ssrc
    } else if grown > usize::from(flow.egress_mtu) {
        Outcome::TooBig
    } else if frame.checksum == Checksum::Zero && flow.egress_family() == 6 {
        Outcome::Checksum
    } else {
        Outcome::Forwarded
    }
}

#[test]
fn the_kernel_does_what_the_reference_does() {
    let kernels = RefCell::new(HOOKS.map(Kernel::load));
    let config = ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(case in case())| {
        for kernel in kernels.borrow_mut().iter_mut() {
            let before = kernel.outcomes();
            kernel.install(case.frame.destination, case.flow);
            let packet = case.frame.bytes();
            let ran = kernel.run(&packet);
            let count = |counts: &[(Outcome, u64)]| counts.iter().find(|(o, _)| *o == case.outcome).map_or(0, |(_, n)| *n);
            prop_assert_eq!(count(&kernel.outcomes()), count(&before) + 1, "{:?}", case.outcome);
            if case.outcome == Outcome::Forwarded {
                prop_assert_eq!(ran.action, kernel.redirect());
                prop_assert_eq!(ran.packet, expected(&case.frame, &case.flow, case.from, case.to, kernel.hook));
            } else {
                prop_assert_eq!(ran.action, kernel.pass());
                prop_assert_eq!(ran.packet, packet);
            }
            kernel.clear();
        }
    });
}
