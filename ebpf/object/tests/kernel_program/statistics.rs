//! What is counted for a flow.

use underpass_abi::{FlowStats, SsrcStats};

use crate::flow::{Flow, flow};
use crate::frame::{Frame, rtp};
use crate::harness::{CALLER, HOOKS, Hook, Kernel, Loaded, RELAY, STATS_RECORD, bytes, packets};

const OUT: (&str, &str) = ("198.51.100.1:40000", "198.51.100.20:5000");

fn send(kernel: &mut Kernel, sequences: impl IntoIterator<Item = u16>, ssrc: u32) -> FlowStats {
    for sequence in sequences {
        let payload = rtp(0, sequence, u32::from(sequence) * 160, ssrc, &[0; 160]);
        let ran = kernel.run(&Frame::new(CALLER, RELAY, payload).bytes());
        assert_eq!(ran.action, kernel.redirect());
    }
    kernel.stats(STATS_RECORD)
}

fn kernel(hook: Hook) -> Loaded {
    Kernel::with(hook, RELAY, flow(CALLER, OUT.0, OUT.1))
}

fn lost(entry: &SsrcStats) -> i64 {
    i64::from(entry.highest_sequence.wrapping_sub(entry.base_sequence)) + 1 - entry.packets as i64
}

#[test]
fn packets_bytes_and_the_last_one_s_time() {
    for hook in HOOKS {
        let mut kernel = kernel(hook);
        let first = send(&mut kernel, 0..3, 1);
        assert_eq!((packets(&first), bytes(&first)), (3, 3 * 172));
        assert_ne!(first.last_packet_ns, 0);
        let second = send(&mut kernel, 3..4, 1);
        assert!(
            second.last_packet_ns >= first.last_packet_ns,
            "a clock that goes forward"
        );
    }
}

#[test]
fn a_packet_that_goes_up_is_not_counted() {
    for hook in HOOKS {
        let mut kernel = Kernel::with(
            hook,
            RELAY,
            Flow {
                payload_types: [0; 2],
                ..flow(CALLER, OUT.0, OUT.1)
            },
        );
        kernel.run(&Frame::new(CALLER, RELAY, rtp(0, 1, 1, 1, &[0])).bytes());
        assert_eq!(kernel.stats(STATS_RECORD), FlowStats::default());
    }
}

#[test]
fn loss_is_what_is_missing_between_first_and_highest() {
    for hook in HOOKS {
        let stats = send(&mut kernel(hook), [100, 101, 104, 105, 110], 1);
        let entry = &stats.ssrcs[0];
        assert_eq!(
            (entry.base_sequence, entry.highest_sequence, entry.packets),
            (100, 110, 5)
        );
        assert_eq!(lost(entry), 6);
    }
}

#[test]
fn reordering_is_no_loss() {
    for hook in HOOKS {
        let stats = send(&mut kernel(hook), [10, 12, 11, 14, 13, 15], 1);
        assert_eq!(stats.ssrcs[0].highest_sequence, 15);
        assert_eq!(lost(&stats.ssrcs[0]), 0);
    }
}

#[test]
fn a_wrap_begins_a_new_cycle_and_reordering_across_it_does_not_end_it() {
    for hook in HOOKS {
        let stats = send(&mut kernel(hook), [65533, 65535, 0, 65534, 1, 2], 1);
        let entry = &stats.ssrcs[0];
        assert_eq!(
            (entry.base_sequence, entry.highest_sequence),
            (65533, 65536 + 2)
        );
        assert_eq!(lost(entry), 0);
    }
}

#[test]
fn a_restarted_numbering_is_no_loss() {
    for hook in HOOKS {
        let stats = send(
            &mut kernel(hook),
            [100, 101, 103, 40_000, 40_001, 40_002],
            1,
        );
        let entry = &stats.ssrcs[0];
        assert_eq!(entry.highest_sequence & 0xffff, 40_002);
        assert_eq!(lost(entry), 1, "102 alone");
    }
}

#[test]
fn a_stray_sequence_number_moves_nothing() {
    for hook in HOOKS {
        let stats = send(&mut kernel(hook), [100, 101, 40_000, 102, 103], 1);
        assert_eq!(stats.ssrcs[0].highest_sequence, 103);
    }
}

#[test]
fn each_known_ssrc_has_its_own_entry() {
    for hook in HOOKS {
        let known = Flow {
            flags: 0,
            ssrcs: [11, 22, 33, 44],
            ssrc_count: 4,
            ..flow(CALLER, OUT.0, OUT.1)
        };
        let mut kernel = Kernel::with(hook, RELAY, known);
        send(&mut kernel, 5..6, 11);
        send(&mut kernel, 100..103, 22);
        let stats = send(&mut kernel, 7..9, 44);
        let entries = stats
            .ssrcs
            .map(|entry| (entry.ssrc, entry.packets, entry.highest_sequence));
        assert_eq!(entries, [(11, 1, 5), (22, 3, 102), (0, 0, 0), (44, 2, 8)]);
        assert_eq!(packets(&stats), 6);
    }
}

#[test]
fn where_any_ssrc_passes_the_latest_takes_the_entry() {
    for hook in HOOKS {
        let mut kernel = kernel(hook);
        send(&mut kernel, 5..8, 11);
        let stats = send(&mut kernel, 100..102, 22);
        assert_eq!(
            (
                stats.ssrcs[0].ssrc,
                stats.ssrcs[0].packets,
                stats.ssrcs[0].base_sequence
            ),
            (22, 2, 100)
        );
        assert_eq!(packets(&stats), 5, "the flow's own counters go on");
    }
}

#[test]
fn jitter_grows_when_packets_bunch() {
    for hook in HOOKS {
        // 20 ms of media each, sent back to back: every packet comes up to 20 ms early.
        let stats = send(&mut kernel(hook), 0..50, 1);
        let jitter = stats.ssrcs[0].jitter_x16 / 16;
        assert!(
            jitter > 0 && jitter <= 8000,
            "below the second that a sample may have: {jitter}"
        );
    }
}

#[test]
fn a_slot_outside_the_array_forwards_without_counting() {
    for hook in HOOKS {
        let mut kernel = Kernel::with(
            hook,
            RELAY,
            Flow {
                stats_record: u32::MAX,
                ..flow(CALLER, OUT.0, OUT.1)
            },
        );
        let ran = kernel.run(&Frame::new(CALLER, RELAY, rtp(0, 1, 1, 1, &[0])).bytes());
        assert_eq!(ran.action, kernel.redirect());
    }
}
