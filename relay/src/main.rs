//! The `underpass` binary.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::anyhow;
use underpass::config::{
    self, Command, CommandLine, ConfigError, Loaded, TablesConfig, ThisMachine,
};
use underpass::ops::daemon::{self, Role};
#[cfg(feature = "kernel")]
use underpass::ops::doctor::{self, Wanted};
use underpass::ops::node;
use underpass::tables;
#[cfg(feature = "kernel")]
use underpass::tables::client::Operator;

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
        Command::Tables { json } => print(&list_tables(&command_line, json)?)?,
        Command::Doctor { json } => return doctor(&command_line, json),
        Command::Agent => return agent(&command_line),
        Command::Release { table, force } => release(&command_line, table, force)?,
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
fn agent(command_line: &CommandLine) -> anyhow::Result<ExitCode> {
    let loaded = config::load_agent(command_line, variables(), &ThisMachine)?;
    match daemon::start(loaded.config.process.foreground)? {
        Role::Launcher(status) => Ok(ExitCode::from(status)),
        Role::Relay(background) => {
            underpass::run_agent(loaded, background)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[cfg(feature = "kernel")]
fn release(command_line: &CommandLine, table: u32, force: bool) -> anyhow::Result<()> {
    let config = config::load_tables(command_line, variables(), &ThisMachine)?.config;
    operator(config).free(table, force)?;
    print(&format!("table {table} is free\n"))
}

#[cfg(feature = "kernel")]
fn operator(config: TablesConfig) -> Operator {
    Operator {
        agent: config.agent,
        bpffs: config.bpffs,
        registry: config.registry,
    }
}

fn list_tables(command_line: &CommandLine, json: bool) -> anyhow::Result<String> {
    let config = config::load_tables(command_line, variables(), &ThisMachine)?.config;
    let tables = node::tables(&config)?;
    Ok(if json {
        tables::json(&tables) + "\n"
    } else {
        tables::human(&tables)
    })
}

/// A configuration that is wrong is a finding among others here.
#[cfg(feature = "kernel")]
fn doctor(command_line: &CommandLine, json: bool) -> anyhow::Result<ExitCode> {
    let (wanted, problem) = match load(command_line) {
        Ok(loaded) => {
            let uplinks = loaded.settings.get("uplink");
            let uplinks = uplinks.map_or_else(Vec::new, |uplinks| {
                uplinks
                    .values
                    .iter()
                    .map(|given| given.text.clone())
                    .collect()
            });
            (Wanted::by(&loaded.config, uplinks), None)
        }
        Err(error) => (Wanted::unknown(), Some(error.to_string())),
    };
    let findings = doctor::examine(&doctor::look(wanted, problem));
    print(&if json {
        doctor::json(&findings)
    } else {
        doctor::human(&findings)
    })?;
    let healthy = doctor::is_healthy(&findings);
    Ok(ExitCode::from(if healthy { 0 } else { RUNTIME }))
}

#[cfg(not(feature = "kernel"))]
fn doctor(_command_line: &CommandLine, _json: bool) -> anyhow::Result<ExitCode> {
    Err(anyhow!(
        "this build has no kernel engines: it forwards in user space, whatever the machine"
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
