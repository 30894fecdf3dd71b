//! From samples to questions and figures.

use super::PerCall;
use super::maps::TableMemory;
use crate::ng::NAMES;
use crate::results::{Figure, Point, Question, Section, Series};
use crate::spread::Spread;

/// What a call may take at most, KiB, sockets (the kernel's memory) not counted.
const PER_CALL_KIB: f64 = 16.0;

/// The samples of both relays, in the order of [`NAMES`].
pub(super) fn of(
    relays: &[Vec<PerCall>; 2],
    table: Option<TableMemory>,
    mut notes: Vec<String>,
) -> Section {
    let mut series = Vec::new();
    for (name, levels) in NAMES.into_iter().zip(relays) {
        series.push(self::series(format!("{name}, resident"), levels, |level| {
            &level.resident
        }));
        if levels.iter().all(|level| !level.kernel.is_empty()) {
            series.push(self::series(format!("{name}, kernel"), levels, |level| {
                &level.kernel
            }));
        }
    }
    if series.len() == NAMES.len() {
        notes.push("no control group counts the kernel's memory here".to_owned());
    }
    let per_call = Question {
        id: "memory-call".to_owned(),
        title: "What memory does a call take?".to_owned(),
        unit: "KiB".to_owned(),
        axis: "calls up".to_owned(),
        series,
        notes,
    };
    Section {
        questions: [Some(per_call), table.map(per_flow)]
            .into_iter()
            .flatten()
            .collect(),
        figures: figures(relays),
    }
}

fn figures(relays: &[Vec<PerCall>; 2]) -> Vec<Figure> {
    let [ours, theirs] = relays;
    let mut figures = Vec::new();
    for (ours, theirs) in ours.iter().zip(theirs) {
        let resident = Spread::of(ours.resident.clone());
        let (id, target) = if figures.is_empty() {
            (String::new(), Some(PER_CALL_KIB))
        } else {
            (format!("-{}", ours.calls), None)
        };
        let mut figure = |name: &str, what: &str, unit: &str, value: Spread, target| {
            figures.push(Figure {
                id: format!("{name}{id}"),
                what: format!("{what}, {} calls up", ours.calls),
                unit: unit.to_owned(),
                value,
                target,
            });
        };
        let ratio = resident.over(&Spread::of(theirs.resident.clone()));
        figure(
            "memory-per-call",
            "memory per call",
            "KiB",
            resident,
            target,
        );
        figure(
            "memory-against-rtpengine",
            "memory per call against rtpengine",
            "x",
            ratio,
            None,
        );
    }
    figures
}

/// What the table sets aside, whether or not flows are in it.
fn per_flow(table: TableMemory) -> Question {
    let bytes = table.bytes as f64 / f64::from(table.flows);
    Question {
        id: "memory-flow".to_owned(),
        title: "What memory does the kernel set aside for each flow that a table can hold?"
            .to_owned(),
        unit: "bytes".to_owned(),
        axis: "flows the table can hold".to_owned(),
        series: vec![Series {
            name: "all maps of a table".to_owned(),
            points: vec![Point {
                at: f64::from(table.flows),
                value: Spread::of(vec![bytes]),
            }],
        }],
        notes: vec![format!(
            "{:.1} MiB from the start, whatever is in it; a call with two streams has two flows in the kernel",
            table.bytes as f64 / f64::from(1 << 20)
        )],
    }
}

fn series(name: String, levels: &[PerCall], samples: fn(&PerCall) -> &Vec<f64>) -> Series {
    let point = |level: &PerCall| Point {
        at: level.calls as f64,
        value: Spread::of(samples(level).clone()),
    };
    let points = levels.iter().map(point).collect();
    Series { name, points }
}
