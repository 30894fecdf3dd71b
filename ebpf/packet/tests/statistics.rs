//! Sequence numbers and jitter, against RFC 3550's appendix.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use proptest::prelude::*;
use underpass_abi::SsrcStats;
use underpass_packet::{Read, Rtp, arrival, observe};

fn rtp(sequence: u16, timestamp: u32, ssrc: u32) -> Rtp {
    let mut bytes = vec![0x80, 0];
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(timestamp.to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.as_slice().read(0).unwrap()
}

fn observe_all(packets: impl IntoIterator<Item = (u16, u32, u32)>) -> SsrcStats {
    let mut entry = SsrcStats::default();
    for (sequence, timestamp, at) in packets {
        observe(&mut entry, &rtp(sequence, timestamp, 1), Some(at), 8000);
        entry.packets += 1;
    }
    entry
}

#[test]
fn a_constant_spacing_has_no_jitter() {
    let entry = observe_all((0..100).map(|n| (n, u32::from(n) * 160, u32::from(n) * 160 + 77)));
    assert_eq!(entry.jitter_x16, 0);
}

#[test]
fn jitter_is_the_recurrence_of_rfc_3550_a_8() {
    let delays = [0, 30, 10, 55, 0, 0, 80, 3, 41];
    let entry = observe_all(
        delays
            .iter()
            .enumerate()
            .map(|(n, delay)| (n as u16, n as u32 * 160, n as u32 * 160 + delay)),
    );
    let mut jitter = 0_i64;
    for pair in delays.windows(2) {
        let difference = (i64::from(pair[1]) - i64::from(pair[0])).abs();
        jitter += difference - ((jitter + 8) >> 4);
    }
    assert_eq!(i64::from(entry.jitter_x16), jitter);
}

#[test]
fn a_jump_of_the_timeline_is_no_jitter() {
    let entry = observe_all([
        (1, 0, 0),
        (2, 160, 160),
        (3, 900_000_000, 320),
        (4, 900_000_160, 480),
    ]);
    assert_eq!(entry.jitter_x16, 0);
}

#[test]
fn packets_that_were_not_timed_leave_the_jitter_alone() {
    let mut entry = SsrcStats::default();
    for (sequence, at) in [(1, Some(0)), (2, None), (3, Some(320)), (4, None)] {
        observe(
            &mut entry,
            &rtp(sequence, u32::from(sequence - 1) * 160, 1),
            at,
            8000,
        );
        entry.packets += 1;
    }
    assert_eq!((entry.jitter_x16, entry.highest_sequence), (0, 4));
}

proptest! {
    #[test]
    fn arrival_is_time_times_clock_rate(now_ns in 0..u64::MAX / 4, step in 0..2_000_000_000_u64, rate in 1..200_000_u32) {
        let exact = |ns: u64| (u128::from(ns) * u128::from(rate) / 1_000_000_000) as u32;
        let between = arrival(now_ns + step, rate).wrapping_sub(arrival(now_ns, rate));
        let right = exact(now_ns + step).wrapping_sub(exact(now_ns));
        prop_assert!(between.abs_diff(right) <= 2, "{between} {right}");
    }

    #[test]
    fn any_order_with_any_loss_counts_right(
        start: u16,
        kept in prop::collection::vec(any::<bool>(), 1..500),
        swaps in prop::collection::vec(0..490_usize, 0..100),
    ) {
        let mut sequences: Vec<u16> = kept.iter().enumerate().filter(|(n, kept)| **kept || *n == 0)
            .map(|(n, _)| start.wrapping_add(n as u16)).collect();
        for swap in swaps {
            // The first packet stays first: it is the base.
            if swap >= 1 && swap + 1 < sequences.len() {
                sequences.swap(swap, swap + 1);
            }
        }
        let entry = observe_all(sequences.iter().map(|sequence| (*sequence, 0, 0)));
        let highest = (0..kept.len()).rev().find(|n| kept[*n] || *n == 0).unwrap() as u32;
        // A swapped packet may be further back than RFC 3550's 100, which such few swaps do not reach.
        prop_assert_eq!(entry.highest_sequence.wrapping_sub(entry.base_sequence), highest);
        prop_assert_eq!(entry.packets as usize, sequences.len());
    }
}
