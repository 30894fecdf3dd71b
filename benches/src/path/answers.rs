//! Samples made into questions and figures.

use super::cell::{Cell, Device, Families, System};
use super::plan::{ONE_FLOW, USUAL_FLOWS};
use super::samples::Samples;
use crate::results::{Figure, Point, Question, Section, Series, add_point};
use crate::spread::Spread;

/// From the samples of each group.
pub(super) fn section(groups: &[Vec<Samples>]) -> Section {
    Section {
        questions: vec![
            question(
                groups,
                "path-cpu",
                "What does a packet cost, from the sender's system call to the receiver's interface?",
                "ns",
                &[
                    "Processor time of the sending thread, the relay and ksoftirqd, softirq work included, per packet that \
                     arrived at the steady rate; G.711, 20 ms.",
                    "Not in it: interrupts that strike an idle processor (they wake relays in user space), and the \
                     datapath's thread, which reads statistics once a second.",
                    "The sender writes whole frames with filled-in checksums; the receiver counts and drops at its \
                     interface's tc ingress.",
                ],
                |_, samples| Some(samples.cpu_ns()),
            ),
            question(
                groups,
                "path-own-cpu",
                "What does the relay itself cost per packet: the path less plain routing on the same path?",
                "ns",
                &["Round by round; below zero: less than plain routing takes."],
                |group, samples| {
                    let own = own(group, samples)?;
                    (samples.cell.system != System::Routing).then_some(own)
                },
            ),
            question(
                groups,
                "path-cpu-taken",
                "What does a packet take from a thread that only runs when nothing else wants to?",
                "ns",
                &[
                    "The cost of a packet with everything in it: interrupts, waking up, changing threads; but also all \
                     else that runs on the machine. It says something on a quiet one only.",
                ],
                |_, samples| Some(samples.taken_ns()),
            ),
            question(
                groups,
                "path-own-cpu-taken",
                "What does the relay itself take from such a thread: the path less plain routing on the same path?",
                "ns",
                &["Round by round; it says something on a quiet machine only."],
                |group, samples| {
                    let routing = find(group, &samples.cell.routing())?;
                    (samples.cell.system != System::Routing)
                        .then(|| samples.taken_ns().less(&routing.taken_ns()))
                },
            ),
            question(
                groups,
                "path-saturation",
                "How many packets arrive when the sender does not hold back?",
                "packets/s",
                &[
                    "One sending thread: a kernel path shares that thread's processor with it, a relay in user space has \
                     the others to itself, and what it can't take is lost.",
                    "rtpengine gives a socket up for good once it has found it full five times: with one flow next to \
                     nothing is left.",
                ],
                |_, samples| Some(samples.saturation()),
            ),
            question(
                groups,
                "path-loss",
                "How many packets are lost at the steady rate?",
                "%",
                &[],
                |_, samples| Some(samples.loss()),
            ),
        ],
        figures: figures(groups),
    }
}

fn question(
    groups: &[Vec<Samples>],
    id: &str,
    title: &str,
    unit: &str,
    notes: &[&str],
    value: impl Fn(&[Samples], &Samples) -> Option<Spread>,
) -> Question {
    let mut series: Vec<Series> = Vec::new();
    for group in groups {
        // The flows that the group is about; others are there to be compared with.
        let flows = group.first().map_or(0, |first| first.cell.flows);
        for samples in group.iter().filter(|samples| samples.cell.flows == flows) {
            let Some(value) = value(group, samples) else {
                continue;
            };
            let name = samples.cell.series();
            let point = Point {
                at: flows as f64,
                value,
            };
            add_point(&mut series, name, point);
        }
    }
    Question {
        id: id.to_owned(),
        title: title.to_owned(),
        unit: unit.to_owned(),
        axis: "flows".to_owned(),
        series,
        notes: notes.iter().map(|note| (*note).to_owned()).collect(),
    }
}

/// What is held against targets; left out where a plan did not measure it.
fn figures(groups: &[Vec<Samples>]) -> Vec<Figure> {
    let usual = |system, device| -> Option<(&[Samples], &Samples)> {
        let cell = Cell {
            system,
            device,
            families: Families::V4,
            flows: USUAL_FLOWS,
        };
        groups.iter().find_map(|group| {
            let is_about = group.first()?.cell.flows == cell.flows;
            let found = find(group, &cell).filter(|_| is_about)?;
            Some((group.as_slice(), found))
        })
    };
    let cpu = |system, device| Some(usual(system, device)?.1.cpu_ns());
    let own_cpu = |system| {
        let (group, samples) = usual(system, Device::Veth)?;
        own(group, samples)
    };
    let against_bare =
        |device| Some(cpu(System::Kernel, device)?.over(&cpu(System::Bare, device)?));
    let veth = |system| cpu(system, Device::Veth);
    let most = groups.last().map(Vec::as_slice).unwrap_or_default();
    let many = |system| {
        let flows = most.first()?.cell.flows;
        let cell = Cell {
            system,
            flows,
            ..ONE_FLOW
        };
        Some(find(most, &cell)?.cpu_ns())
    };
    let by_calls = own_cpu(System::KernelByCalls);
    let of_rtpengine = own_cpu(System::Rtpengine);
    [
        figure(
            "kernel-against-bare",
            "the whole path, kernel against the bare redirect program, veth tc",
            "x",
            against_bare(Device::Veth),
            Some(1.15),
        ),
        figure(
            "kernel-against-bare-xdp",
            "the same, veth with native XDP",
            "x",
            against_bare(Device::VethXdp),
            Some(1.15),
        ),
        figure(
            "kernel-against-bare-macvlan",
            "the same, macvlan tc",
            "x",
            against_bare(Device::Macvlan),
            Some(1.15),
        ),
        figure(
            "own-kernel-against-rtpengine",
            "the relay's own (the path less plain routing), kernel against rtpengine in user space",
            "x",
            ratio(by_calls, of_rtpengine.clone()),
            Some(0.1),
        ),
        figure(
            "own-null-against-rtpengine",
            "the relay's own, null engine against rtpengine in user space",
            "x",
            ratio(own_cpu(System::Null), of_rtpengine),
            Some(0.7),
        ),
        figure(
            "null-against-rtpengine",
            "the whole path, null engine against rtpengine in user space",
            "x",
            ratio(veth(System::Null), veth(System::Rtpengine)),
            None,
        ),
        figure(
            "packets-in-user-space",
            "packets of established flows that came up to user space, in a round",
            "packets",
            usual(System::KernelByCalls, Device::Veth)
                .and_then(|(_, samples)| samples.user_space()),
            Some(0.0),
        ),
        figure(
            "kernel-calls-against-datapath",
            "the whole path, flows that calls set up against flows installed directly",
            "x",
            ratio(veth(System::KernelByCalls), veth(System::Kernel)),
            None,
        ),
        figure(
            "path-100k-flows",
            "the whole path, kernel, veth tc: the most flows against 1",
            "x",
            ratio(
                many(System::Kernel),
                find(most, &ONE_FLOW).map(Samples::cpu_ns),
            ),
            None,
        ),
        figure(
            "kernel-against-bare-100k-flows",
            "the whole path, kernel against the bare redirect program, veth tc, the most flows",
            "x",
            ratio(many(System::Kernel), many(System::Bare)),
            None,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn figure(
    id: &str,
    what: &str,
    unit: &str,
    value: Option<Spread>,
    target: Option<f64>,
) -> Option<Figure> {
    Some(Figure {
        id: id.to_owned(),
        what: what.to_owned(),
        unit: unit.to_owned(),
        value: value?,
        target,
    })
}

fn find<'a>(group: &'a [Samples], cell: &Cell) -> Option<&'a Samples> {
    group.iter().find(|samples| samples.cell == *cell)
}

/// A cell's processor time less plain routing's of the same rounds.
fn own(group: &[Samples], samples: &Samples) -> Option<Spread> {
    let routing = find(group, &samples.cell.routing())?;
    Some(samples.cpu_ns().less(&routing.cpu_ns()))
}

fn ratio(numerator: Option<Spread>, denominator: Option<Spread>) -> Option<Spread> {
    Some(numerator?.over(&denominator?))
}
