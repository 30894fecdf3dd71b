//! Sequence numbers and jitter of one SSRC (RFC 3550 appendices A.1 and A.8).

use underpass_abi::SsrcStats;

use crate::Rtp;

/// A step forward of more is a restart rather than loss (RFC 3550 A.1).
const MAX_DROPOUT: u16 = 3000;
/// A step back of more is a restart rather than reordering (RFC 3550 A.1).
const MAX_MISORDER: u16 = 100;
/// Marks [`SsrcStats::restart`] as set.
const EXPECTED: u32 = 1 << 16;

/// A point in time in RTP clock units, modulo 2^32; off by less than one in a million, and without a division.
#[inline(always)]
#[must_use]
pub fn arrival(now_ns: u64, clock_rate: u32) -> u32 {
    // Units of 1024 ns, times RTP units per such step in 32.32 fixed point: 1024e-9 * 2^32 = 4611686018 / 2^20. The
    // product's bits 32 to 63 are exact modulo 2^32, whatever overflows above them.
    const STEP: u64 = 4_611_686_018;
    let per_step = (u64::from(clock_rate) * STEP) >> 20;
    ((now_ns >> 10).wrapping_mul(per_step) >> 32) as u32
}

/// Whether the packet takes the entry over: the first one, or of another SSRC.
#[inline(always)]
#[must_use]
pub fn is_new(entry: &SsrcStats, rtp: &Rtp) -> bool {
    entry.packets == 0 || entry.ssrc != rtp.ssrc()
}

/// Takes a packet into account that arrived at `arrival` ([`arrival`]; a packet that takes the entry over must have one).
/// Packets that were not timed leave the jitter alone: a sample spans from one timed packet to the next. The caller adds
/// to [`SsrcStats::packets`] afterwards.
#[inline(always)]
pub fn observe(entry: &mut SsrcStats, rtp: &Rtp, arrival: Option<u32>, clock_rate: u32) {
    let transit = arrival.map(|arrival| arrival.wrapping_sub(rtp.timestamp()));
    if is_new(entry, rtp) {
        let sequence = u32::from(rtp.sequence());
        *entry = SsrcStats {
            ssrc: rtp.ssrc(),
            base_sequence: sequence,
            highest_sequence: sequence,
            transit: transit.unwrap_or(0),
            ..SsrcStats::default()
        };
        return;
    }
    let step = follow(entry, rtp.sequence());
    let (Some(transit), false) = (transit, matches!(step, Step::Stray)) else {
        return;
    };
    if matches!(step, Step::Follows) {
        measure_jitter(entry, transit, clock_rate);
    }
    entry.transit = transit;
}

/// How a packet stands to the numbering so far.
enum Step {
    Follows,
    Restarts,
    /// Far off, and not confirmed by a successor (yet).
    Stray,
}

/// Brings the highest sequence number up to date.
#[inline(always)]
fn follow(entry: &mut SsrcStats, sequence: u16) -> Step {
    let highest = entry.highest_sequence;
    let ahead = sequence.wrapping_sub(highest as u16);
    if ahead < MAX_DROPOUT {
        entry.highest_sequence = highest.wrapping_add(ahead.into());
        entry.restart = 0;
        return Step::Follows;
    }
    if ahead > u16::MAX - MAX_MISORDER {
        return Step::Follows;
    }
    if entry.restart != u32::from(sequence) | EXPECTED {
        entry.restart = u32::from(sequence.wrapping_add(1)) | EXPECTED;
        return Step::Stray;
    }
    // The packet before this one and this one were sent: two more than expected so far.
    entry.highest_sequence = highest.wrapping_add(ahead.into());
    entry.base_sequence = entry.base_sequence.wrapping_add(u32::from(ahead) - 2);
    entry.restart = 0;
    Step::Restarts
}

#[inline(always)]
fn measure_jitter(entry: &mut SsrcStats, transit: u32, clock_rate: u32) {
    let difference = (transit.wrapping_sub(entry.transit) as i32).unsigned_abs();
    // More than a second is a new timeline, not jitter.
    if difference < clock_rate {
        let jitter = entry.jitter_x16;
        entry.jitter_x16 = jitter
            .wrapping_add(difference)
            .wrapping_sub((jitter.wrapping_add(8)) >> 4);
    }
}
