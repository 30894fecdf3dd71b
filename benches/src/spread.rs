//! Repeated measurements: the median and how far they lie apart.

use serde::{Deserialize, Deserializer, Serialize};

/// Repeated measurements of one thing, in the order they were made, and what sums them up.
///
/// JSON knows no NaN; what could not be computed is `null` there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Spread {
    /// Smallest.
    #[serde(deserialize_with = "number_or_null")]
    pub min: f64,
    /// Middle.
    #[serde(deserialize_with = "number_or_null")]
    pub median: f64,
    /// Largest.
    #[serde(deserialize_with = "number_or_null")]
    pub max: f64,
    /// All of them.
    #[serde(deserialize_with = "numbers_or_null")]
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

fn number_or_null<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
}

fn numbers_or_null<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
    let numbers = Vec::<Option<f64>>::deserialize(from)?;
    Ok(numbers
        .into_iter()
        .map(|number| number.unwrap_or(f64::NAN))
        .collect())
}
