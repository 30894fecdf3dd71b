//! What the program itself costs per packet, by BPF_PROG_TEST_RUN.
//!
//! The flows form a ring: each rewrites the packet into one that the next flow expects. So `repeat` runs the true path of
//! a known flow every time, rewrite included, and with many flows each run meets another record, at another place in
//! memory than the processor would foresee.
//!
//! The RTP header stays the same from run to run. A sequence number that stands still takes the way of one that advances
//! (`underpass_packet::observe`), and packets are timed as often as always: nothing is left out for it.

mod instance;
mod ring;
mod runner;
mod share;
mod turns;

use anyhow::Result;

use crate::results::{Figure, Point, Question, Section, Series};
use crate::spread::Spread;
use ring::{Family, Ring};
use runner::{Program, Runner};
use turns::{Interfaces, Turns};

/// Flows in the table, or in all tables.
const COUNTS: [u32; 6] = [1, MANY_TABLES, 100, 1_000, 10_000, 100_000];
/// As many as a node has.
const MANY_TABLES: u32 = underpass_abi::share::TABLES;

/// What is measured.
#[derive(Clone, Copy, PartialEq)]
enum Case {
    /// A program, run again and again by one call, and the packets it meets.
    Repeated {
        program: Program,
        families: [Family; 2],
        /// Packets to a port without a flow.
        misses: bool,
    },
    /// IPv4 flows of tables, a call for each packet.
    OneByOne(Interfaces),
}

impl Case {
    /// Known flows of one family.
    fn hits(program: Program, family: Family) -> Self {
        Self::Repeated {
            program,
            families: [family; 2],
            misses: false,
        }
    }
}

/// Gives ns per packet.
type Run = Box<dyn FnMut() -> Result<f64>>;

/// Measures every case, each in turns with all others, so that what else the machine does meets all alike.
///
/// # Errors
/// Where the programs do not load or do not forward what they should.
pub fn measure(rounds: usize, progress: &mut dyn FnMut(&str)) -> Result<Section> {
    let mut costs = Vec::new();
    for flows in COUNTS {
        progress(&format!("the programs with {flows} flows, in turns"));
        let mut runs = cases(flows)
            .into_iter()
            .map(|case| Ok((case, prepare(case, flows)?)))
            .collect::<Result<Vec<_>>>()?;
        let mut samples = vec![Vec::new(); runs.len()];
        for round in 0..=rounds {
            for ((_, run), samples) in runs.iter_mut().zip(&mut samples) {
                let ns = run()?;
                // The first round warms caches up.
                if round > 0 {
                    samples.push(ns);
                }
            }
        }
        for ((case, _), samples) in runs.into_iter().zip(samples) {
            costs.push((case, flows, Spread::of(samples)));
        }
    }
    Ok(section(&costs))
}

fn cases(flows: u32) -> Vec<Case> {
    use Family::{V4, V6};
    let mut cases = Vec::new();
    for program in Program::ALL {
        let families: &[_] = if program.is_bare() {
            &[[V4, V4]]
        } else {
            &[[V4, V4], [V6, V6], [V4, V6]]
        };
        cases.extend(families.iter().map(|&families| Case::Repeated {
            program,
            families,
            misses: false,
        }));
    }
    let shared = |program| Case::hits(program, V4);
    match flows {
        1 => cases.extend([Program::SharedXdp(1), Program::SharedTc(1)].map(shared)),
        MANY_TABLES => {
            cases.extend(
                [
                    Program::SharedXdp(1),
                    Program::SharedXdp(MANY_TABLES),
                    Program::SharedTc(MANY_TABLES),
                ]
                .map(shared),
            );
            cases.extend(
                [
                    Interfaces::Own(1),
                    Interfaces::Own(MANY_TABLES),
                    Interfaces::Shared(1),
                    Interfaces::Shared(MANY_TABLES),
                ]
                .map(Case::OneByOne),
            );
        }
        _ => {}
    }
    if flows == 1 {
        cases.extend([Program::Xdp, Program::Tc].map(|program| Case::Repeated {
            program,
            families: [V4, V4],
            misses: true,
        }));
    }
    cases
}

fn prepare(case: Case, flows: u32) -> Result<Run> {
    match case {
        Case::Repeated {
            program,
            families,
            misses,
        } => {
            let ring = Ring::new(families, flows, program.mac());
            let mut runner = if misses {
                Runner::missing(program, &ring)
            } else {
                Runner::hitting(program, &ring)
            }?;
            Ok(Box::new(move || runner.run()))
        }
        Case::OneByOne(interfaces) => {
            let ring = Ring::new([Family::V4; 2], flows, Program::Xdp.mac());
            let mut turns = Turns::new(&ring, interfaces)?;
            Ok(Box::new(move || turns.run()))
        }
    }
}

type Cost = (Case, u32, Spread);

fn section(costs: &[Cost]) -> Section {
    let mut series: Vec<(Case, Series)> = Vec::new();
    for (case, flows, value) in costs {
        let point = Point {
            at: f64::from(*flows),
            value: value.clone(),
        };
        match series.iter_mut().find(|(other, _)| other == case) {
            Some((_, series)) => series.points.push(point),
            None => series.push((
                *case,
                Series {
                    name: name(*case),
                    points: vec![point],
                },
            )),
        }
    }
    let question = Question {
        id: "program-cost".into(),
        title: "What does the kernel program cost per packet?".into(),
        unit: "ns".into(),
        axis: "flows".into(),
        series: series.into_iter().map(|(_, series)| series).collect(),
        notes: vec![
            "BPF_PROG_TEST_RUN: the program and the test's own loop, without driver and stack".into(),
            "every packet of another flow than the last, scattered over memory".into(),
            "shared interface: another program finds the table first; with 64 tables each packet is of another one, whose \
             program has machine code of its own: more than the processor's first cache holds"
                .into(),
            "one by one: a system call for each packet, so that own interfaces can take turns too; the kernel's reading of \
             its clock is in it"
                .into(),
            "bare: one hash lookup, the source compared, rewrite, redirect; no check, no statistics".into(),
        ],
    };
    Section {
        questions: vec![question],
        figures: figures(costs),
    }
}

fn name(case: Case) -> String {
    match case {
        Case::Repeated {
            program,
            families,
            misses,
        } => {
            let packets = match (misses, families) {
                (true, _) => "no flow at the port",
                (false, [Family::V4, Family::V4]) => "IPv4",
                (false, [Family::V6, Family::V6]) => "IPv6",
                (false, _) => "IPv4 to IPv6 and back",
            };
            format!("{}, {packets}", program.name())
        }
        Case::OneByOne(interfaces) => format!("XDP, IPv4 one by one, {}", interfaces.name()),
    }
}

fn figures(costs: &[Cost]) -> Vec<Figure> {
    let find = |wanted, flows| {
        let found = costs
            .iter()
            .find(|(case, at, _)| *case == wanted && *at == flows);
        found.map(|(_, _, value)| value.clone()).unwrap_or_default()
    };
    let cost = |program, family, flows| find(Case::hits(program, family), flows);
    let one_by_one = |interfaces| find(Case::OneByOne(interfaces), MANY_TABLES);
    let figure = |id: &str, what: &str, unit: &str, value, target| Figure {
        id: id.into(),
        what: what.into(),
        unit: unit.into(),
        value,
        target,
    };
    let many = 100_000;
    let v4 = cost(Program::Xdp, Family::V4, 1);
    let v4_many = cost(Program::Xdp, Family::V4, many);
    vec![
        figure(
            "program-v4",
            "program, known IPv4 flow",
            "ns",
            v4.clone(),
            Some(80.0),
        ),
        figure(
            "program-v6",
            "program, known IPv6 flow",
            "ns",
            cost(Program::Xdp, Family::V6, 1),
            Some(110.0),
        ),
        figure(
            "program-100k-flows",
            "program, 100,000 flows against 1",
            "x",
            v4_many.over(&v4),
            Some(1.5),
        ),
        // What the machine's caches allow: the bare program misses them, too.
        figure(
            "program-100k-against-bare",
            "program, 100,000 flows against the bare one",
            "x",
            v4_many.over(&cost(Program::BareXdp, Family::V4, many)),
            Some(1.3),
        ),
        figure(
            "program-against-bare-xdp",
            "program against the bare one, XDP, 1 flow",
            "x",
            v4.over(&cost(Program::BareXdp, Family::V4, 1)),
            None,
        ),
        figure(
            "program-against-bare-tc",
            "program against the bare one, tc, 1 flow",
            "x",
            cost(Program::Tc, Family::V4, 1).over(&cost(Program::BareTc, Family::V4, 1)),
            None,
        ),
        figure(
            "program-shared-1",
            "shared interface less own one, XDP, 1 table",
            "ns",
            cost(Program::SharedXdp(1), Family::V4, 1).less(&v4),
            Some(30.0),
        ),
        // Each packet meets machine code that others have pushed out of the first cache, at either kind of interface.
        figure(
            "program-shared-64",
            "shared interface less 64 own ones, XDP, 64 tables in turns",
            "ns",
            one_by_one(Interfaces::Shared(MANY_TABLES))
                .less(&one_by_one(Interfaces::Own(MANY_TABLES))),
            Some(30.0),
        ),
        figure(
            "program-shared-64-against-1",
            "shared interface, 64 tables in turns, less one own table that stays in the caches",
            "ns",
            cost(Program::SharedXdp(MANY_TABLES), Family::V4, MANY_TABLES).less(&cost(
                Program::Xdp,
                Family::V4,
                MANY_TABLES,
            )),
            None,
        ),
    ]
}
