//! Workspace tasks: `cargo xtask setup | run | demo | test | vm | bench`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task talks to who runs it"
)]

mod bench;
mod build;
mod counts;
mod demo;
mod run;
mod setup;
mod shell;
mod test;
mod vm;

use std::ffi::OsString;
use std::process::ExitCode;

use lexopt::prelude::*;

const HELP: &str = "\
cargo xtask TASK

  setup              install what is missing to build and to test
  run [-- OPTIONS]   build the relay and start it; OPTIONS are its own (see -- --help)
  demo [--json]      a SIP call through Kamailio in throw-away networks, and an account of it
  test [-- OPTIONS]  every test there is; OPTIONS go to cargo test
  vm [--kernel 6.1|6.12] [--suite NAME] [--json] [-- TEST...]
                     the tests that depend on the kernel, on Debian's kernels under emulation
  bench [-- OPTIONS] measure against the peers and the limit
";

fn main() -> ExitCode {
    match dispatch() {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("error: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> anyhow::Result<ExitCode> {
    let mut parser = lexopt::Parser::from_env();
    let task = match parser.next()? {
        Some(Value(task)) => task.string()?,
        Some(Long("help") | Short('h')) | None => {
            print!("{HELP}");
            return Ok(ExitCode::SUCCESS);
        }
        Some(other) => return Err(other.unexpected().into()),
    };
    let arguments: Vec<OsString> = parser.raw_args()?.collect();
    match task.as_str() {
        "setup" => setup::run(),
        "run" => run::run(&after_dashes(arguments)),
        "demo" => demo::run(arguments),
        "test" => test::run(&after_dashes(arguments)),
        "vm" => vm::run(arguments),
        "bench" => bench::run(&after_dashes(arguments)),
        _ => anyhow::bail!("no task is called {task}\n\n{HELP}"),
    }
}

/// What is passed on to another program, with or without the `--` before it.
fn after_dashes(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if arguments.first().is_some_and(|first| first == "--") {
        arguments.remove(0);
    }
    arguments
}
