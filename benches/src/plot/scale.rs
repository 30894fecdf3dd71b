//! Where values lie on an axis, and which of them are written beside it.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::number;

/// Values that lie this far apart are drawn by their logarithm.
const DECADES: f64 = 20.0;

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    log: bool,
    /// Where it begins and ends, as placed.
    pub(super) range: (f64, f64),
    /// What is written beside it, as placed.
    pub(super) ticks: Vec<f64>,
}

impl Scale {
    /// Of values, with ticks at round numbers. Without a logarithm it begins at zero, so that nothing looks larger than it is.
    pub(super) fn of_values(values: &[f64]) -> Self {
        let (low, high) = ends(values);
        if is_wide(low, high) {
            let range = (low.log10() - 0.05, high.log10() + 0.05);
            return Self {
                log: true,
                range,
                ticks: log_ticks(range),
            };
        }
        let (low, high) = (low.min(0.0), high.max(0.0));
        let step = round_step((high - low).max(f64::MIN_POSITIVE) / 6.0);
        let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
        let ticks: Vec<f64> = (first..=last.max(first + 1))
            .map(|n| n as f64 * step)
            .collect();
        Self {
            log: false,
            range: (ticks[0], ticks[ticks.len() - 1]),
            ticks,
        }
    }

    /// Of the places where something was measured, with a tick at each.
    pub(super) fn of_places(places: &[f64]) -> Self {
        let (low, high) = ends(places);
        let log = is_wide(low, high);
        let place = |value: f64| if log { value.log10() } else { value };
        let ticks: Vec<f64> = places.iter().copied().map(place).collect();
        let margin = (place(high) - place(low)) * 0.05;
        Self {
            log,
            range: (place(low) - margin, place(high) + margin),
            ticks: apart(&ticks, margin),
        }
    }

    /// One place after the other, from zero on.
    pub(super) fn of_rows(count: usize) -> Self {
        Self {
            log: false,
            range: (-0.6, count as f64 - 0.4),
            ticks: (0..count).map(|row| row as f64).collect(),
        }
    }

    /// Where a value lies.
    pub(super) fn place(&self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }

    /// What is written at a place.
    pub(super) fn label(&self, place: f64) -> String {
        let value = if self.log { 10f64.powf(place) } else { place };
        number::place(value)
    }
}

/// An axis of plotters, in places.
impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, (from, to): (i32, i32)) -> i32 {
        let part = (place - self.range.0) / (self.range.1 - self.range.0);
        from + (f64::from(to - from) * part).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.0..self.range.1
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, place: &f64) -> String {
        self.label(*place)
    }
}

/// Smallest and largest; zero and one where there are none.
fn ends(values: &[f64]) -> (f64, f64) {
    let finite = values.iter().copied().filter(|value| value.is_finite());
    finite
        .fold(None, |ends, value| match ends {
            None => Some((value, value)),
            Some((low, high)) => Some((value.min(low), value.max(high))),
        })
        .unwrap_or((0.0, 1.0))
}

fn is_wide(low: f64, high: f64) -> bool {
    low > 0.0 && high / low >= DECADES
}

/// Decades, with what lies between them where they are few.
fn log_ticks((low, high): (f64, f64)) -> Vec<f64> {
    let between: &[f64] = if high - low < 3.0 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let decades = (low.floor() as i32)..=(high.ceil() as i32);
    decades
        .flat_map(|decade| {
            between
                .iter()
                .map(move |part| f64::from(decade) + part.log10())
        })
        .filter(|tick| (low..=high).contains(tick))
        .collect()
}

/// 1, 2 or 5 of some decade, not smaller than `least`.
fn round_step(least: f64) -> f64 {
    let decade = 10f64.powf(least.log10().floor());
    let parts = [1.0, 2.0, 5.0].map(|part| part * decade);
    parts
        .into_iter()
        .find(|&step| step >= least * 0.999)
        .unwrap_or(decade * 10.0)
}

/// Without those that lie closer than `distance` to the one before.
fn apart(ticks: &[f64], distance: f64) -> Vec<f64> {
    let mut kept: Vec<f64> = Vec::new();
    for &tick in ticks {
        if kept.last().is_none_or(|last| tick - last >= distance) {
            kept.push(tick);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<String> {
        scale.ticks.iter().map(|&tick| scale.label(tick)).collect()
    }

    #[test]
    fn near_values_are_linear_from_zero() {
        let scale = Scale::of_values(&[31.0, 62.0, 93.0]);
        assert_eq!(labels(&scale), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(scale.place(62.0), 62.0);
    }

    #[test]
    fn values_over_decades_are_logarithmic() {
        let scale = Scale::of_values(&[3.0, 90_000.0]);
        assert_eq!(labels(&scale), ["10", "100", "1000", "10k", "100k"]);
        assert_eq!(scale.place(100.0), 2.0);
        let scale = Scale::of_values(&[20.0, 500.0]);
        assert_eq!(labels(&scale), ["20", "50", "100", "200", "500"]);
    }

    #[test]
    fn values_below_zero_are_never_logarithmic() {
        let scale = Scale::of_values(&[-700.0, 0.1, 600.0]);
        assert_eq!(labels(&scale), ["-1000", "-500", "0", "500", "1000"]);
    }

    #[test]
    fn places_have_a_tick_each() {
        let scale = Scale::of_places(&[1.0, 100.0, 1e3, 1e4, 1e5]);
        assert_eq!(labels(&scale), ["1", "100", "1000", "10k", "100k"]);
    }

    #[test]
    fn nothing_at_all_is_an_axis_too() {
        assert!(Scale::of_values(&[]).range.0 < Scale::of_values(&[]).range.1);
        let zero = Scale::of_values(&[0.0]);
        assert!(zero.range.0 < zero.range.1);
        assert!(zero.ticks.len() < 5);
    }
}
