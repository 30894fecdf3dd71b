//! From what the kernel program counts in a record to a flow's report.

use std::sync::Arc;

use underpass_abi::{FlowStats, MAX_SSRCS};

use super::memory::Memory;
use super::previous::Counted;
use super::{Between, FlowId, encode};
use crate::datapath::{FlowReport, SsrcCounters};

/// SSRCs that a report goes on telling, the latest ones: a sender may change its own for ever.
const SSRCS_TOLD: usize = 2 * MAX_SSRCS;

/// What is known of one record that flows are counted in.
#[derive(Debug)]
pub(super) struct Counter {
    /// Whose it is.
    pub(super) id: FlowId,
    /// Where it is reported.
    pub(super) report: Arc<FlowReport>,
    /// The ingress and egress interface.
    pub(super) between: Between,
    /// The flow is at its port. When it is not, packets that were under way may still be counted.
    pub(super) is_current: bool,
    /// As of the last look.
    seen: Total,
    /// What the record says was counted elsewhere.
    earlier: Total,
    /// Per SSRC, what the report held from earlier records.
    base: Box<[SsrcCounters]>,
}

/// Packets, and their UDP payload bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

impl Total {
    /// What was counted in one record.
    pub(super) fn of(stats: &FlowStats) -> Self {
        Self {
            packets: stats.packets.wrapping_add(stats.other_packets),
            bytes: stats.bytes.wrapping_add(stats.other_bytes),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        *self = self.and(other);
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            packets: self.packets.wrapping_add(other.packets),
            bytes: self.bytes.wrapping_add(other.bytes),
        }
    }

    /// What is left of it without `other`, not below zero.
    fn beyond(self, other: Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(other.packets),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}

/// Lets the report of a flow that has no record yet go on from what was counted before. Once it has one, that says so.
pub(super) fn go_on_waiting(report: &FlowReport, counted: &Counted) {
    let Total { packets, bytes } = counted.total;
    report.go_on_from(packets, bytes, counted.last_packet_ms);
    report.set_ssrcs(later(&report.ssrcs(), &counted.ssrcs).into_iter());
}

impl Counter {
    /// A counter for a record that is all zero; see [`Self::keep_earlier`].
    pub(super) fn new(id: FlowId, report: Arc<FlowReport>, between: Between) -> Self {
        let base = report.ssrcs().into();
        Self {
            id,
            report,
            between,
            is_current: true,
            seen: Total::default(),
            earlier: Total::default(),
            base,
        }
    }

    /// Adds what an earlier generation of the table has counted for the flow since this was called last, or at all.
    pub(super) fn go_on_from(&mut self, memory: &mut Memory, record: u32, counted: &Counted) {
        let Total { packets, bytes } = counted.total.beyond(self.earlier);
        self.report.add(packets, bytes, counted.last_packet_ms);
        self.base = later(&self.base, &counted.ssrcs).into();
        self.keep_earlier(memory, record);
    }

    /// Has the record tell all that the report does: whoever takes the table over finds it there, however this process ends.
    pub(super) fn keep_earlier(&mut self, memory: &mut Memory, record: u32) {
        let earlier = Total {
            packets: self.report.packets().wrapping_sub(self.seen.packets),
            bytes: self.report.bytes().wrapping_sub(self.seen.bytes),
        };
        if self.is_current && self.earlier != earlier {
            memory.set_earlier(record, earlier.packets, earlier.bytes);
            self.earlier = earlier;
        }
    }

    /// Everything counted, as of the last look.
    pub(super) fn seen(&self) -> Total {
        self.seen
    }

    /// Looks at the record and brings the report up to date; returns what is new. Most of a record that stands still is
    /// not touched.
    pub(super) fn look(&mut self, memory: &mut Memory, record: u32) -> Total {
        if memory.packets(record) == self.seen.packets {
            return Total::default();
        }
        self.look_closely(memory, record)
    }

    /// The same without a shortcut: a packet's bytes are counted after it.
    pub(super) fn look_closely(&mut self, memory: &mut Memory, record: u32) -> Total {
        let stats = memory.stats(record);
        let seen = Total::of(&stats);
        let new = seen.beyond(self.seen);
        self.seen = seen;
        self.report
            .add(new.packets, new.bytes, stats.last_packet_ns / 1_000_000);
        // The stream's next record may have gone on from what this one held.
        if self.is_current {
            let ssrcs = encode::ssrcs(&stats);
            self.report.set_ssrcs(continued(&self.base, ssrcs));
        }
        // What packets under way have still been counted for the stream in another record belongs here, too.
        self.keep_earlier(memory, record);
        new
    }
}

/// Of each SSRC, what was measured later: that which has more packets.
fn later(one: &[SsrcCounters], other: &[SsrcCounters]) -> Vec<SsrcCounters> {
    let mut all: Vec<SsrcCounters> = other.to_vec();
    for ssrc in one {
        match all.iter_mut().find(|known| known.ssrc == ssrc.ssrc) {
            Some(known) if known.packets < ssrc.packets => *known = *ssrc,
            Some(_) => {}
            None => all.push(*ssrc),
        }
    }
    all.truncate(SSRCS_TOLD);
    all
}

/// What was counted now, added to what was counted before.
fn continued<'a>(
    base: &'a [SsrcCounters],
    now: impl Iterator<Item = SsrcCounters> + Clone + 'a,
) -> impl Iterator<Item = SsrcCounters> + 'a {
    let is_over = {
        let now = now.clone();
        move |earlier: &&SsrcCounters| now.clone().all(|ssrc| ssrc.ssrc != earlier.ssrc)
    };
    now.map(|ssrc| {
        let earlier = base.iter().find(|earlier| earlier.ssrc == ssrc.ssrc);
        SsrcCounters {
            packets: ssrc.packets + earlier.map_or(0, |earlier| earlier.packets),
            lost: ssrc
                .lost
                .saturating_add(earlier.map_or(0, |earlier| earlier.lost)),
            ..ssrc
        }
    })
    .chain(base.iter().filter(is_over).copied())
    .take(SSRCS_TOLD)
}
