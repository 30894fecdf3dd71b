//! Series as lines over the axis.

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::palette::{GRID, INK, is_hollow, series as colour};
use super::scale::Scale;
use super::{Area, FONT, WIDTH, drawn};
use crate::results::{Question, Series};

const PLOT: u32 = 420;
/// A line of the legend.
const LINE: u32 = 22;
/// Names longer than this leave no room for a second column.
const SHORT: usize = 52;

/// Of the picture: the plot and its legend.
pub(super) fn height(question: &Question) -> u32 {
    PLOT + LINE * (question.series.len().div_ceil(columns(question)) as u32) + LINE / 2
}

fn columns(question: &Question) -> usize {
    let longest = question.series.iter().map(|series| series.name.len()).max();
    if longest.unwrap_or(0) > SHORT { 1 } else { 2 }
}

pub(super) fn draw(area: &Area, question: &Question) -> Result<()> {
    let (plot, below) = area.split_vertically(PLOT);
    let points = || question.series.iter().flat_map(|series| &series.points);
    let values: Vec<f64> = points().flat_map(|p| [p.value.min, p.value.max]).collect();
    let (x, y) = (
        Scale::of_places(&question.places()),
        Scale::of_values(&values),
    );
    let mut chart = ChartBuilder::on(&plot)
        .caption(&question.title, (FONT, 18).with_color(INK))
        .margin(14)
        .x_label_area_size(46)
        .y_label_area_size(74)
        .build_cartesian_2d(x.clone(), y.clone())
        .map_err(drawn)?;
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 13).with_color(INK))
        .axis_desc_style((FONT, 14).with_color(INK))
        .x_desc(&question.axis)
        .y_desc(&question.unit)
        .draw()
        .map_err(drawn)?;
    // Whiskers at the same place stand beside one another.
    let beside = (x.range.1 - x.range.0) * 0.006;
    let middle = (question.series.len().saturating_sub(1)) as f64 / 2.0;
    for (index, series) in question.series.iter().enumerate() {
        let at = |place: f64| x.place(place) + (index as f64 - middle) * beside;
        let drawable = drawable(series);
        let line = drawable.iter().map(|p| (at(p.at), y.place(p.value.median)));
        let style = colour(index).stroke_width(2);
        chart
            .draw_series(LineSeries::new(line.clone(), style))
            .map_err(drawn)?;
        let whiskers = drawable.iter().map(|p| {
            let ends = [p.value.min, p.value.max].map(|end| (at(p.at), y.place(end)));
            PathElement::new(ends.to_vec(), colour(index).stroke_width(2))
        });
        chart.draw_series(whiskers).map_err(drawn)?;
        let marks = line.map(|mark| Circle::new(mark, 4, mark_style(index)));
        chart.draw_series(marks).map_err(drawn)?;
    }
    legend(&below, question)
}

/// Points that are numbers.
fn drawable(series: &Series) -> Vec<&crate::results::Point> {
    let points = series.points.iter();
    points
        .filter(|p| p.value.min.is_finite() && p.value.max.is_finite())
        .collect()
}

/// Filled, or hollow for the ninth series and on.
pub(super) fn mark_style(index: usize) -> ShapeStyle {
    if is_hollow(index) {
        colour(index).stroke_width(2)
    } else {
        colour(index).filled()
    }
}

fn legend(area: &Area, question: &Question) -> Result<()> {
    let columns = columns(question);
    let lines = question.series.len().div_ceil(columns);
    for (index, series) in question.series.iter().enumerate() {
        let left = 90 + (index / lines * ((WIDTH as usize - 90) / columns)) as i32;
        let top = (index % lines * LINE as usize + LINE as usize / 2) as i32;
        let line = vec![(left, top), (left + 24, top)];
        let line = PathElement::new(line, colour(index).stroke_width(2));
        area.draw(&line).map_err(drawn)?;
        let mark = Circle::new((left + 12, top), 4, mark_style(index));
        area.draw(&mark).map_err(drawn)?;
        let style = (FONT, 14).into_font().color(&INK);
        let style = style.pos(Pos::new(HPos::Left, VPos::Center));
        let name = Text::new(series.name.clone(), (left + 32, top), style);
        area.draw(&name).map_err(drawn)?;
    }
    Ok(())
}
