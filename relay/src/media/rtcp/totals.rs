//! What all receivers said since the start, for statistics.

use std::ops::AddAssign;

use crate::plan::{Sample, Sampled};

/// Samples of each quantity that a receiver's report tells. What could not be told is no sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportTotals {
    /// Mean opinion scores times ten.
    pub mos: Sampled,
    /// Interarrival jitter, ms.
    pub jitter_ms: Sampled,
    /// Round trips from end to end, µs.
    pub round_trip_us: Sampled,
    /// Round trips between us and the receiver, µs.
    pub round_trip_leg_us: Sampled,
    /// Packets lost since the report before, in percent.
    pub loss_percent: Sampled,
}

impl ReportTotals {
    /// Adds a report.
    pub(in crate::media) fn add(&mut self, sample: &Sample) {
        self.jitter_ms.add(sample.jitter_ms.into());
        self.loss_percent.add(sample.loss_percent.into());
        for (sampled, value) in [
            (&mut self.mos, sample.mos.into()),
            (&mut self.round_trip_us, sample.round_trip_us),
            (&mut self.round_trip_leg_us, sample.round_trip_leg_us),
        ] {
            if value > 0 {
                sampled.add(value.into());
            }
        }
    }
}

impl AddAssign for ReportTotals {
    fn add_assign(&mut self, other: Self) {
        self.mos += other.mos;
        self.jitter_ms += other.jitter_ms;
        self.round_trip_us += other.round_trip_us;
        self.round_trip_leg_us += other.round_trip_leg_us;
        self.loss_percent += other.loss_percent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_report_cannot_tell_is_no_sample() {
        let mut totals = ReportTotals::default();
        totals.add(&Sample::default());
        totals.add(&Sample {
            mos: 43,
            round_trip_us: 900,
            round_trip_leg_us: 400,
            jitter_ms: 6,
            loss_percent: 2,
            ..Sample::default()
        });
        assert_eq!((totals.mos.count, totals.mos.sum), (1, 43));
        assert_eq!(totals.round_trip_us.average(), 900.0);
        assert_eq!(totals.round_trip_leg_us.average(), 400.0);
        assert_eq!((totals.jitter_ms.count, totals.jitter_ms.sum), (2, 6));
        assert_eq!(totals.loss_percent.average(), 1.0);
    }
}
