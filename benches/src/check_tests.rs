use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::*;
use crate::machine::Machine;
use crate::shift::RATE;
use crate::shift::tests::normal;
use crate::spread::Spread;

fn figure(id: &str, unit: &str, samples: Vec<f64>) -> Figure {
    Figure {
        id: id.to_owned(),
        what: id.to_owned(),
        unit: unit.to_owned(),
        value: Spread::of(samples),
        target: None,
    }
}

fn record(figures: Vec<Figure>) -> Record {
    Record {
        machine: Machine::default(),
        plan: "usual".to_owned(),
        figures,
    }
}

fn section(figures: Vec<Figure>) -> Section {
    Section {
        questions: Vec::new(),
        figures,
    }
}

fn verdict(then: &[f64], now: &[f64]) -> Verdict {
    let record = record(vec![figure("cost", "x", then.to_vec())]);
    compare(
        Some(&record),
        &section(vec![figure("cost", "x", now.to_vec())]),
    )[0]
    .verdict
}

/// A ratio around `mean`, every sample off by some `noise` of it.
fn run(random: &mut SmallRng, mean: f64, noise: f64, samples: usize) -> Vec<f64> {
    let mut off = || noise * normal(random);
    (0..samples).map(|_| mean * (1.0 + off())).collect()
}

const STEADY: [f64; 5] = [1.00, 1.01, 0.99, 1.02, 0.98];

#[test]
fn what_stays_within_the_noise_is_held() {
    assert_eq!(
        verdict(&STEADY, &[1.01, 1.0, 1.03, 0.99, 1.0]),
        Verdict::Held
    );
}

#[test]
fn a_ratio_that_grows_beyond_the_noise_is_worse() {
    assert_eq!(verdict(&STEADY, &STEADY.map(|s| s * 1.3)), Verdict::Worse);
}

#[test]
fn a_ratio_that_shrinks_beyond_the_noise_is_better() {
    assert_eq!(verdict(&STEADY, &STEADY.map(|s| s * 0.7)), Verdict::Better);
}

#[test]
fn a_growth_that_is_certain_and_small_is_held() {
    assert_eq!(verdict(&[1.0; 5], &[1.04; 5]), Verdict::Held);
}

#[test]
fn a_ratio_around_zero_is_judged_by_its_noise_alone() {
    let then = [-0.02, 0.01, 0.0, 0.02, -0.01];
    assert_eq!(verdict(&then, &then.map(|s| s + 0.2)), Verdict::Worse);
    assert_eq!(verdict(&then, &then.map(|s| s + 0.01)), Verdict::Held);
}

#[test]
fn too_few_samples_are_said_and_fail_nothing() {
    assert_eq!(verdict(&STEADY, &[9.0]), Verdict::Untold);
    assert_eq!(verdict(&[1.0; 3], &[9.0; 3]), Verdict::Untold);
    assert_eq!(verdict(&STEADY, &[f64::NAN; 5]), Verdict::Untold);
}

#[test]
fn times_are_never_compared() {
    let record = record(vec![figure("time", "ns", vec![1.0; 5])]);
    let compared = compare(
        Some(&record),
        &section(vec![figure("time", "ns", vec![9.0; 5])]),
    );
    assert!(compared.is_empty());
}

#[test]
fn new_and_missing_figures_are_told_and_fail_nothing() {
    let record = record(vec![figure("old", "x", STEADY.to_vec())]);
    let compared = compare(
        Some(&record),
        &section(vec![figure("new", "x", STEADY.to_vec())]),
    );
    let told: Vec<(&str, Verdict)> = compared.iter().map(|c| (&*c.id, c.verdict)).collect();
    assert_eq!(told, [("new", Verdict::New), ("old", Verdict::Missing)]);
    assert!(!compared.iter().any(Comparison::is_worse));
}

#[test]
fn without_a_record_all_is_new() {
    let compared = compare(None, &section(vec![figure("new", "x", STEADY.to_vec())]));
    assert_eq!(compared[0].verdict, Verdict::New);
}

#[test]
fn what_is_worse_only_once_is_held() {
    let record = record(vec![figure("cost", "x", STEADY.to_vec())]);
    let bad = section(vec![figure("cost", "x", STEADY.map(|s| s * 2.0).to_vec())]);
    let good = section(vec![figure("cost", "x", STEADY.to_vec())]);
    let settled = settle(Some(&record), &bad, |why| {
        assert_eq!(why, "cost");
        Ok(good)
    });
    assert_eq!(settled.unwrap()[0].verdict, Verdict::Held);
}

#[test]
fn what_is_worse_twice_fails() {
    let record = record(vec![figure("cost", "x", STEADY.to_vec())]);
    let bad = section(vec![figure("cost", "x", STEADY.map(|s| s * 2.0).to_vec())]);
    let settled = settle(Some(&record), &bad, |_| Ok(bad.clone())).unwrap();
    assert!(settled[0].is_worse());
}

#[test]
fn a_figure_that_held_is_not_failed_by_the_second_measurement() {
    let then = [
        figure("a", "x", STEADY.to_vec()),
        figure("b", "x", STEADY.to_vec()),
    ];
    let record = record(then.to_vec());
    let worse = STEADY.map(|s| s * 2.0).to_vec();
    let first = section(vec![figure("a", "x", worse.clone()), then[1].clone()]);
    let second = section(vec![then[0].clone(), figure("b", "x", worse)]);
    let settled = settle(Some(&record), &first, |_| Ok(second)).unwrap();
    assert!(!settled.iter().any(Comparison::is_worse));
}

#[test]
fn nothing_is_measured_again_where_nothing_got_worse() {
    let record = record(vec![figure("cost", "x", STEADY.to_vec())]);
    let good = section(vec![figure("cost", "x", STEADY.to_vec())]);
    let settled = settle(Some(&record), &good, |_| unreachable!("nothing to settle"));
    assert_eq!(settled.unwrap().len(), 1);
}

#[test]
fn equal_runs_fail_no_oftener_than_the_stated_rate() {
    let mut random = SmallRng::seed_from_u64(3);
    let failed = (0..10_000)
        .filter(|_| {
            let then = run(&mut random, 1.0, 0.1, 9);
            verdict(&then, &run(&mut random, 1.0, 0.1, 5)) == Verdict::Worse
        })
        .count() as f64;
    assert!(failed / 10_000.0 <= RATE, "{failed} of 10,000");
}

#[test]
fn a_regression_of_thirty_percent_under_ten_percent_noise_is_caught() {
    let mut random = SmallRng::seed_from_u64(4);
    for (then, now, least) in [(9, 9, 0.97), (9, 5, 0.85)] {
        let caught = (0..1000)
            .filter(|_| {
                let before = run(&mut random, 1.0, 0.1, then);
                verdict(&before, &run(&mut random, 1.3, 0.1, now)) == Verdict::Worse
            })
            .count() as f64;
        assert!(
            caught / 1000.0 >= least,
            "{then} and {now}: {caught} of 1,000"
        );
    }
}

#[test]
fn a_line_says_then_now_noise_and_verdict() {
    let record = record(vec![figure("cost", "x", STEADY.to_vec())]);
    let now = section(vec![figure("cost", "x", STEADY.map(|s| s * 1.3).to_vec())]);
    let line = text(&compare(Some(&record), &now));
    assert_eq!(
        line,
        "  cost  recorded   1.00  measured   1.30  noise  0.036  WORSE\n"
    );
}
