//! Times made into questions and figures.

use super::{Delays, Samples};
use crate::path::cell::{Cell, Device, Families, System};
use crate::results::{Figure, Point, Question, Section, Series, add_point};
use crate::spread::Spread;

/// The number of flows that figures are taken from.
const USUAL_FLOWS: usize = 100;

/// A question's end, its name for people, and what it takes of a round.
type Part = (&'static str, &'static str, fn(&Delays) -> f64);

const PARTS: [Part; 3] = [
    ("p50", "half of the packets", |delays| delays.p50),
    ("p99", "99 of 100 packets", |delays| delays.p99),
    ("max", "the slowest packet", |delays| delays.max),
];

/// From the samples of each number of flows.
pub(super) fn section(groups: &[Vec<Samples>]) -> Section {
    let mut questions = Vec::new();
    for (id, whom, part) in PARTS {
        questions.push(question(
            groups,
            format!("latency-{id}"),
            format!("How long does it take {whom} from the caller's system call to the callee's interface?"),
            |_, samples| Some(samples.spread(part)),
        ));
    }
    for (id, whom, part) in PARTS {
        questions.push(question(
            groups,
            format!("latency-added-{id}"),
            format!("How much longer than by plain routing does it take {whom}?"),
            |group, samples| added(group, samples, part),
        ));
    }
    Section {
        questions,
        figures: figures(groups),
    }
}

fn question(
    groups: &[Vec<Samples>],
    id: String,
    title: String,
    value: impl Fn(&[Samples], &Samples) -> Option<Spread>,
) -> Question {
    let mut series: Vec<Series> = Vec::new();
    for group in groups {
        for samples in group {
            let Some(value) = value(group, samples) else {
                continue;
            };
            let name = samples.cell.series();
            let point = Point {
                at: samples.cell.flows as f64,
                value,
            };
            add_point(&mut series, name, point);
        }
    }
    Question {
        id,
        title,
        unit: "µs".to_owned(),
        axis: "flows".to_owned(),
        series,
        notes: vec![
            "50 packets per second and flow, evenly spaced; the sender's clock in the packet against the kernel's stamp at \
             the callee's interface."
                .to_owned(),
            "The processors are kept awake: waking a halted virtual one is its hypervisor's time, and would be added to \
             what relays in user space take."
                .to_owned(),
            "One flow sends some dozens of packets in a round: its p99 is its slowest packet or the one before."
                .to_owned(),
        ],
    }
}

/// What is held against rtpengine; left out where a plan did not measure it.
fn figures(groups: &[Vec<Samples>]) -> Vec<Figure> {
    let against_rtpengine = |system, part: fn(&Delays) -> f64| -> Option<Spread> {
        let added = |system| {
            let cell = Cell {
                system,
                device: Device::Veth,
                families: Families::V4,
                flows: USUAL_FLOWS,
            };
            let group = groups.iter().find(|group| find(group, &cell).is_some())?;
            added(group, find(group, &cell)?, part)
        };
        Some(added(system)?.over(&added(System::Rtpengine)?))
    };
    let figure = |id: &str, what: &str, value: Option<Spread>| {
        Some(Figure {
            id: id.to_owned(),
            what: what.to_owned(),
            unit: "x".to_owned(),
            value: value?,
            target: None,
        })
    };
    [
        figure(
            "latency-added-kernel-p99",
            "added latency p99, kernel, veth tc, against rtpengine in user space",
            against_rtpengine(System::Kernel, |delays| delays.p99),
        ),
        figure(
            "latency-added-null-p99",
            "added latency p99, null engine against rtpengine in user space",
            against_rtpengine(System::Null, |delays| delays.p99),
        ),
        figure(
            "latency-added-kernel-p50",
            "added latency p50, kernel, veth tc, against rtpengine in user space",
            against_rtpengine(System::Kernel, |delays| delays.p50),
        ),
        figure(
            "latency-added-null-p50",
            "added latency p50, null engine against rtpengine in user space",
            against_rtpengine(System::Null, |delays| delays.p50),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn find<'a>(group: &'a [Samples], cell: &Cell) -> Option<&'a Samples> {
    group.iter().find(|samples| samples.cell == *cell)
}

/// Round by round, a cell's less plain routing's on the same device; nothing for routing itself.
fn added(group: &[Samples], samples: &Samples, part: fn(&Delays) -> f64) -> Option<Spread> {
    if samples.cell.system == System::Routing {
        return None;
    }
    let routing = find(group, &samples.cell.routing())?;
    Some(samples.spread(part).less(&routing.spread(part)))
}
