//! From what the kernel program counts in a record to a flow's report.

use std::sync::Arc;

use underpass_abi::{FlowStats, MAX_SSRCS};

use super::memory::Memory;
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
    pub(super) fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// Lets a report go on from what an earlier generation has counted for a flow that has no record yet.
pub(super) fn carry_over(report: &FlowReport, before: &FlowStats) {
    carry(report, before);
    let ssrcs: Vec<_> = continued(&report.ssrcs(), encode::ssrcs(before)).collect();
    report.set_ssrcs(ssrcs.into_iter());
}

fn carry(report: &FlowReport, before: &FlowStats) {
    report.carry(
        before.packets + before.other_packets,
        before.bytes + before.other_bytes,
        before.last_packet_ns / 1_000_000,
    );
}

impl Counter {
    /// A counter for a record that is all zero.
    pub(super) fn new(id: FlowId, report: Arc<FlowReport>, between: Between) -> Self {
        let base = report.ssrcs().into();
        Self {
            id,
            report,
            between,
            is_current: true,
            seen: Total::default(),
            base,
        }
    }

    /// Adds what an earlier generation of the table has counted for the flow.
    pub(super) fn go_on_from(&mut self, before: &FlowStats) {
        carry(&self.report, before);
        self.base = continued(&self.base, encode::ssrcs(before)).collect();
    }

    /// Everything counted, as of the last look.
    pub(super) fn seen(&self) -> Total {
        self.seen
    }

    /// Looks at the record and brings the report up to date; returns what is new. Most of a record that stands still is
    /// not touched.
    pub(super) fn look(&mut self, memory: &Memory, record: u32) -> Total {
        if memory.packets(record) == self.seen.packets {
            return Total::default();
        }
        self.look_closely(memory, record)
    }

    /// The same without a shortcut: a packet's bytes are counted after it.
    pub(super) fn look_closely(&mut self, memory: &Memory, record: u32) -> Total {
        let stats = memory.stats(record);
        let seen = Total {
            packets: stats.packets + stats.other_packets,
            bytes: stats.bytes + stats.other_bytes,
        };
        let new = Total {
            packets: seen.packets.saturating_sub(self.seen.packets),
            bytes: seen.bytes.saturating_sub(self.seen.bytes),
        };
        self.seen = seen;
        self.report
            .add(new.packets, new.bytes, stats.last_packet_ns / 1_000_000);
        // The stream's next record may have gone on from what this one held.
        if self.is_current {
            let ssrcs = encode::ssrcs(&stats);
            self.report.set_ssrcs(continued(&self.base, ssrcs));
        }
        new
    }
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
