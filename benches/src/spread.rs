//! Repeated measurements: the median and how far they lie apart.

use serde::{Deserialize, Serialize};

/// Repeated measurements of one thing, in the order they were made, and what sums them up.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Spread {
    /// Smallest.
    pub min: f64,
    /// Middle.
    pub median: f64,
    /// Largest.
    pub max: f64,
    /// All of them.
    pub samples: Vec<f64>,
}

impl Spread {
    /// The spread of at least one sample; all zero of none.
    #[must_use]
    pub fn of(samples: Vec<f64>) -> Self {
        let mut sorted = samples.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
        Self {
            min: at(0),
            median: at(sorted.len() / 2),
            max: at(sorted.len().saturating_sub(1)),
            samples,
        }
    }

    /// Round by round, `self` over `other`.
    #[must_use]
    pub fn over(&self, other: &Self) -> Self {
        self.paired(other, |a, b| a / b)
    }

    /// Round by round, `self` less `other`.
    #[must_use]
    pub fn less(&self, other: &Self) -> Self {
        self.paired(other, |a, b| a - b)
    }

    fn paired(&self, other: &Self, combine: impl Fn(f64, f64) -> f64) -> Self {
        let pairs = self.samples.iter().zip(&other.samples);
        Self::of(pairs.map(|(a, b)| combine(*a, *b)).collect())
    }
}
