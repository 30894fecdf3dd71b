//! From samples to questions and figures.

use super::load::{Cycles, Offers};
use super::{CLIENTS, Level, NAMES};
use crate::results::{Figure, Point, Question, Section, Series};
use crate::spread::Spread;

/// What a cycle of rtpengine's may cost ours at most.
const CPU: f64 = 0.5;
/// The longest that 99 of 100 offers may take with 1,000 calls up, ms.
const OFFER_P99_MS: f64 = 1.0;

/// The samples of all levels.
pub(super) fn of(levels: &[Level], notes: &[String]) -> Section {
    let what = format!("one client, and {CLIENTS} at once, each waiting for every reply");
    Section {
        questions: vec![
            question(
                "ng-cycles",
                "How many calls per second can be offered, answered and deleted?",
                "cycles/s",
                by_clients(levels, |cycles| cycles.per_second),
                [std::slice::from_ref(&what), notes].concat(),
            ),
            question(
                "ng-cpu",
                "What processor time does the relay take for a call's offer, answer and delete?",
                "µs",
                by_clients(levels, |cycles| cycles.cpu_us),
                [std::slice::from_ref(&what), notes].concat(),
            ),
            offers(levels, "ng-offer-p50", "half of all offers", notes, |of| {
                of.p50_ms
            }),
            offers(levels, "ng-offer-p99", "99 of 100 offers", notes, |of| {
                of.p99_ms
            }),
            offers(
                levels,
                "ng-offer-max",
                "the longest offer of a round",
                notes,
                |of| of.longest_ms,
            ),
        ],
        figures: figures(levels),
    }
}

fn figures(levels: &[Level]) -> Vec<Figure> {
    let mut figures = Vec::new();
    for level in levels {
        let [ours, theirs] = &level.relays;
        let kinds = [
            (
                "16-clients",
                "16 clients",
                [&ours.many_clients, &theirs.many_clients],
            ),
            (
                "1-client",
                "1 client",
                [&ours.one_client, &theirs.one_client],
            ),
        ];
        for (id, clients, cycles) in kinds {
            let [ours, theirs] = cycles.map(|cycles| spread(cycles, |cycles| cycles.cpu_us));
            let (id, what, target) = match level.calls {
                0 => (format!("ng-cpu-{id}"), String::new(), Some(CPU)),
                up => (
                    format!("ng-cpu-{id}-{up}"),
                    format!(", {} calls up", thousands(up)),
                    None,
                ),
            };
            figures.push(Figure {
                id,
                what: format!("CPU per ng cycle against rtpengine, {clients}{what}"),
                unit: "x".to_owned(),
                value: ours.over(&theirs),
                target,
            });
        }
    }
    for level in levels.iter().filter(|level| level.calls > 0) {
        let [ours, _] = &level.relays;
        figures.push(Figure {
            id: format!("ng-offer-p99-{}", level.calls),
            what: format!("p99 of an offer, {} calls up", thousands(level.calls)),
            unit: "ms".to_owned(),
            value: spread(&ours.offers, |of| of.p99_ms),
            target: (level.calls <= 1000).then_some(OFFER_P99_MS),
        });
    }
    figures
}

fn by_clients(levels: &[Level], value: fn(&Cycles) -> f64) -> Vec<Series> {
    let mut all = Vec::new();
    for (index, name) in NAMES.iter().enumerate() {
        let one = |level: &Level| spread(&level.relays[index].one_client, value);
        let many = |level: &Level| spread(&level.relays[index].many_clients, value);
        all.push(series(format!("{name}, 1 client"), levels, one));
        all.push(series(format!("{name}, {CLIENTS} clients"), levels, many));
    }
    all
}

fn offers(
    levels: &[Level],
    id: &str,
    which: &str,
    notes: &[String],
    value: fn(&Offers) -> f64,
) -> Question {
    let of = |index: usize| move |level: &Level| spread(&level.relays[index].offers, value);
    let all = NAMES.iter().enumerate();
    let all = all.map(|(index, name)| series((*name).to_owned(), levels, of(index)));
    question(
        id,
        &format!("How long does an offer take: {which}?"),
        "ms",
        all.collect(),
        notes.to_vec(),
    )
}

fn series(name: String, levels: &[Level], value: impl Fn(&Level) -> Spread) -> Series {
    let point = |level: &Level| Point {
        at: level.calls as f64,
        value: value(level),
    };
    let points = levels.iter().map(point).collect();
    Series { name, points }
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
        axis: "calls up".to_owned(),
        series,
        notes,
    }
}

fn spread<T>(samples: &[T], value: impl Fn(&T) -> f64) -> Spread {
    Spread::of(samples.iter().map(value).collect())
}

/// 10,000 as people write it.
fn thousands(number: usize) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", number / 1000, number % 1000),
    }
}
