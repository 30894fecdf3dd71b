//! How a party hears, by its own RTCP (RFC 3550 section 6.4).

use serde::{Deserialize, Serialize};

/// What one report of a receiver said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// When it arrived, ms of CLOCK_MONOTONIC.
    pub at_ms: u64,
    /// Mean opinion score times ten; 0: can't be told.
    pub mos: u8,
    /// From end to end and back, µs; 0 unknown.
    pub round_trip_us: u32,
    /// From us to the party and back, µs; 0 unknown.
    pub round_trip_leg_us: u32,
    /// Interarrival jitter.
    pub jitter_ms: u32,
    /// Packets lost since the report before.
    pub loss_percent: u8,
}

/// All that the reports of one receiver said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quality {
    /// The SSRC that the receiver sends with.
    pub ssrc: u32,
    /// Samples with a score.
    scored: u32,
    /// The sums of those.
    sums: Sums,
    /// The one with the lowest score.
    pub lowest: Option<Sample>,
    /// The one with the highest score.
    pub highest: Option<Sample>,
    /// Samples over the whole time, evenly spaced.
    #[serde(skip)]
    progression: Vec<Sample>,
    #[serde(skip)]
    spacing_ms: u64,
    last_ms: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Sums {
    mos: u64,
    round_trip_us: u64,
    round_trip_leg_us: u64,
    jitter_ms: u64,
    loss_percent: u64,
}

/// Samples that are kept. With one more, every second goes, and further ones are kept half as often.
const KEPT: usize = 40;
/// Reports that come faster are not counted.
const MIN_INTERVAL_MS: u64 = 1000;
/// As many of them are told, about.
const TOLD: u64 = 10;

impl Quality {
    /// Nothing yet of a receiver.
    #[must_use]
    pub fn of(ssrc: u32) -> Self {
        Self {
            ssrc,
            ..Self::default()
        }
    }

    /// Adds a sample; they come in the order of their times. One less than a second after the last is left out.
    pub fn add(&mut self, sample: Sample) {
        if self.last_ms > 0 && sample.at_ms < self.last_ms + MIN_INTERVAL_MS {
            return;
        }
        self.last_ms = sample.at_ms;
        if sample.mos > 0 {
            self.scored = self.scored.saturating_add(1);
            self.sums.mos += u64::from(sample.mos);
            self.sums.round_trip_us += u64::from(sample.round_trip_us);
            self.sums.round_trip_leg_us += u64::from(sample.round_trip_leg_us);
            self.sums.jitter_ms += u64::from(sample.jitter_ms);
            self.sums.loss_percent += u64::from(sample.loss_percent);
            if self.lowest.is_none_or(|lowest| sample.mos < lowest.mos) {
                self.lowest = Some(sample);
            }
            if self.highest.is_none_or(|highest| sample.mos > highest.mos) {
                self.highest = Some(sample);
            }
        }
        let last = self.progression.last();
        if last.is_some_and(|last| sample.at_ms < last.at_ms + self.spacing_ms) {
            return;
        }
        if self.progression.len() == KEPT {
            let first = self.progression[0].at_ms;
            self.spacing_ms = (sample.at_ms - first) * 2 / KEPT as u64;
            let mut is_odd = true;
            self.progression.retain(|_| {
                is_odd = !is_odd;
                !is_odd
            });
        }
        self.progression.push(sample);
    }

    /// The mean of the samples with a score, and how many they are; `None` without any.
    #[must_use]
    pub fn average(&self) -> Option<(Sample, u32)> {
        let count = (self.scored > 0).then_some(u64::from(self.scored))?;
        // Means of values that fitted.
        let mean = |sum: u64| u32::try_from(sum / count).unwrap_or(u32::MAX);
        let small = |sum: u64| u8::try_from(sum / count).unwrap_or(u8::MAX);
        let sample = Sample {
            at_ms: 0,
            mos: small(self.sums.mos),
            round_trip_us: mean(self.sums.round_trip_us),
            round_trip_leg_us: mean(self.sums.round_trip_leg_us),
            jitter_ms: mean(self.sums.jitter_ms),
            loss_percent: small(self.sums.loss_percent),
        };
        Some((sample, self.scored))
    }

    /// About ten samples over the whole time, and how far they are apart, ms.
    #[must_use]
    pub fn progression(&self) -> (u64, Vec<Sample>) {
        let (Some(first), Some(last)) = (self.progression.first(), self.progression.last()) else {
            return (0, Vec::new());
        };
        let interval_ms = (last.at_ms - first.at_ms) / TOLD;
        let mut next_ms = first.at_ms;
        let mut told = Vec::new();
        for sample in &self.progression {
            if sample.at_ms >= next_ms {
                next_ms += interval_ms;
                told.push(*sample);
            }
        }
        (interval_ms, told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at_s: u64, mos: u8) -> Sample {
        Sample {
            at_ms: at_s * 1000,
            mos,
            round_trip_us: u32::from(mos) * 1000,
            jitter_ms: u32::from(mos),
            ..Sample::default()
        }
    }

    fn quality(samples: impl IntoIterator<Item = Sample>) -> Quality {
        let mut quality = Quality::of(7);
        samples.into_iter().for_each(|sample| quality.add(sample));
        quality
    }

    #[test]
    fn the_mean_is_of_samples_with_a_score() {
        let quality = quality([sample(1, 40), sample(2, 0), sample(3, 43)]);
        let (average, count) = quality.average().unwrap();
        assert_eq!(count, 2);
        assert_eq!((average.mos, average.round_trip_us), (41, 41_500));
        assert_eq!(quality.lowest, Some(sample(1, 40)));
        assert_eq!(quality.highest, Some(sample(3, 43)));
    }

    #[test]
    fn without_a_score_there_is_no_mean() {
        assert_eq!(quality([sample(1, 0)]).average(), None);
        assert_eq!(quality([sample(1, 0)]).lowest, None);
    }

    #[test]
    fn reports_that_come_too_fast_count_once() {
        let hurried = (0..100).map(|at| Sample {
            at_ms: 5000 + at * 10,
            ..sample(5, 40)
        });
        assert_eq!(quality(hurried).average().unwrap().1, 1);
    }

    #[test]
    fn about_ten_samples_tell_how_a_call_went() {
        let (interval_ms, told) = quality((0..=100).map(|at| sample(at * 5, 40))).progression();
        assert!((10..=12).contains(&told.len()), "{}", told.len());
        assert!((45_000..=50_000).contains(&interval_ms), "{interval_ms}");
        assert_eq!(told[0].at_ms, 0);
    }

    #[test]
    fn of_a_few_samples_all_are_told() {
        let samples: Vec<_> = (1..5).map(|at| sample(at * 5, 40)).collect();
        let (interval_ms, told) = quality(samples.clone()).progression();
        assert_eq!((interval_ms, told), (1500, samples));
    }

    #[test]
    fn however_long_a_call_lasts_memory_is_bounded() {
        let quality = quality((0..100_000).map(|at| sample(at, 40)));
        assert!(quality.progression.len() <= KEPT);
        let (_, told) = quality.progression();
        assert!((8..=13).contains(&told.len()), "{}", told.len());
        assert!(told.last().unwrap().at_ms > 85_000_000);
    }
}
