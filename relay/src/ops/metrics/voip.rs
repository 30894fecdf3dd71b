//! How calls sound, summed up: rtpengine's `mos` and `voip_metrics`.

use crate::media::ReportTotals;
use crate::plan::{Sampled, SequenceEvents};

/// What receivers said and what was measured since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VoipCounters {
    /// What receivers said in RTCP, of calls that go on, too.
    pub reports: ReportTotals,
    /// Jitter that was measured of the sources of ended calls, ms.
    pub jitter_ms: Sampled,
    /// Packets of ended calls that did not arrive.
    pub packets_lost: u64,
    /// Sequence numbers of ended calls that did not follow the one before.
    pub sequence: SequenceEvents,
}

/// A quantity as rtpengine presents it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// What its keys begin with.
    pub key: &'static str,
    /// What it is called in text.
    pub name: &'static str,
    /// Samples are so many of the unit that is shown.
    pub divisor: f64,
    /// The samples.
    pub sampled: Sampled,
}

impl Quantity {
    /// The sum of the samples.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.sampled.sum as f64 / self.divisor
    }

    /// The sum of their squares.
    #[must_use]
    pub fn total_of_squares(&self) -> f64 {
        self.sampled.squares as f64 / (self.divisor * self.divisor)
    }

    /// Their mean.
    #[must_use]
    pub fn average(&self) -> f64 {
        self.sampled.average() / self.divisor
    }

    /// Their standard deviation.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        self.sampled.deviation() / self.divisor
    }
}

impl VoipCounters {
    /// The mean opinion score.
    #[must_use]
    pub fn mos(&self) -> Quantity {
        Quantity {
            key: "mos",
            name: "MOS",
            divisor: 10.0,
            sampled: self.reports.mos,
        }
    }

    /// The other quantities, in rtpengine's order: jitter in ms, round trips in µs, loss in percent.
    #[must_use]
    pub fn quantities(&self) -> [Quantity; 5] {
        let reports = &self.reports;
        [
            ("jitter", "jitter (reported)", reports.jitter_ms),
            (
                "rtt_e2e",
                "end-to-end round-trip time",
                reports.round_trip_us,
            ),
            (
                "rtt_dsct",
                "discrete round-trip time",
                reports.round_trip_leg_us,
            ),
            ("packetloss", "packet loss", reports.loss_percent),
            ("jitter_measured", "jitter (measured)", self.jitter_ms),
        ]
        .map(|(key, name, sampled)| Quantity {
            key,
            name,
            divisor: 1.0,
            sampled,
        })
    }

    /// What is only counted: key, name, count.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, &'static str, u64); 5] {
        let sequence = &self.sequence;
        [
            ("packets_lost", "Packets lost", self.packets_lost),
            (
                "rtp_duplicates",
                "Duplicate RTP packets",
                sequence.duplicates,
            ),
            ("rtp_skips", "RTP sequence skips", sequence.skips),
            ("rtp_seq_resets", "RTP sequence resets", sequence.resets),
            (
                "rtp_reordered",
                "Out-of-order RTP packets",
                sequence.reordered,
            ),
        ]
    }
}
