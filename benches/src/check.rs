//! The regression guard: a run's ratios against the recorded ones.
//!
//! Times depend on the machine and are never compared; ratios were measured in pairs, so what slows the machine slows both
//! sides. A ratio got worse where the lower bound of its shift ([`Shift`]) is above zero, that is, beyond the noise of both
//! runs' own samples, and the shift is also more than [`FLOOR`] of what was recorded: two builds of the same source lie
//! differently in memory, which no run sees in its own samples. A section with a figure that got worse is measured once more, and
//! only what is worse both times fails.

use std::fmt::Write;

use anyhow::Result;

use crate::number::short;
use crate::record::Record;
use crate::results::{Figure, Section};
use crate::shift::Shift;

/// A change of the ratio below this part of it is not told apart.
pub const FLOOR: f64 = 0.05;

/// What became of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the noise.
    Held,
    /// Smaller by more than the noise.
    Better,
    /// Larger by more than the noise: the one that fails.
    Worse,
    /// Too few samples to tell anything.
    Untold,
    /// Not recorded.
    New,
    /// Recorded, and not measured any more.
    Missing,
}

/// One figure, then and now.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The figure's.
    pub id: String,
    /// Median then; none of a new one.
    pub recorded: Option<f64>,
    /// Median now; none of a missing one.
    pub measured: Option<f64>,
    /// How far the shift between the two may be from the truth.
    pub noise: f64,
    /// What follows.
    pub verdict: Verdict,
}

/// Every ratio of the section and of its record; all new if there is no record.
#[must_use]
pub fn compare(record: Option<&Record>, section: &Section) -> Vec<Comparison> {
    let recorded: &[Figure] = record.map_or(&[], |record| &record.figures);
    let mut all: Vec<Comparison> = ratios(&section.figures)
        .map(|now| {
            let then = ratios(recorded).find(|then| then.id == now.id);
            then.map_or_else(|| Comparison::new(now), |then| Comparison::of(then, now))
        })
        .collect();
    let gone = ratios(recorded).filter(|then| section.figures.iter().all(|now| now.id != then.id));
    all.extend(gone.map(Comparison::missing));
    all
}

fn ratios(figures: &[Figure]) -> impl Iterator<Item = &Figure> {
    figures.iter().filter(|figure| figure.is_ratio())
}

/// Compares a section, and once more if something got worse; `again` measures it.
///
/// # Errors
/// The second measurement's.
pub fn settle(
    record: Option<&Record>,
    section: &Section,
    again: impl FnOnce(&str) -> Result<Section>,
) -> Result<Vec<Comparison>> {
    let first = compare(record, section);
    let worse: Vec<&str> = first
        .iter()
        .filter(|c| c.is_worse())
        .map(|c| &*c.id)
        .collect();
    if worse.is_empty() {
        return Ok(first);
    }
    let second = compare(record, &again(&worse.join(", "))?);
    let both = first.iter().map(|then| {
        let now = second.iter().find(|now| now.id == then.id);
        match now {
            Some(now) if then.is_worse() => now.clone(),
            _ => then.clone(),
        }
    });
    Ok(both.collect())
}

impl Comparison {
    fn of(then: &Figure, now: &Figure) -> Self {
        let shift = Shift::between(&then.value.samples, &now.value.samples);
        let matters = shift.estimate.abs() > FLOOR * then.value.median.abs();
        let verdict = match shift {
            Shift { lowest, .. } if !lowest.is_finite() => Verdict::Untold,
            Shift { lowest, .. } if lowest > 0.0 && matters => Verdict::Worse,
            Shift { highest, .. } if highest < 0.0 && matters => Verdict::Better,
            _ => Verdict::Held,
        };
        Self {
            id: now.id.clone(),
            recorded: Some(then.value.median),
            measured: Some(now.value.median),
            noise: shift.noise(),
            verdict,
        }
    }

    fn new(now: &Figure) -> Self {
        Self {
            id: now.id.clone(),
            recorded: None,
            measured: Some(now.value.median),
            noise: f64::NAN,
            verdict: Verdict::New,
        }
    }

    fn missing(then: &Figure) -> Self {
        Self {
            id: then.id.clone(),
            recorded: Some(then.value.median),
            measured: None,
            noise: f64::NAN,
            verdict: Verdict::Missing,
        }
    }

    /// Whether it fails the check.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.verdict == Verdict::Worse
    }
}

/// One line a figure.
#[must_use]
pub fn text(comparisons: &[Comparison]) -> String {
    let ids = comparisons.iter().map(|comparison| comparison.id.len());
    let width = ids.max().unwrap_or(0);
    let shown = |median: Option<f64>| median.map_or_else(|| "-".to_owned(), short);
    let mut out = String::new();
    for comparison in comparisons {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "  {:width$}  recorded {:>6}  measured {:>6}  noise {:>6}  {}",
            comparison.id,
            shown(comparison.recorded),
            shown(comparison.measured),
            short(comparison.noise),
            comparison.verdict.text()
        );
    }
    out
}

impl Verdict {
    fn text(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Better => "better: record it with --record",
            Self::Worse => "WORSE",
            Self::Untold => "too few samples to tell",
            Self::New => "new, not recorded",
            Self::Missing => "missing, was recorded",
        }
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
