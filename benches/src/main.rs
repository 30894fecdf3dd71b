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
use benches::{Results, bare_relay, ng, path, program_cost, table, targets, userspace};

const HELP: &str = "\
cargo xtask bench [-- [program] [path] [ng] [user-space] [--flows N] [--rate PPS] [--rounds N] [--json FILE] [--other FILE]]

program   what the kernel program costs per packet
path      processor time per relayed packet: kernel, null engine, rtpengine, plain routing, the bare program
ng        cycles of offer, answer and delete against rtpengine
user-space  a relay's own time per packet in user space, 100 and 1,000 flows; --other FILE: against another underpass, too
Without a name: the first three. --json FILE: the figures for programs (default target/bench.json).";

struct Arguments {
    sections: Vec<String>,
    flows: usize,
    rate: u64,
    rounds: usize,
    json: PathBuf,
    other: Option<PathBuf>,
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, way, flows] = &words[..]
        && word == "bare-relay"
    {
        return bare_relay::run(way, flows.parse()?);
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
        results
            .targets
            .extend(targets::of_program(&results.program));
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
    if arguments.sections.iter().any(|name| name == "user-space") {
        let plan = userspace::Plan {
            flows: vec![100, 1000],
            rate: arguments.rate,
            gather: 8,
            // Short windows, and many of them.
            rounds: 10 * arguments.rounds,
            window: Duration::from_millis(100),
            other: arguments.other.clone(),
        };
        results.user_space = userspace::measure(&plan, &mut progress)?;
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
        other: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .with_context(|| format!("{word} needs a value"))
        };
        match word.as_str() {
            "program" | "path" | "ng" | "user-space" => arguments.sections.push(word),
            "--flows" => arguments.flows = value()?.parse()?,
            "--rate" => arguments.rate = value()?.parse()?,
            "--rounds" => arguments.rounds = value()?.parse()?,
            "--other" => arguments.other = Some(value()?.into()),
            "--json" => arguments.json = value()?.into(),
            "--help" | "-h" => return Ok(None),
            other => bail!("unknown word {other}\n{HELP}"),
        }
    }
    Ok(Some(arguments))
}
