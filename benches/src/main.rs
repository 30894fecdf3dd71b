//! `cargo xtask bench`: measures, prints tables, and writes JSON.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool"
)]

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use benches::{Results, latency, ng, path, program_cost, table, targets};

const HELP: &str = "\
cargo xtask bench [-- [program] [path] [latency] [ng] [--quick | --full] [--rounds N] [--json FILE]]

program   what the kernel program costs per packet
path      processor time per relayed packet: kernel, null engine, rtpengine, plain routing, the bare program
latency   what a relay adds to the time that a packet takes
ng        cycles of offer, answer and delete against rtpengine
Without a name: all. --json FILE: the figures for programs (default target/bench.json).";

struct Arguments {
    sections: Vec<String>,
    extent: Extent,
    rounds: usize,
    json: PathBuf,
}

enum Extent {
    Quick,
    Usual,
    Full,
}

fn main() -> Result<()> {
    let Some(arguments) = arguments()? else {
        println!("{HELP}");
        return Ok(());
    };
    let asked =
        |name: &str| arguments.sections.is_empty() || arguments.sections.iter().any(|s| s == name);
    let mut progress = |what: &str| eprintln!("bench: {what}");
    let mut results = Results::default();
    if asked("program") {
        results.program = program_cost::measure(&mut progress)?;
        results
            .targets
            .extend(targets::of_program(&results.program));
    }
    if asked("path") {
        let plan = match arguments.extent {
            Extent::Quick => path::Plan::quick(),
            Extent::Usual => path::Plan::default(),
            Extent::Full => path::Plan::full(),
        };
        results.path = path::measure(&plan, &mut progress)?;
    }
    if asked("latency") {
        let plan = match arguments.extent {
            Extent::Quick => latency::Plan::quick(),
            Extent::Usual => latency::Plan::default(),
            Extent::Full => latency::Plan::full(),
        };
        results.latency = latency::measure(&plan, &mut progress)?;
    }
    if asked("ng") {
        results.ng = ng::measure(arguments.rounds, 2000, &mut progress)?;
        results.targets.extend(targets::of_ng(&results.ng));
    }
    println!("{}", table::text(&results));
    if let Some(directory) = arguments.json.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(&arguments.json, serde_json::to_vec_pretty(&results)?)
        .with_context(|| format!("cannot write {}", arguments.json.display()))?;
    eprintln!("bench: figures in {}", arguments.json.display());
    Ok(())
}

fn arguments() -> Result<Option<Arguments>> {
    let mut arguments = Arguments {
        sections: Vec::new(),
        extent: Extent::Usual,
        rounds: 5,
        json: PathBuf::from("target/bench.json"),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .with_context(|| format!("{word} needs a value"))
        };
        match word.as_str() {
            "program" | "path" | "latency" | "ng" => arguments.sections.push(word),
            "--quick" => arguments.extent = Extent::Quick,
            "--full" => arguments.extent = Extent::Full,
            "--rounds" => arguments.rounds = value()?.parse()?,
            "--json" => arguments.json = value()?.into(),
            "--help" | "-h" => return Ok(None),
            other => bail!("unknown word {other}\n{HELP}"),
        }
    }
    Ok(Some(arguments))
}
