//! From samples to questions and figures.

use super::Level;
use super::clock::Cost;
use crate::results::{Figure, Point, Question, Section, Series};
use crate::spread::Spread;

type Samples = fn(&Level) -> &Vec<Cost>;

const CPU: fn(&Cost) -> f64 = |cost| cost.cpu_ns;
const WALL: fn(&Cost) -> f64 = |cost| cost.wall_ns;

/// The samples of all levels; `rests` are what removals left to do for later, per flow.
pub(super) fn of(levels: &[Level], rests: &[Cost]) -> Section {
    let later = spread(rests, CPU).median;
    Section {
        questions: vec![
            question(
                "flows-install",
                "What does it cost to install a flow, until the kernel forwards it?",
                "ns",
                vec![
                    series("processor time", levels, |of| &of.install, CPU),
                    series("time until it is done", levels, |of| &of.install, WALL),
                    series("one bare map update", levels, |of| &of.bare_update, CPU),
                ],
                vec![
                    "per flow; all flows from the size before to this one wished for at once; next hops known".to_owned(),
                    "a single flow's time is that of waking the thread that writes".to_owned(),
                    rate(levels),
                ],
            ),
            question(
                "flows-remove",
                "What does it cost to remove a flow?",
                "ns",
                vec![
                    series("processor time", levels, |of| &of.remove, CPU),
                    series("time until it is done", levels, |of| &of.remove, WALL),
                    series("one bare map delete", levels, |of| &of.bare_delete, CPU),
                ],
                vec![format!(
                    "per flow, from this size down to the one before; besides, {later:.0} ns of processor time per flow a few seconds later, when its place is used again"
                )],
            ),
            question(
                "flows-statistics",
                "What does it cost to collect the statistics of all flows once?",
                "µs",
                vec![
                    series("processor time, new packets at every flow", levels, |of| &of.busy, |cost| {
                        cost.cpu_ns / 1e3
                    }),
                    series("time, new packets at every flow", levels, |of| &of.busy, |cost| {
                        cost.wall_ns / 1e3
                    }),
                    series("processor time, nothing new", levels, |of| &of.quiet, |cost| {
                        cost.cpu_ns / 1e3
                    }),
                    series("time, nothing new", levels, |of| &of.quiet, |cost| {
                        cost.wall_ns / 1e3
                    }),
                ],
                vec!["a relay with calls does it once a second".to_owned()],
            ),
        ],
        figures: levels.last().map(figures).unwrap_or_default(),
    }
}

/// Of the largest table.
fn figures(level: &Level) -> Vec<Figure> {
    let flows = level.flows;
    let figure = |id: &str, what: &str, unit: &str, value| Figure {
        id: format!("{id}-{flows}"),
        what: format!("{what}, {flows} flows"),
        unit: unit.to_owned(),
        value,
        target: None,
    };
    let install = spread(&level.install, CPU);
    let remove = spread(&level.remove, CPU);
    vec![
        figure(
            "flows-install-against-bare",
            "CPU of installing a flow against a bare map update",
            "x",
            install.over(&spread(&level.bare_update, CPU)),
        ),
        figure(
            "flows-remove-against-bare",
            "CPU of removing a flow against a bare map delete",
            "x",
            remove.over(&spread(&level.bare_delete, CPU)),
        ),
        figure(
            "flows-statistics",
            "CPU of collecting all statistics once, news everywhere",
            "ms",
            spread(&level.busy, |cost| cost.cpu_ns / 1e6),
        ),
    ]
}

/// Flows per second at the largest size.
fn rate(levels: &[Level]) -> String {
    let Some(level) = levels.last() else {
        return String::new();
    };
    let ns = spread(&level.install, WALL).median;
    format!(
        "{:.0} flows installed per second on the way to {}",
        1e9 / ns.max(1.0),
        level.flows
    )
}

fn question(
    id: &str,
    title: &str,
    unit: &str,
    series: Vec<Series>,
    notes: Vec<String>,
) -> Question {
    Question {
        id: id.to_owned(),
        title: title.to_owned(),
        unit: unit.to_owned(),
        axis: "flows".to_owned(),
        series,
        notes,
    }
}

fn series(name: &str, levels: &[Level], samples: Samples, value: fn(&Cost) -> f64) -> Series {
    let point = |level: &Level| Point {
        at: level.flows as f64,
        value: spread(samples(level), value),
    };
    Series {
        name: name.to_owned(),
        points: levels.iter().map(point).collect(),
    }
}

fn spread(samples: &[Cost], value: impl Fn(&Cost) -> f64) -> Spread {
    Spread::of(samples.iter().map(value).collect())
}
