//! What a table may send, against the same rules written out byte by byte.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::net::SocketAddr;

use proptest::prelude::*;
use underpass_abi::{
    Egress, Flow, Grant, GrantedV4, GrantedV6, HEAD_WORDS, MAX_EGRESSES, MAX_LOCALS, Outcome,
};
use underpass_packet::{Addressing, Internet, Ipv4, Ipv6, lease_runs, leaving};

const MAC: [u8; 6] = [2, 0, 0, 0, 0x77, 1];
/// Where flows of either family leave from.
const FROM: [&str; 2] = ["198.51.100.1:40000", "[2001:db8:2::1]:40000"];
const TO: [&str; 2] = ["203.0.113.9:5000", "[2001:db8:9::9]:5000"];
/// The slot and the address that flows name.
const SLOT: usize = 3;
const LOCAL: usize = 2;

/// One way out; of each family three addresses, the last of which the flows leave from.
fn grant(first_port: u16, last_port: u16) -> Grant {
    let mut grant = Grant {
        lease_ns: 1,
        v4_count: 3,
        v6_count: 3,
        v4: [GrantedV4::default(); MAX_LOCALS],
        v6: [GrantedV6::default(); MAX_LOCALS],
        egresses: [Egress::default(); MAX_EGRESSES],
    };
    grant.v4[LOCAL] = GrantedV4 {
        address: [198, 51, 100, 1],
        block: 0,
        first_port,
        last_port,
    };
    grant.v6[LOCAL] = GrantedV6 {
        address: *b"\x20\x01\x0d\xb8\0\x02\0\0\0\0\0\0\0\0\0\x01",
        block: 0,
        first_port,
        last_port,
    };
    grant.egresses[SLOT] = Egress {
        mac: [0, 0, 2, 0, 0, 0, 0x77, 1],
        ifindex: 7,
        vlan: 0,
        reserved: 0,
    };
    grant
}

/// A flow that keeps to the grant. `six`: it leaves by IPv6.
fn flow(six: bool, tos: u8, ttl: u8) -> Flow {
    let [from, to]: [SocketAddr; 2] =
        [FROM, TO].map(|pair| pair[usize::from(six)].parse().unwrap());
    let mut flow = Flow {
        egress: SLOT as u32,
        from_local: LOCAL as u16,
        ..Flow::default()
    };
    let addressing = Addressing {
        local: from,
        source: to,
        from,
        to,
        from_mac: MAC,
        to_mac: [2, 9, 9, 9, 9, 9],
        tos,
        ttl,
    };
    addressing.fill(&mut flow);
    flow
}

fn may_leave(six: bool, flow: &Flow, grant: &Grant) -> bool {
    fn outcome<O: Internet>(flow: &Flow, grant: &Grant) -> Result<(), Outcome> {
        leaving::<O>(flow, grant).map(|_| ())
    }
    let outcome = if six {
        outcome::<Ipv6>(flow, grant)
    } else {
        outcome::<Ipv4>(flow, grant)
    };
    assert!(matches!(outcome, Ok(()) | Err(Outcome::OutsideGrant)));
    outcome.is_ok()
}

/// The rules, for a frame's first bytes.
fn is_allowed(six: bool, head: &[u8; HEAD_WORDS * 8], ports: (u16, u16)) -> bool {
    let port = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let in_range = |port| ports.0 <= port && port <= ports.1;
    if head[0] & 1 != 0 || head[6..12] != MAC {
        return false;
    }
    if six {
        head[12..14] == [0x86, 0xdd]
            && head[14] >> 4 == 6
            && head[20] == 17
            && head[22..38] == *b"\x20\x01\x0d\xb8\0\x02\0\0\0\0\0\0\0\0\0\x01"
            && in_range(port(54))
    } else {
        head[12..14] == [8, 0]
            && head[14] == 0x45
            && head[20] & !0x40 == 0
            && head[21] == 0
            && head[23] == 17
            && head[26..30] == [198, 51, 100, 1]
            && in_range(port(34))
    }
}

fn bytes(flow: &Flow) -> [u8; HEAD_WORDS * 8] {
    let words = flow.head.map(u64::to_ne_bytes);
    words.as_flattened().try_into().unwrap()
}

fn set_bytes(flow: &mut Flow, bytes: &[u8; HEAD_WORDS * 8]) {
    let (words, _) = bytes.as_chunks::<8>();
    flow.head = core::array::from_fn(|place| u64::from_ne_bytes(words[place]));
}

proptest! {
    #[test]
    fn what_addresses_make_of_a_granted_flow_may_leave(six: bool, tos: u8, ttl: u8) {
        prop_assert!(may_leave(six, &flow(six, tos, ttl), &grant(40_000, 40_000)));
    }

    #[test]
    fn a_head_may_leave_where_every_byte_of_it_keeps_to_the_grant(
        six: bool,
        changes in prop::collection::vec((0..HEAD_WORDS * 8, any::<u8>()), 0..3),
        first in 39_990..40_010_u16,
        last in 39_990..40_010_u16,
    ) {
        let mut flow = flow(six, 0xb8, 64);
        let mut head = bytes(&flow);
        for (at, value) in changes {
            head[at] = value;
        }
        set_bytes(&mut flow, &head);
        prop_assert_eq!(
            may_leave(six, &flow, &grant(first, last)),
            is_allowed(six, &head, (first, last))
        );
    }

    #[test]
    fn no_single_bit_that_counts_may_be_another(six: bool, bit in 0..HEAD_WORDS * 64) {
        let mut flow = flow(six, 0xb8, 64);
        let mut head = bytes(&flow);
        head[bit / 8] ^= 1 << (bit % 8);
        set_bytes(&mut flow, &head);
        let ports = (40_000, 40_000);
        prop_assert_eq!(may_leave(six, &flow, &grant(ports.0, ports.1)), is_allowed(six, &head, ports));
    }

    #[test]
    fn only_the_slot_and_the_address_that_there_are(
        six: bool,
        egress: u32,
        near_egress in 0..40_u32,
        from_local: u16,
        near_local in 0..40_u16,
    ) {
        for (egress, from_local) in [
            (egress, LOCAL as u16),
            (near_egress, LOCAL as u16),
            (SLOT as u32, from_local),
            (SLOT as u32, near_local),
        ] {
            let flow = Flow { egress, from_local, ..flow(six, 0, 64) };
            let right = egress == SLOT as u32 && from_local == LOCAL as u16;
            prop_assert_eq!(may_leave(six, &flow, &grant(1, u16::MAX)), right);
        }
    }

    #[test]
    fn an_address_past_those_that_count_is_not_granted(six: bool, count in 0..=MAX_LOCALS as u32) {
        let mut grant = grant(1, u16::MAX);
        grant.v4_count = count;
        grant.v6_count = count;
        prop_assert_eq!(may_leave(six, &flow(six, 0, 64), &grant), count as usize > LOCAL);
    }

    #[test]
    fn a_head_of_the_other_family_may_not_leave(six: bool) {
        prop_assert!(!may_leave(!six, &flow(six, 0, 64), &grant(1, u16::MAX)));
    }

    #[test]
    fn a_lease_runs_from_the_last_sign_of_life(
        alive in 1_000_000_000_u64..1 << 60,
        lease in 100_000_000_u64..1 << 50,
        share in 0.0..0.99_f64,
        over in 0_u64..1 << 50,
    ) {
        let within = (lease as f64 * share) as u64;
        let slack = 20_000_000;
        prop_assert_eq!(lease_runs(alive + within, alive, lease), within < lease - slack);
        prop_assert!(!lease_runs(alive + lease + over, alive, lease));
        // A clock that lags.
        prop_assert!(lease_runs(alive - 10_000_000, alive, lease));
        // A sign of life from times to come.
        prop_assert!(!lease_runs(alive - slack - 1 - over.min(alive - slack - 1), alive, lease));
        prop_assert!(!lease_runs(alive + within, alive, 0));
    }
}
