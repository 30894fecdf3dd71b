//! Samples of one quantity, as far as mean and deviation take it.

use std::ops::AddAssign;

/// How many samples there were, their sum, and the sum of their squares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// The sum of their squares.
    pub squares: u64,
}

impl Sampled {
    /// Adds a sample.
    pub fn add(&mut self, sample: u64) {
        self.count += 1;
        self.sum = self.sum.saturating_add(sample);
        self.squares = self.squares.saturating_add(sample.saturating_mul(sample));
    }

    /// Their mean; 0 of none.
    #[must_use]
    pub fn average(&self) -> f64 {
        self.sum as f64 / self.count.max(1) as f64
    }

    /// Their standard deviation; 0 of none.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        let mean_square = self.squares as f64 / self.count.max(1) as f64;
        (mean_square - self.average().powi(2)).max(0.0).sqrt()
    }
}

impl AddAssign for Sampled {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.squares = self.squares.saturating_add(other.squares);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_deviation_are_those_of_the_samples() {
        let mut sampled = Sampled::default();
        [2, 4, 4, 4, 5, 5, 7, 9]
            .into_iter()
            .for_each(|sample| sampled.add(sample));
        assert_eq!((sampled.average(), sampled.deviation()), (5.0, 2.0));
    }

    #[test]
    fn of_no_samples_both_are_zero() {
        let sampled = Sampled::default();
        assert_eq!((sampled.average(), sampled.deviation()), (0.0, 0.0));
    }
}
