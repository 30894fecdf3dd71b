//! How calls are spread over the media workers of a large machine, by the relay's own choice.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use underpass::media::shard::worker_of;
use underpass::plan::CallKey;

use super::balance::fullest;
use crate::effort::Effort;
use crate::results::{Figure, Point, Question, Series};
use crate::spread::Spread;

const WORKERS: usize = 64;
const CALLS: [usize; 4] = [64, 640, 6_400, 64_000];
/// Where the figure is read.
const READ_AT: usize = 6_400;

/// Which calls are up.
#[derive(Clone, Copy)]
enum Up {
    /// As they came.
    All,
    /// One in a hundred is left, by chance: long calls of a long day.
    FewLeft,
    /// Every second: an even share of other keys went to calls that failed.
    EverySecond,
}

/// The fullest of 64 workers against the mean, by calls up.
pub(super) fn question(effort: Effort) -> Question {
    let mut random = SmallRng::seed_from_u64(64);
    let cases = [
        ("calls as they came", Up::All),
        ("one in a hundred left", Up::FewLeft),
        ("every second left", Up::EverySecond),
    ];
    let mut series: Vec<Series> = cases
        .into_iter()
        .map(|(name, up)| {
            let workers = |count: usize, random: &mut SmallRng| {
                fullest(
                    WORKERS,
                    keys(up, count, random).map(|key| worker_of(key, WORKERS)),
                )
            };
            line(name, effort, &mut random, workers)
        })
        .collect();
    series.push(line(
        "any call to any worker by chance",
        effort,
        &mut random,
        |count, random| fullest(WORKERS, (0..count).map(|_| random.random_range(0..WORKERS))),
    ));
    Question {
        id: "cores-workers".to_owned(),
        title: "How full is the fullest of 64 media workers, against the mean?".to_owned(),
        unit: "x".to_owned(),
        axis: "calls up".to_owned(),
        series,
        notes: vec![
            "The relay's own choice of the worker, by the number a call gets when it comes; 1 is even.".to_owned(),
        ],
    }
}

/// The case that is not even by construction, with enough calls that chance does not rule.
pub(super) fn figure(question: &Question) -> Option<Figure> {
    let value = question.series.get(1)?.at(READ_AT as f64)?.clone();
    Some(Figure {
        id: "workers-fullest".to_owned(),
        what: "fullest of 64 workers against the mean, 6,400 long calls".to_owned(),
        unit: "x".to_owned(),
        value,
        target: Some(1.5),
    })
}

fn line(
    name: &str,
    effort: Effort,
    random: &mut SmallRng,
    fullest: impl Fn(usize, &mut SmallRng) -> f64,
) -> Series {
    let points = CALLS.map(|count| Point {
        at: count as f64,
        value: Spread::of((0..effort.rounds).map(|_| fullest(count, random)).collect()),
    });
    Series {
        name: name.to_owned(),
        points: points.into(),
    }
}

/// `count` calls that are up; the first number differs from sample to sample.
fn keys(up: Up, count: usize, random: &mut SmallRng) -> impl Iterator<Item = CallKey> {
    let mut next = random.random_range(0..1_000_000u64);
    (0..count).map(move |_| {
        next += match up {
            Up::All => 1,
            Up::FewLeft => random.random_range(1..200),
            Up::EverySecond => 2,
        };
        CallKey(next)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effort::Depth;

    #[test]
    fn the_relays_own_choice_is_no_worse_than_chance() {
        let question = question(Effort::new(Depth::Quick, None));
        let chance = question.series.last().unwrap();
        for series in &question.series {
            for point in &series.points {
                let by_chance = chance.at(point.at).unwrap().max;
                let own = point.value.median;
                assert!(
                    own <= by_chance * 1.1,
                    "{} at {}: {own}",
                    series.name,
                    point.at
                );
            }
        }
    }

    #[test]
    fn the_figure_is_read_where_it_says() {
        assert!(figure(&question(Effort::new(Depth::Quick, None))).is_some());
    }
}
