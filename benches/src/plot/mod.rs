//! One SVG a question: lines over the axis, or, where there is but one place on it, a row for each series.
//!
//! Medians are marks, whiskers reach from the smallest to the largest sample. Series keep the order and the colours that
//! the section gave them. What the reader's system prefers, light or dark, decides the colours.

mod lines;
mod palette;
mod rows;
mod scale;

use anyhow::{Context, Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::results::Question;

/// Of the whole picture, in pixels.
const WIDTH: u32 = 900;
const FONT: &str = "sans-serif";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The plot of a question.
///
/// # Errors
/// Nothing that a plot can be drawn of.
pub fn svg(question: &Question) -> Result<String> {
    let draw = |height: u32, draw: fn(&Area, &Question) -> Result<()>| -> Result<String> {
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
            area.fill(&palette::PAPER).map_err(drawn)?;
            draw(&area, question)?;
            area.present().map_err(drawn)?;
        }
        Ok(text)
    };
    let text = match question.places().len() {
        0 => Err(anyhow!("nothing was measured")),
        1 => draw(rows::height(question), rows::draw),
        _ => draw(lines::height(question), lines::draw),
    };
    let text = text.with_context(|| format!("the plot of {}", question.id))?;
    Ok(palette::with_night(&text))
}

/// plotters' errors borrow from its backend.
fn drawn<E: std::error::Error + Send + Sync>(error: E) -> anyhow::Error {
    anyhow!("drawing: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Point, Series};
    use crate::spread::Spread;

    fn question(series: &[(&str, &[(f64, f64)])]) -> Question {
        let series = series.iter().map(|(name, points)| Series {
            name: (*name).to_owned(),
            points: points
                .iter()
                .map(|&(at, value)| Point {
                    at,
                    value: Spread::of(vec![value * 0.9, value, value * 1.2]),
                })
                .collect(),
        });
        Question {
            id: "cost".to_owned(),
            title: "What does <it> cost?".to_owned(),
            unit: "ns".to_owned(),
            axis: "flows".to_owned(),
            series: series.collect(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_plot_names_its_title_its_units_and_every_series() {
        let svg = svg(&question(&[
            ("ours", &[(1.0, 60.0), (100_000.0, 400.0)]),
            ("theirs", &[(1.0, 80.0)]),
        ]))
        .unwrap();
        for word in [
            "What does &lt;it&gt; cost?",
            "ns",
            "flows",
            "ours",
            "theirs",
            "100k",
        ] {
            assert!(svg.contains(word), "{word}");
        }
    }

    #[test]
    fn one_place_makes_rows_with_their_values() {
        let svg = svg(&question(&[
            ("ours", &[(1.0, 60.0)]),
            ("theirs", &[(1.0, 80.0)]),
        ]))
        .unwrap();
        assert!(svg.contains("60.0 (54.0-72.0)"));
        assert!(svg.contains("theirs"));
    }

    #[test]
    fn values_below_zero_and_values_that_are_none_are_drawn_or_left_out() {
        let odd: &[(f64, f64)] = &[(1.0, -70.0), (2.0, f64::NAN), (3.0, 40.0)];
        assert!(svg(&question(&[("ours", odd)])).unwrap().contains("ours"));
    }

    #[test]
    fn equal_values_have_room_around_them() {
        assert!(svg(&question(&[("ours", &[(1.0, 0.0), (2.0, 0.0)])])).is_ok());
        assert!(svg(&question(&[("ours", &[(0.0, 5.0)])])).is_ok());
    }

    #[test]
    fn without_a_single_point_there_is_an_error_that_names_the_question() {
        let error = format!("{:#}", svg(&question(&[("ours", &[])])).unwrap_err());
        assert!(error.contains("cost"), "{error}");
    }

    #[test]
    fn colours_follow_the_order_of_the_series_not_their_values() {
        let points: &[(f64, f64)] = &[(1.0, 1.0), (2.0, 1.0)];
        let same = svg(&question(&[("a", points), ("b", points)])).unwrap();
        let first = format!("#{:02X}{:02X}{:02X}", 0x1b, 0x6c, 0xa8);
        assert!(same.contains(&first), "{same}");
    }
}
