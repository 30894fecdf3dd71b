//! `cargo xtask bench`: measures, prints tables, draws plots, writes JSON, and compares with what was recorded.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool"
)]

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use benches::arguments::{Arguments, Then, help};
use benches::machine::{self, Machine};
use benches::results::{NamedSection, Results};
use benches::run::Run;
use benches::sections::{self, Entry};
use benches::{bare_relay, check, page, record, table, vm};

fn main() -> ExitCode {
    if vm::guest::is_guest() {
        return told(vm::guest::run().map(|()| true));
    }
    let words: Vec<String> = std::env::args().collect();
    if let [_, mode, way, flows] = &words[..]
        && mode == bare_relay::MODE
    {
        let flows = flows.parse().context("a number of flows");
        let relayed = flows.and_then(|flows| bare_relay::run(way, flows));
        return told(relayed.map(|()| true));
    }
    told(bench())
}

fn told(result: Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all was measured, and nothing got worse that was to be checked.
fn bench() -> Result<bool> {
    let Some(arguments) = Arguments::parse(std::env::args_os().skip(1))? else {
        print!("{}", help());
        return Ok(true);
    };
    let entries = sections::chosen(&arguments.sections)?;
    machine::refuse()?;
    if arguments.then == Then::Check {
        // What is damaged is told before anything is measured.
        for entry in &entries {
            record::read(Path::new(record::DIRECTORY), entry.name)?;
        }
    }
    let run = Run::start(arguments.effort);
    for warning in machine::warnings() {
        run.say(&format!("warning: {warning}"));
    }
    let (measured, failed) = run.all(&entries);
    let results = Results {
        machine: Machine::this(),
        plan: arguments.effort.text(),
        sections: measured,
    };
    println!("{}", table::text(&results));
    write_json(&arguments.json, &results)?;
    let index = page::write(&arguments.plots, &results)?;
    run.say(&format!(
        "figures in {}, plots in {}",
        arguments.json.display(),
        index.display()
    ));
    let held = match arguments.then {
        Then::Show => true,
        Then::Record => keep(&run, &results)?,
        Then::Check => compare(&run, &entries, &results)?,
    };
    if failed > 0 {
        run.say(&format!(
            "{failed} of {} sections failed, see above",
            entries.len()
        ));
    }
    Ok(held && failed == 0)
}

fn write_json(file: &Path, results: &Results) -> Result<()> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(file, serde_json::to_vec_pretty(results)?)
        .with_context(|| format!("cannot write {}", file.display()))
}

fn keep(run: &Run, results: &Results) -> Result<bool> {
    for named in &results.sections {
        let file = record::write(Path::new(record::DIRECTORY), results, named)?;
        run.say(&format!("recorded in {}", file.display()));
    }
    Ok(true)
}

/// Whether no ratio got worse.
fn compare(run: &Run, entries: &[&Entry], results: &Results) -> Result<bool> {
    println!("Ratios against the recorded ones");
    let mut worse = 0;
    for named in &results.sections {
        worse += compare_section(run, entries, results, named)?;
    }
    if worse > 0 {
        println!("{worse} got worse: measure again on a quiet machine, or find out why");
    }
    Ok(worse == 0)
}

/// How many of a section's got worse.
fn compare_section(
    run: &Run,
    entries: &[&Entry],
    results: &Results,
    named: &NamedSection,
) -> Result<usize> {
    let record = record::read(Path::new(record::DIRECTORY), &named.name)?;
    let place = entries.iter().find(|entry| entry.name == named.name);
    let settled = check::settle(record.as_ref(), &named.section, |worse| {
        let entry = place.context("a section that was measured is in the table")?;
        run.say(&format!("once more, since worse: {worse}"));
        run.section(entry, "again")
    })?;
    let of = match &record {
        None => format!(
            "never recorded: cargo xtask bench -- {} --record",
            named.name
        ),
        Some(record) if record.machine.is_like(&results.machine) => record.machine.text(),
        Some(record) => format!("another machine's: {}", record.machine.text()),
    };
    println!("\n{} ({of})\n{}", named.name, check::text(&settled));
    Ok(settled.iter().filter(|one| one.is_worse()).count())
}
