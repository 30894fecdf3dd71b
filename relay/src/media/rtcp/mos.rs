//! The mean opinion score, estimated from loss, jitter and round-trip time.

use crate::plan::Sample;

/// How a score is made (option `mos`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mos {
    /// The formula.
    pub formula: Formula,
    /// `LQ`: the round-trip time counts for nothing and need not be known. Else `CQ`.
    pub listening_only: bool,
}

/// From impairments to a transmission rating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Formula {
    /// A simplified E-model (ITU-T G.107).
    #[default]
    G107,
    /// What rtpengine did before; a little kinder.
    Legacy,
}

/// Where the polynomial for G.107 is at its lowest, at 15.7 % loss. rtpengine goes on along it, up again; more loss is no better here.
const WORST: f64 = 77.5;

impl Mos {
    /// The score times ten: 10 to 45. 0: it can't be told, since the round-trip time is not known.
    pub(in crate::media) fn score(self, sample: &Sample) -> u8 {
        if sample.round_trip_us == 0 && !self.listening_only {
            return 0;
        }
        let round_trip_ms = if self.listening_only {
            0.0
        } else {
            f64::from(sample.round_trip_us) / 1000.0
        };
        let (jitter, loss) = (f64::from(sample.jitter_ms), f64::from(sample.loss_percent));
        let rating = match self.formula {
            Formula::G107 => {
                let delay = round_trip_ms / 2.0 + jitter;
                let impaired = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
                let clean = (93.2 - loss).max(WORST);
                0.18 * clean * clean - 27.9 * clean + 1126.62 - impaired
            }
            Formula::Legacy => {
                let delay = round_trip_ms + 2.0 * jitter + 10.0;
                let impaired = if delay < 160.0 {
                    delay / 40.0
                } else {
                    (delay - 120.0) / 10.0
                };
                93.2 - impaired - 2.5 * loss
            }
        };
        opinion(rating)
    }
}

/// ITU-T G.107 annex B.
fn opinion(rating: f64) -> u8 {
    if rating < 0.0 {
        return 10;
    }
    if rating > 100.0 {
        return 45;
    }
    let mean = 1.0 + 0.035 * rating + 7e-6 * rating * (rating - 60.0) * (100.0 - rating);
    // Between 1.0 and 4.5: it fits.
    (mean * 10.0).clamp(10.0, 45.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(round_trip_ms: u32, jitter_ms: u32, loss_percent: u8) -> Sample {
        Sample {
            round_trip_us: round_trip_ms * 1000,
            jitter_ms,
            loss_percent,
            ..Sample::default()
        }
    }

    const LEGACY: Mos = Mos {
        formula: Formula::Legacy,
        listening_only: false,
    };

    #[test]
    fn scores_by_g_107() {
        for (round_trip, jitter, loss, score) in [
            (20, 0, 0, 43),
            (20, 10, 1, 41),
            (300, 30, 5, 31),
            (600, 50, 10, 13),
            (20, 0, 20, 23),
            (20, 0, 100, 23),
            (4000, 0, 50, 10),
        ] {
            let scored = Mos::default().score(&sample(round_trip, jitter, loss));
            assert_eq!(scored, score, "{round_trip} ms, {jitter} ms, {loss} %");
        }
    }

    #[test]
    fn scores_as_rtpengine_once_did() {
        for (round_trip, jitter, loss, score) in
            [(13, 0, 0, 43), (297, 3, 1, 36), (600, 50, 10, 10)]
        {
            let scored = LEGACY.score(&sample(round_trip, jitter, loss));
            assert_eq!(scored, score, "{round_trip} ms, {jitter} ms, {loss} %");
        }
    }

    #[test]
    fn more_loss_is_never_better() {
        for mos in [Mos::default(), LEGACY] {
            let scores = (0..=100).map(|loss| mos.score(&sample(50, 0, loss)));
            assert!(scores.is_sorted_by(|less, more| less >= more));
        }
    }

    #[test]
    fn conversation_has_no_score_without_a_round_trip_and_listening_has() {
        let unknown = sample(0, 5, 1);
        assert_eq!(Mos::default().score(&unknown), 0);
        let listening = Mos {
            listening_only: true,
            ..Mos::default()
        };
        assert_eq!(listening.score(&unknown), 41);
        assert_eq!(listening.score(&sample(900, 5, 1)), 41);
    }

    #[test]
    fn no_sample_has_a_score_out_of_bounds() {
        for mos in [Mos::default(), LEGACY] {
            for round_trip_us in [1, 1000, u32::MAX] {
                for jitter_ms in [0, 1000, u32::MAX] {
                    for loss_percent in 0..=u8::MAX {
                        let score = mos.score(&Sample {
                            round_trip_us,
                            jitter_ms,
                            loss_percent,
                            ..Sample::default()
                        });
                        assert!((10..=45).contains(&score));
                    }
                }
            }
        }
    }
}
