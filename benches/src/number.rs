//! Numbers for people: three digits that count, and a letter for thousands.

use crate::spread::Spread;

/// `0.057`, `1.04`, `62.0`, `466`, `12.3k`, `1.20M`; `-` for what is no number.
#[must_use]
pub fn short(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => "-".to_owned(),
        0.0 => "0".to_owned(),
        _ if size < 0.0005 => format!("{value:.1e}"),
        _ if size < 1.0 => format!("{value:.3}"),
        _ if size < 9.995 => format!("{value:.2}"),
        _ if size < 99.95 => format!("{value:.1}"),
        _ if size < 9_999.5 => format!("{value:.0}"),
        _ if size < 999_500.0 => with_letter(value / 1e3, 'k'),
        _ if size < 999_500_000.0 => with_letter(value / 1e6, 'M'),
        _ => with_letter(value / 1e9, 'G'),
    }
}

/// A place on an axis: `1`, `10k`, `100k`, no digit more than it has.
#[must_use]
pub fn place(value: f64) -> String {
    let (value, letter) = match value.abs() {
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let rounded = (value * 1000.0).round() / 1000.0;
    format!("{rounded}{letter}")
}

/// `62.0 (60.1-66.4)`; a single sample has no spread to show.
#[must_use]
pub fn spread(spread: &Spread) -> String {
    let median = short(spread.median);
    let between = if spread.min < 0.0 { " to " } else { "-" };
    let is_number = spread.min.is_finite() && spread.max.is_finite();
    if spread.samples.len() < 2 || spread.min == spread.max || !is_number {
        return median;
    }
    format!(
        "{median} ({}{between}{})",
        short(spread.min),
        short(spread.max)
    )
}

fn with_letter(value: f64, letter: char) -> String {
    let places = match value.abs() {
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.places$}{letter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count() {
        let shown = [
            0.0,
            0.0571,
            1.0371,
            62.04,
            466.2,
            4_662.0,
            12_340.0,
            999_900.0,
            1_204_000.0,
            -72.5,
        ]
        .map(short);
        assert_eq!(
            shown,
            [
                "0", "0.057", "1.04", "62.0", "466", "4662", "12.3k", "1.00M", "1.20M", "-72.5"
            ]
        );
    }

    #[test]
    fn what_is_no_number_is_a_dash() {
        assert_eq!(short(f64::NAN), "-");
        assert_eq!(short(f64::INFINITY), "-");
        assert_eq!(super::spread(&Spread::of(vec![f64::NAN; 3])), "-");
    }

    #[test]
    fn places_are_told_to_the_digit() {
        assert_eq!(
            [1.0, 0.5, 1500.0, 10_000.0, 131_072.0].map(place),
            ["1", "0.5", "1500", "10k", "131.072k"]
        );
    }

    #[test]
    fn a_spread_below_zero_is_not_read_as_a_minus() {
        assert_eq!(
            spread(&Spread::of(vec![-10.0, 5.0, 20.0])),
            "5.00 (-10.0 to 20.0)"
        );
        assert_eq!(spread(&Spread::of(vec![5.0])), "5.00");
    }
}
