//! The `underpass` binary.

#[cfg(feature = "kernel")]
mod node;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::anyhow;
use underpass::config::{self, Command, CommandLine, ConfigError, Loaded, ThisMachine};
use underpass::ops::daemon::{self, Role};

/// Calls are many small values that one thread makes and another drops; glibc's allocator costs a command a sixth more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The command line, the environment or a file is wrong.
const USAGE: u8 = 2;
/// The machine is in the way.
const RUNTIME: u8 = 1;

fn main() -> ExitCode {
    let outcome = execute();
    let error = match outcome {
        Ok(code) => return code,
        Err(error) => error,
    };
    // Each error says it all in one line, its sources included. If stderr is gone, nobody listens.
    let _ = writeln!(io::stderr(), "underpass: {error}");
    let usage = error.downcast_ref::<ConfigError>().is_some();
    ExitCode::from(if usage { USAGE } else { RUNTIME })
}

fn execute() -> anyhow::Result<ExitCode> {
    let command_line = config::parse(std::env::args_os().skip(1))?;
    match command_line.command {
        Command::Run => return run(load(&command_line)?),
        Command::Config { json: false } => print(&config::text(&load(&command_line)?))?,
        Command::Config { json: true } => {
            print(&format!("{:#}\n", config::json(&load(&command_line)?)))?;
        }
        Command::Agent
        | Command::Tables { .. }
        | Command::Release { .. }
        | Command::Doctor { .. } => return node(&command_line),
        Command::Version => print(&config::version())?,
        Command::Help(topic) => print(&config::help(topic))?,
        Command::NothingToDo(option) => print(&format!("--{option}: nothing to do\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn run(loaded: Loaded) -> anyhow::Result<ExitCode> {
    match daemon::start(loaded.config.process.foreground)? {
        Role::Launcher(status) => Ok(ExitCode::from(status)),
        Role::Relay(background) => {
            underpass::run(loaded, background)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[cfg(feature = "kernel")]
fn node(command_line: &CommandLine) -> anyhow::Result<ExitCode> {
    node::execute(command_line)
}

#[cfg(not(feature = "kernel"))]
fn node(_command_line: &CommandLine) -> anyhow::Result<ExitCode> {
    Err(anyhow!(
        "this build has no kernel engines: it knows no tables and no agent, and forwards in user space"
    ))
}

fn load(command_line: &CommandLine) -> Result<Loaded, ConfigError> {
    config::load(command_line, variables(), &ThisMachine)
}

/// Options are text; a variable that is not is none of ours.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn print(text: &str) -> anyhow::Result<()> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| anyhow!("cannot write to stdout: {error}"))
}
