//! The sections `program`, `path` and `ng` in the words of [`crate::results`].

use std::time::Duration;

use anyhow::Result;

use crate::effort::Effort;
use crate::ng::{self, NgCost};
use crate::path::{self, PathCost};
use crate::program_cost;
use crate::results::{Figure, Point, Question, Section, Series};
use crate::sections::Progress;
use crate::spread::Spread;
use crate::targets::{self, Target};

/// What the program itself costs.
///
/// # Errors
/// As [`program_cost::measure`].
pub fn program(_: Effort, progress: Progress) -> Result<Section> {
    program_cost::measure(progress)
}

/// What a relayed packet costs.
///
/// # Errors
/// As [`path::measure`].
pub fn path(effort: Effort, progress: Progress) -> Result<Section> {
    let plan = path::Plan {
        flows: 100,
        rate: 40_000,
        rounds: effort.rounds,
        window: Duration::from_secs(effort.pick(1, 2, 4)),
    };
    let costs = path::measure(plan, progress)?;
    let by = |value: fn(&PathCost) -> &Spread| {
        let lines = costs.iter().map(|cost| {
            let name = format!("{:?}", cost.system).to_lowercase();
            one_point(name, cost.flows as f64, value(cost).clone())
        });
        lines.collect::<Vec<_>>()
    };
    let questions = vec![
        question(
            "path-cpu",
            "How much processor time does a packet take on the whole path?",
            ("ns", "flows"),
            by(|cost| &cost.cpu_ns),
        ),
        question(
            "path-saturation",
            "How many packets arrive when the sender does not hold back?",
            ("packets/s", "flows"),
            by(|cost| &cost.saturation_pps),
        ),
    ];
    Ok(section(questions, &targets::of_path(&costs)))
}

/// What the ng protocol costs.
///
/// # Errors
/// As [`ng::measure`].
pub fn ng(effort: Effort, progress: Progress) -> Result<Section> {
    let costs = ng::measure(effort.rounds, effort.pick(1000, 2000, 4000), progress)?;
    let by = |value: fn(&ng::Cycles) -> &Spread| {
        let lines = costs.iter().map(|cost: &NgCost| Series {
            name: cost.relay.to_owned(),
            points: [(1, &cost.one_client), (ng::CLIENTS, &cost.many_clients)]
                .map(|(clients, cycles)| Point {
                    at: clients as f64,
                    value: value(cycles).clone(),
                })
                .into(),
        });
        lines.collect::<Vec<_>>()
    };
    let questions = vec![
        question(
            "ng-cpu",
            "How much processor time does a cycle of offer, answer and delete take?",
            ("us", "clients"),
            by(|cycles| &cycles.cpu_us),
        ),
        question(
            "ng-rate",
            "How many cycles of offer, answer and delete are done?",
            ("cycles/s", "clients"),
            by(|cycles| &cycles.per_second),
        ),
    ];
    Ok(section(questions, &targets::of_ng(&costs)))
}

fn question(id: &str, title: &str, of: (&str, &str), series: Vec<Series>) -> Question {
    Question {
        id: id.to_owned(),
        title: title.to_owned(),
        unit: of.0.to_owned(),
        axis: of.1.to_owned(),
        series,
        notes: Vec::new(),
    }
}

fn one_point(name: String, at: f64, value: Spread) -> Series {
    Series {
        name,
        points: vec![Point { at, value }],
    }
}

/// Targets have no samples, so their figures are never told from noise.
fn section(questions: Vec<Question>, targets: &[Target]) -> Section {
    let figures = targets.iter().map(|target| Figure {
        id: target.what.to_lowercase().replace([' ', ','], "-"),
        what: target.what.to_owned(),
        unit: target.unit.to_owned(),
        value: Spread::of(vec![target.measured]),
        target: Some(target.target),
    });
    Section {
        questions,
        figures: figures.collect(),
    }
}
