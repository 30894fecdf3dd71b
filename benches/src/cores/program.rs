//! The program on several processors at once, by BPF_PROG_TEST_RUN: what they share slows them down.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use aya::programs::{TestRun, TestRunOptions, Xdp};

use super::pinned;
use super::tables::{Place, Tables, frame};
use crate::effort::Effort;
use crate::results::{Figure, Point, Question, Section, Series};
use crate::sections::Progress;
use crate::spread::Spread;

const REPEAT: u32 = 100_000;
/// A sample is the median of so many runs, less those in which the processors were not at work together.
const RUNS: usize = 9;
/// Runs count as together that overlap for this part of the longest, and consist of the program's own time to this part.
const TOGETHER: f64 = 0.8;
const XDP_PASS: u32 = 2;
const XDP_REDIRECT: u32 = 4;
/// Apart by far more than a pair of cache lines, and by a line of ports.
const APART: u32 = 64;

/// What the processors' packets have in common.
#[derive(Clone, Copy, PartialEq)]
enum Shared {
    /// Nothing that is written: what the machine itself costs.
    NoFlow,
    /// Nothing.
    Nothing,
    /// Flows whose ports stand in one cache line, and whose records follow one another.
    Neighbours,
    /// The flow: a sender's packets that arrive at several queues.
    Flow,
}

const CASES: [(&str, Shared); 4] = [
    ("no flow at the port", Shared::NoFlow),
    ("different flows", Shared::Nothing),
    ("neighbouring ports and records", Shared::Neighbours),
    ("the same flow", Shared::Flow),
];

/// Time per packet by processors at once, and the ratios of all to one.
///
/// # Errors
/// Where the program does not load or does not forward what it should.
pub(super) fn measure(effort: Effort, progress: Progress) -> Result<Section> {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let counts = counts(cpus);
    let mut tables = Tables::load(APART * (cpus as u32 + 1))?;
    let mut times = vec![vec![Vec::new(); counts.len()]; CASES.len()];
    for round in 1..=effort.rounds {
        progress(&format!(
            "the program on {cpus} processors: round {round} of {}",
            effort.rounds
        ));
        for ((name, shared), times) in CASES.into_iter().zip(&mut times) {
            for (&count, times) in counts.iter().zip(times) {
                times.push(at_once(&mut tables, shared, count).context(name)?);
            }
        }
    }
    let series = CASES
        .into_iter()
        .zip(times)
        .map(|((name, _), times)| Series {
            name: name.to_owned(),
            points: counts
                .iter()
                .zip(times)
                .map(|(&count, times)| Point {
                    at: count as f64,
                    value: Spread::of(times),
                })
                .collect(),
        });
    let question = Question {
        id: "cores-program".to_owned(),
        title: "What does a packet cost where several processors run the program at once?".to_owned(),
        unit: "ns".to_owned(),
        axis: "processors at once".to_owned(),
        series: series.collect(),
        notes: vec![
            "XDP, IPv4, BPF_PROG_TEST_RUN by threads pinned to processors. Throughput grows as the line stays level.".to_owned(),
            "The same flow is what receive queues never do by themselves: a card hashes a flow's packets to one queue.".to_owned(),
        ],
    };
    let figures = CASES.iter().zip(&question.series).filter_map(figure);
    Ok(Section {
        figures: figures.collect(),
        questions: vec![question],
    })
}

/// One, two, four and so on up to all there are.
fn counts(cpus: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(1), |count| Some(count * 2));
    let mut counts: Vec<usize> = doubled.take_while(|&count| count < cpus).collect();
    counts.push(cpus);
    counts
}

fn figure((case, series): (&(&str, Shared), &Series)) -> Option<Figure> {
    let (id, target) = match case.1 {
        Shared::NoFlow => return None,
        Shared::Nothing => ("cores-different-flows", Some(1.1)),
        Shared::Neighbours => ("cores-neighbouring-flows", Some(1.1)),
        Shared::Flow => ("cores-same-flow", None),
    };
    let (one, all) = (series.points.first()?, series.points.last()?);
    Some(Figure {
        id: id.to_owned(),
        what: format!("{} processors at once against one, {}", all.at, case.0),
        unit: "x".to_owned(),
        value: all.value.over(&one.value),
        target,
    })
}

/// What a processor did in one run.
struct Timed {
    ns_per_packet: f64,
    began: Instant,
    ended: Instant,
}

/// ns per packet, the mean of `count` processors at once.
fn at_once(tables: &mut Tables, shared: Shared, count: usize) -> Result<f64> {
    let places: Vec<Place> = (0..count as u32).map(|cpu| place(shared, cpu)).collect();
    if shared != Shared::NoFlow {
        for &place in &places {
            tables.install(place)?;
        }
    }
    let program = tables.program()?;
    let expected = if shared == Shared::NoFlow {
        XDP_PASS
    } else {
        XDP_REDIRECT
    };
    let together = Barrier::new(count);
    let by_cpu = std::thread::scope(|scope| {
        let threads: Vec<_> = places
            .iter()
            .enumerate()
            .map(|(cpu, place)| {
                let (packet, together) = (frame(place.port), &together);
                scope.spawn(move || {
                    let pinned = pinned::stay_on(cpu);
                    pinned::go_first();
                    let runs = (0..=RUNS).map(|_| {
                        together.wait();
                        run(program, &packet, expected)
                    });
                    // All runs first: who leaves early would keep the others waiting for ever.
                    let runs: Vec<Result<Timed>> = runs.collect();
                    pinned?;
                    // The first warms up.
                    runs.into_iter().skip(1).collect::<Result<Vec<Timed>>>()
                })
            })
            .collect();
        let results = threads.into_iter().map(|thread| {
            let result = thread.join();
            result.map_err(|_| anyhow!("a thread panicked"))?
        });
        results.collect::<Result<Vec<Vec<Timed>>>>()
    })?;
    let runs = (0..RUNS).map(|run| by_cpu.iter().map(|runs| &runs[run]).collect::<Vec<_>>());
    let means: Vec<f64> = runs
        .filter(|run| were_together(run))
        .map(|run| run.iter().map(|timed| timed.ns_per_packet).sum::<f64>() / count as f64)
        .collect();
    ensure!(
        !means.is_empty(),
        "{count} processors were never at work together: the machine is too busy"
    );
    Ok(Spread::of(means).median)
}

fn were_together(run: &[&Timed]) -> bool {
    let last_began = run.iter().map(|timed| timed.began).max();
    let first_ended = run.iter().map(|timed| timed.ended).min();
    let longest = run.iter().map(|timed| timed.ended - timed.began).max();
    let (Some(began), Some(ended), Some(longest)) = (last_began, first_ended, longest) else {
        return false;
    };
    let own = |timed: &&Timed| Duration::from_nanos(timed.ns_per_packet as u64 * u64::from(REPEAT));
    let shortest = run.iter().map(own).min().unwrap_or_default();
    let enough = longest.mul_f64(TOGETHER);
    ended.saturating_duration_since(began) >= enough && shortest >= enough
}

fn place(shared: Shared, cpu: u32) -> Place {
    let step = match shared {
        Shared::NoFlow | Shared::Nothing => APART,
        Shared::Neighbours => 1,
        Shared::Flow => 0,
    };
    // The ports of different cases do not meet; RTP has the even ones.
    let base = match shared {
        Shared::NoFlow => 50_000,
        Shared::Nothing => 20_000,
        Shared::Neighbours => 30_000,
        Shared::Flow => 40_000,
    };
    Place {
        port: base + (cpu * step * 2) as u16,
        record: cpu * step,
    }
}

fn run(program: &Xdp, packet: &[u8], expected: u32) -> Result<Timed> {
    let mut out = vec![0; 2048];
    let began = Instant::now();
    let result = program.test_run(TestRunOptions {
        data_in: Some(packet),
        data_out: Some(&mut out),
        repeat: REPEAT,
        ..TestRunOptions::new()
    })?;
    ensure!(
        result.return_value == expected,
        "the program returned {} instead of {expected}",
        result.return_value
    );
    Ok(Timed {
        ns_per_packet: result.duration.as_nanos() as f64,
        began,
        ended: Instant::now(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_doubled_up_to_all() {
        assert_eq!(counts(1), [1]);
        assert_eq!(counts(2), [1, 2]);
        assert_eq!(counts(6), [1, 2, 4, 6]);
    }

    #[test]
    fn neighbours_share_a_line_of_ports_and_different_flows_do_not() {
        let line = |shared, cpu| place(shared, cpu).port / 16;
        assert_eq!(line(Shared::Neighbours, 0), line(Shared::Neighbours, 1));
        assert_ne!(line(Shared::Nothing, 0), line(Shared::Nothing, 1));
        assert_eq!(place(Shared::Neighbours, 1).record, 1);
        assert_eq!(place(Shared::Flow, 0).port, place(Shared::Flow, 1).port);
    }

    #[test]
    fn runs_that_follow_one_another_are_not_together() {
        let start = Instant::now();
        let timed = |from: u64, to: u64| Timed {
            ns_per_packet: (to - from) as f64 * 1e6 / f64::from(REPEAT),
            began: start + Duration::from_millis(from),
            ended: start + Duration::from_millis(to),
        };
        let (a, b, c) = (timed(0, 10), timed(1, 11), timed(10, 20));
        assert!(were_together(&[&a]));
        assert!(were_together(&[&a, &b]));
        assert!(!were_together(&[&a, &c]));
        assert!(!were_together(&[&a, &timed(0, 100)]));
        let waited = Timed {
            ns_per_packet: 1.0,
            ..timed(0, 10)
        };
        assert!(!were_together(&[&a, &waited]));
    }

    #[test]
    fn there_is_room_for_a_flow_on_each_of_64_processors() {
        for shared in [Shared::Nothing, Shared::Neighbours, Shared::Flow] {
            let last = place(shared, 63);
            assert!(u32::from(last.port) < 60_000 && last.record < APART * 65);
        }
    }
}
