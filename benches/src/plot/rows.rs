//! Series as rows, where there is but one place on the axis.

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::lines::mark_style;
use super::palette::{GRID, INK, series as colour};
use super::scale::Scale;
use super::{Area, FONT, drawn};
use crate::number;
use crate::results::Question;

const ROW: u32 = 30;
/// Title, axis and margins.
const AROUND: u32 = 110;
/// Pixels a character of a name takes, roughly.
const CHARACTER: u32 = 7;

/// Of the picture.
pub(super) fn height(question: &Question) -> u32 {
    AROUND + ROW * question.series.len() as u32
}

pub(super) fn draw(area: &Area, question: &Question) -> Result<()> {
    let place = question.places().first().copied().unwrap_or_default();
    let rows = question.series.iter().map(|series| series.at(place));
    let rows: Vec<_> = rows
        .map(|value| value.filter(|value| value.min.is_finite() && value.max.is_finite()))
        .collect();
    let values: Vec<f64> = rows.iter().flatten().flat_map(|v| [v.min, v.max]).collect();
    let mut x = Scale::of_values(&values);
    // Right of the whiskers stand the values.
    x.range.1 += (x.range.1 - x.range.0) * 0.35;
    let names = question
        .series
        .iter()
        .map(|series| series.name.chars().count());
    let names = (names.max().unwrap_or(0) as u32 * CHARACTER).clamp(60, 420);
    // The first row on top.
    let count = rows.len();
    let down = |index: usize| (count - 1 - index) as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(&question.title, (FONT, 18).with_color(INK))
        .margin(14)
        .x_label_area_size(46)
        .y_label_area_size(names + 16)
        .build_cartesian_2d(x.clone(), Scale::of_rows(count))
        .map_err(drawn)?;
    let unit = format!(
        "{}, at {} {}",
        question.unit,
        number::place(place),
        question.axis
    );
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 13).with_color(INK))
        .axis_desc_style((FONT, 14).with_color(INK))
        .x_desc(unit)
        .y_label_formatter(&|row| {
            let index = count - 1 - (row.round().max(0.0) as usize).min(count - 1);
            question.series[index].name.clone()
        })
        .draw()
        .map_err(drawn)?;
    for (index, value) in rows.iter().enumerate() {
        let Some(value) = value else { continue };
        let ends = [value.min, value.max].map(|end| (x.place(end), down(index)));
        let whisker = PathElement::new(ends.to_vec(), colour(index).stroke_width(2));
        chart.draw_series([whisker]).map_err(drawn)?;
        let mark = Circle::new((x.place(value.median), down(index)), 5, mark_style(index));
        chart.draw_series([mark]).map_err(drawn)?;
        let style = (FONT, 13).into_font().color(&INK);
        let style = style.pos(Pos::new(HPos::Left, VPos::Center));
        let label = EmptyElement::at((x.place(value.max), down(index)))
            + Text::new(number::spread(value), (10, 0), style);
        chart.draw_series([label]).map_err(drawn)?;
    }
    Ok(())
}
