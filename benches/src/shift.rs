//! Whether one run's samples lie above another's, by more than chance explains.
//!
//! The estimate is Hodges and Lehmann's: the median of all differences between a later and an earlier sample. Its bounds
//! are differences, too: so many from either end that, were both runs alike, the bound would be on the wrong side of zero in at
//! most [`RATE`] of all comparisons. How many follows from the exact distribution of Mann and Whitney's U, so nothing
//! is assumed about how the samples are distributed, only that those of two equal runs could be swapped. Few samples reach
//! that rate with no difference at all: then there is no bound, and nothing is told apart.

/// How often two equal runs are taken for different in one direction, at most.
pub const RATE: f64 = 0.01;

/// Samples looked at of each run; more only cost time.
const MOST: usize = 60;

/// How far the later run lies above the earlier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// Most likely; negative if it lies below.
    pub estimate: f64,
    /// At least; minus infinity where there are too few samples to say.
    pub lowest: f64,
    /// At most; infinity where there are too few samples to say.
    pub highest: f64,
}

impl Shift {
    /// From `earlier` to `later`; what is no number is left out.
    #[must_use]
    pub fn between(earlier: &[f64], later: &[f64]) -> Self {
        let (earlier, later) = (usable(earlier), usable(later));
        let mut differences: Vec<f64> = later
            .iter()
            .flat_map(|late| earlier.iter().map(move |early| late - early))
            .collect();
        differences.sort_by(f64::total_cmp);
        let rank = rank(earlier.len(), later.len());
        let bound = |rank: Option<usize>| Some(differences[rank?]);
        let count = differences.len();
        Self {
            estimate: median(&differences),
            lowest: bound(rank).unwrap_or(f64::NEG_INFINITY),
            highest: bound(rank.map(|rank| count - 1 - rank)).unwrap_or(f64::INFINITY),
        }
    }

    /// How far the truth may be from the estimate.
    #[must_use]
    pub fn noise(&self) -> f64 {
        (self.estimate - self.lowest).max(self.highest - self.estimate)
    }
}

/// Finite ones, evenly taken where there are very many.
fn usable(samples: &[f64]) -> Vec<f64> {
    let finite: Vec<f64> = samples.iter().copied().filter(|s| s.is_finite()).collect();
    let step = finite.len().div_ceil(MOST).max(1);
    finite.into_iter().step_by(step).collect()
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted {
        [] => f64::NAN,
        _ if sorted.len().is_multiple_of(2) => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// Which difference, counted from the smallest, is the lower bound: the largest rank whose being above zero is rare enough.
fn rank(earlier: usize, later: usize) -> Option<usize> {
    let ways = ways(earlier, later);
    let all: f64 = ways.iter().sum();
    let mut sum = 0.0;
    let rare = ways.iter().take_while(|&&ways| {
        sum += ways;
        sum <= RATE * all
    });
    rare.count().checked_sub(1)
}

/// By `u`, in how many orders of all samples exactly `u` pairs have the later sample below the earlier.
fn ways(earlier: usize, later: usize) -> Vec<f64> {
    // The generating function of U: the product of (1 - q^(later + i)) / (1 - q^i) for i up to `earlier`.
    let length = earlier * later + 1;
    let mut ways = vec![0.0; length];
    ways[0] = 1.0;
    for i in 1..=earlier {
        for u in (later + i..length).rev() {
            ways[u] -= ways[u - later - i];
        }
        for u in i..length {
            ways[u] += ways[u - i];
        }
    }
    ways
}

#[cfg(test)]
pub(crate) mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Draws one sample.
    type Draw = fn(&mut SmallRng) -> f64;

    #[test]
    fn orders_of_two_and_two_samples_are_counted_by_hand() {
        assert_eq!(ways(2, 2), [1.0, 1.0, 2.0, 1.0, 1.0]);
        assert_eq!(ways(5, 9).iter().sum::<f64>(), 2002.0);
        assert_eq!(ways(1, 3), [1.0; 4]);
    }

    #[test]
    fn five_and_five_samples_give_the_tables_bound() {
        // P(U <= 1) = 2/252, P(U <= 2) = 4/252.
        assert_eq!(rank(5, 5), Some(1));
    }

    #[test]
    fn the_estimate_is_the_shift() {
        let earlier: Vec<f64> = (0..9).map(f64::from).collect();
        let later: Vec<f64> = earlier.iter().map(|sample| sample + 3.0).collect();
        assert_eq!(Shift::between(&earlier, &later).estimate, 3.0);
        assert_eq!(Shift::between(&later, &earlier).estimate, -3.0);
    }

    #[test]
    fn bounds_lie_around_the_estimate_and_swap_with_the_runs() {
        let (earlier, later) = ([1.0, 1.1, 1.2, 0.9, 1.0], [1.3, 1.5, 1.2, 1.4, 1.3]);
        let (there, back) = (
            Shift::between(&earlier, &later),
            Shift::between(&later, &earlier),
        );
        assert!(there.lowest < there.estimate && there.estimate < there.highest);
        assert_eq!((there.lowest, there.highest), (-back.highest, -back.lowest));
    }

    #[test]
    fn too_few_samples_tell_nothing_apart() {
        let shift = Shift::between(&[1.0, 1.0, 1.0], &[9.0, 9.0, 9.0]);
        assert_eq!(shift.lowest, f64::NEG_INFINITY);
        assert_eq!(shift.noise(), f64::INFINITY);
        assert!(Shift::between(&[], &[1.0]).estimate.is_nan());
    }

    #[test]
    fn fewer_samples_widen_the_interval() {
        let mut random = SmallRng::seed_from_u64(1);
        let mut noise = |samples: usize| {
            let widths: Vec<f64> = (0..200)
                .map(|_| {
                    let run = |random: &mut SmallRng| -> Vec<f64> {
                        (0..samples).map(|_| normal(random)).collect()
                    };
                    Shift::between(&run(&mut random), &run(&mut random)).noise()
                })
                .collect();
            widths.iter().sum::<f64>() / widths.len() as f64
        };
        let (five, nine, twenty) = (noise(5), noise(9), noise(20));
        assert!(five > nine && nine > twenty, "{five} {nine} {twenty}");
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let clean = Shift::between(&[1.0, 2.0, 3.0, 4.0, 5.0], &[2.0, 3.0, 4.0, 5.0, 6.0]);
        let dirty = Shift::between(
            &[1.0, 2.0, f64::NAN, 3.0, 4.0, 5.0],
            &[2.0, 3.0, 4.0, f64::INFINITY, 5.0, 6.0],
        );
        assert_eq!(clean, dirty);
    }

    #[test]
    fn equal_runs_are_taken_for_different_no_oftener_than_said() {
        let mut random = SmallRng::seed_from_u64(2);
        let kinds: [(&str, Draw); 3] = [
            ("normal", normal),
            ("now and then ten times as much", |random| {
                let burst = if random.random::<f64>() < 0.1 {
                    10.0
                } else {
                    1.0
                };
                burst * (1.0 + 0.1 * normal(random))
            }),
            ("two humps", |random| {
                f64::from(random.random::<bool>()) + 0.1 * normal(random)
            }),
        ];
        for (name, sample) in kinds {
            for (recorded, measured) in [(9, 5), (5, 5)] {
                let mut run = |samples: usize| -> Vec<f64> {
                    (0..samples).map(|_| sample(&mut random)).collect()
                };
                let wrong = (0..10_000)
                    .filter(|_| Shift::between(&run(recorded), &run(measured)).lowest > 0.0)
                    .count();
                // Three standard deviations of 10,000 throws.
                assert!(
                    wrong <= 100 + 30,
                    "{name}, {recorded} and {measured}: {wrong}"
                );
            }
        }
    }

    /// Normally distributed, mean 0, deviation 1 (Box and Muller).
    pub(crate) fn normal(random: &mut SmallRng) -> f64 {
        let (a, b): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }
}
