//! What is measured of one received SSRC in user space: RFC 3550 section 6.4.1 and appendices A.1, A.3, A.8.

use underpass_packet::{Rtp, arrival};

use super::clock::Now;
use crate::datapath::report::SsrcCounters;
use crate::plan::{Heard, SsrcView};

/// A step forward larger than this is a restart of the sender, not loss (RFC 3550 appendix A.1, MAX_DROPOUT).
const MAX_DROPOUT: u16 = 3000;
/// A step back larger than this is a restart, not reordering (MAX_MISORDER).
const MAX_MISORDER: u16 = 100;

/// What is odd about a packet's sequence number, beside the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// It is the same.
    Duplicate,
    /// Some are left out.
    Skip,
    /// It is too far away for that.
    Reset,
    /// It is an earlier one.
    Reordered,
}

/// Measurements of one SSRC.
///
/// Sequence numbers are only compared within a *run*: packets that user space saw one after the other. While the kernel
/// forwards the flow, what comes up in between is counted, but the gaps are the kernel's to judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reception {
    pub(crate) ssrc: u32,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Extended highest sequence number.
    pub(crate) highest: u32,
    pub(crate) last_timestamp: u32,
    /// Packets that came up while the kernel forwarded the flow: gaps to the kernel, but not lost.
    pub(crate) interleaved: u64,
    lost_before: u32,
    run_base: u32,
    run_packets: u32,
    in_run: bool,
    transit: u32,
    jitter_x16: u32,
}

impl Reception {
    /// Measurements of a source not heard before.
    pub(crate) fn new(ssrc: u32) -> Self {
        Self {
            ssrc,
            ..Self::default()
        }
    }

    /// Measurements that go on after a restart; what was lost meanwhile is nobody's.
    pub(crate) fn resumed(heard: &Heard) -> Self {
        let view = heard.view;
        Self {
            ssrc: view.ssrc,
            packets: view.packets,
            bytes: view.bytes,
            highest: view.highest_sequence,
            last_timestamp: view.last_timestamp,
            interleaved: heard.interleaved,
            lost_before: view.lost,
            jitter_x16: view.jitter.saturating_mul(16),
            ..Self::default()
        }
    }

    /// Counts a packet of `bytes` payload bytes. `kernel` says that the kernel forwards the flow meanwhile. Returns what is odd
    /// about its place.
    pub(crate) fn count(
        &mut self,
        header: Rtp,
        bytes: usize,
        clock_rate: u32,
        kernel: bool,
        now: Now,
    ) -> Option<Oddity> {
        let first = self.packets == 0;
        self.packets += 1;
        self.bytes += bytes as u64;
        self.last_timestamp = header.timestamp();
        if kernel {
            self.interleaved += 1;
            self.end_run();
            return None;
        }
        self.measure_jitter(header.timestamp(), clock_rate, now);
        if first {
            self.highest = u32::from(header.sequence());
        }
        self.follow(header.sequence())
    }

    /// Packets lost between those that user space saw.
    pub(crate) fn lost(&self) -> u32 {
        let in_run = if self.in_run {
            (self.highest.wrapping_sub(self.run_base))
                .wrapping_add(1)
                .saturating_sub(self.run_packets)
        } else {
            0
        };
        self.lost_before.saturating_add(in_run)
    }

    /// Interarrival jitter, clock units.
    pub(crate) fn jitter(&self) -> u32 {
        self.jitter_x16 >> 4
    }

    fn follow(&mut self, sequence: u16) -> Option<Oddity> {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        let behind = 0_u16.wrapping_sub(ahead);
        if !self.in_run {
            // However many cycles passed meanwhile, the number goes on from where it was.
            self.highest = self.highest.wrapping_add(u32::from(ahead));
            self.begin_run();
            None
        } else if ahead < MAX_DROPOUT {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
            self.run_packets += 1;
            match ahead {
                0 => Some(Oddity::Duplicate),
                1 => None,
                _ => Some(Oddity::Skip),
            }
        } else if behind <= MAX_MISORDER {
            self.run_packets += 1;
            Some(Oddity::Reordered)
        } else {
            self.end_run();
            self.highest = self.highest.wrapping_add(u32::from(ahead));
            self.begin_run();
            Some(Oddity::Reset)
        }
    }

    fn begin_run(&mut self) {
        self.in_run = true;
        self.run_base = self.highest;
        self.run_packets = 1;
    }

    fn end_run(&mut self) {
        self.lost_before = self.lost();
        self.in_run = false;
    }

    fn measure_jitter(&mut self, timestamp: u32, clock_rate: u32, now: Now) {
        let transit = arrival(now.0, clock_rate).wrapping_sub(timestamp);
        let known = self.in_run;
        let change = transit
            .wrapping_sub(self.transit)
            .cast_signed()
            .unsigned_abs();
        self.transit = transit;
        // A jump of more than a second is a new timeline, not jitter.
        if known && change <= clock_rate {
            let rounded = (self.jitter_x16 + 8) >> 4;
            self.jitter_x16 = (self.jitter_x16 + change).saturating_sub(rounded);
        }
    }
}

/// One view of what user space and the kernel measured for the same SSRC. `measured` is user space's, with its loss and
/// jitter; `interleaved` as in [`Reception`].
pub(crate) fn merge(measured: SsrcView, interleaved: u64, kernel: &SsrcCounters) -> SsrcView {
    if kernel.packets == 0 {
        return measured;
    }
    let missed = u64::from(kernel.lost).saturating_sub(interleaved);
    SsrcView {
        packets: measured.packets + kernel.packets,
        highest_sequence: continued(measured.highest_sequence, kernel),
        lost: measured
            .lost
            .saturating_add(u32::try_from(missed).unwrap_or(u32::MAX)),
        jitter: kernel.jitter,
        ..measured
    }
}

/// The kernel counts cycles from its own first packet: its run is appended to where user space was.
fn continued(user: u32, kernel: &SsrcCounters) -> u32 {
    let expected = (kernel.packets as u32).wrapping_add(kernel.lost);
    let kernel_first = kernel
        .highest_sequence
        .wrapping_sub(expected.wrapping_sub(1));
    let step = (kernel_first as u16)
        .wrapping_sub(user as u16)
        .cast_signed();
    let appended = user
        .wrapping_add_signed(i32::from(step))
        .wrapping_add(expected.wrapping_sub(1));
    user.max(appended)
}

#[cfg(test)]
mod tests {
    use underpass_packet::Read;

    use super::*;

    const MS: u64 = 1_000_000;

    fn header(sequence: u16) -> Rtp {
        let mut bytes = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
        bytes[2..4].copy_from_slice(&sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
        bytes.as_slice().read(0).unwrap()
    }

    /// Counts the packets, each 20 ms after the one before.
    fn counted(sequences: impl IntoIterator<Item = u16>) -> Reception {
        let mut reception = Reception::new(7);
        for (index, sequence) in sequences.into_iter().enumerate() {
            let now = Now(index as u64 * 20 * MS);
            reception.count(header(sequence), 172, 8000, false, now);
        }
        reception
    }

    #[test]
    fn gaps_are_lost() {
        let reception = counted([1, 2, 5, 6]);
        assert_eq!((reception.packets, reception.lost()), (4, 2));
        assert_eq!(reception.highest, 6);
        assert_eq!(reception.bytes, 4 * 172);
    }

    #[test]
    fn reordering_is_not_loss() {
        assert_eq!(counted([1, 3, 2, 4]).lost(), 0);
    }

    #[test]
    fn duplicates_do_not_make_loss_negative() {
        assert_eq!(counted([1, 1, 1, 2]).lost(), 0);
    }

    #[test]
    fn the_sequence_number_wraps() {
        let reception = counted([65_534, 65_535, 0, 1]);
        assert_eq!(reception.highest, 65_537);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn a_restarted_sender_is_not_loss() {
        let reception = counted([100, 101, 103, 40_000, 40_001]);
        assert_eq!(reception.lost(), 1);
        assert_eq!(reception.highest as u16, 40_001);
    }

    #[test]
    fn a_number_that_does_not_follow_is_told_apart() {
        let mut reception = Reception::new(7);
        let mut odd = |sequence| reception.count(header(sequence), 172, 8000, false, Now(0));
        assert_eq!(odd(100), None);
        assert_eq!(odd(101), None);
        assert_eq!(odd(101), Some(Oddity::Duplicate));
        assert_eq!(odd(104), Some(Oddity::Skip));
        assert_eq!(odd(103), Some(Oddity::Reordered));
        assert_eq!(odd(40_000), Some(Oddity::Reset));
        assert_eq!(odd(40_001), None);
    }

    #[test]
    fn steady_packets_have_no_jitter_and_late_ones_have() {
        assert_eq!(counted(0..50).jitter(), 0);
        let mut late = counted(0..50);
        late.count(header(50), 172, 8000, false, Now((50 * 20 + 16) * MS));
        assert_eq!(
            late.jitter(),
            8,
            "16 ms are 128 units, a sixteenth of it counts"
        );
    }

    #[test]
    fn what_the_kernel_forwarded_is_not_lost_to_user_space() {
        let mut reception = counted([1, 2, 3]);
        reception.count(header(900), 172, 8000, true, Now(0));
        assert_eq!(reception.lost(), 0);
        reception.count(header(2000), 172, 8000, false, Now(0));
        reception.count(header(2002), 172, 8000, false, Now(0));
        assert_eq!(reception.lost(), 1);
        assert_eq!(reception.highest, 2002);
        assert_eq!(reception.interleaved, 1);
    }

    fn view(packets: u64, highest: u32, lost: u32) -> SsrcView {
        SsrcView {
            ssrc: 7,
            packets,
            highest_sequence: highest,
            lost,
            ..SsrcView::default()
        }
    }

    #[test]
    fn the_kernels_gaps_that_came_up_are_not_lost() {
        let kernel = SsrcCounters {
            ssrc: 7,
            packets: 90,
            highest_sequence: 103,
            lost: 10,
            jitter: 3,
        };
        let merged = merge(view(3 + 8, 3, 1), 8, &kernel);
        assert_eq!(merged.packets, 101);
        assert_eq!(merged.lost, 1 + 2);
        assert_eq!(merged.highest_sequence, 103);
        assert_eq!(merged.jitter, 3);
    }

    #[test]
    fn the_kernels_cycles_are_appended() {
        let kernel = SsrcCounters {
            ssrc: 7,
            packets: 100_000,
            highest_sequence: 65_535 + 100_000 - 1,
            lost: 0,
            jitter: 0,
        };
        // User space had wrapped twice and stopped at 65534 of its third cycle.
        let merged = merge(view(3, (2 << 16) + 65_534, 0), 0, &kernel);
        assert_eq!(merged.highest_sequence, (2 << 16) + 65_534 + 100_000);
    }
}
