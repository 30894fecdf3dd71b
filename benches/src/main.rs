//! `cargo xtask bench`: measures, prints tables, and writes JSON.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool"
)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use benches::{Results, ng, path, program_cost, table, targets, vm};

const HELP: &str = "\
cargo xtask bench [-- [program] [path] [ng] [vm] [--kernel SERIES] [--flows N] [--rate PPS] [--rounds N]
                     [--json FILE]]

program   what the kernel program costs per packet
path      processor time per relayed packet: kernel, null engine, rtpengine, plain routing, the bare program
ng        cycles of offer, answer and delete against rtpengine
vm        instructions per relayed frame on Debian's kernel (6.1, or --kernel 6.12) in an emulated machine; only when named
Without a name: the first three. --json FILE: the figures for programs (default target/bench.json).";

struct Arguments {
    sections: Vec<String>,
    flows: usize,
    rate: u64,
    rounds: usize,
    json: PathBuf,
    kernel: vm::Kernel,
}

fn main() -> Result<()> {
    if vm::guest::is_guest() {
        return vm::guest::run();
    }
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
    }
    if asked("path") {
        let plan = path::Plan {
            flows: arguments.flows,
            rate: arguments.rate,
            rounds: arguments.rounds,
            window: Duration::from_secs(2),
        };
        results.path = path::measure(plan, &mut progress)?;
        results.targets.extend(targets::of_path(&results.path));
    }
    if asked("ng") {
        results.ng = ng::measure(arguments.rounds, 2000, &mut progress)?;
        results.targets.extend(targets::of_ng(&results.ng));
    }
    if arguments.sections.iter().any(|section| section == "vm") {
        let plan = vm::Plan {
            kernel: arguments.kernel,
            rounds: arguments.rounds,
            ..vm::Plan::default()
        };
        results.vm = vm::measure(&plan, &mut progress)?;
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
        flows: 100,
        rate: 40_000,
        rounds: 5,
        json: PathBuf::from("target/bench.json"),
        kernel: vm::Kernel::V6_1,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .with_context(|| format!("{word} needs a value"))
        };
        match word.as_str() {
            "program" | "path" | "ng" | "vm" => arguments.sections.push(word),
            "--vm" => arguments.sections.push("vm".to_owned()),
            "--kernel" => arguments.kernel = value()?.parse().map_err(anyhow::Error::msg)?,
            "--flows" => arguments.flows = value()?.parse()?,
            "--rate" => arguments.rate = value()?.parse()?,
            "--rounds" => arguments.rounds = value()?.parse()?,
            "--json" => arguments.json = value()?.into(),
            "--help" | "-h" => return Ok(None),
            other => bail!("unknown word {other}\n{HELP}"),
        }
    }
    Ok(Some(arguments))
}
