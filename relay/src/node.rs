//! The commands about a node: its agent, its tables, its health.

use std::path::Path;
use std::process::ExitCode;

use anyhow::anyhow;
use underpass::config::{self, Command, CommandLine, ConfigError, ThisMachine};
use underpass::ops::daemon::{self, Role};
use underpass::ops::doctor::{self, Wanted};
use underpass::tables::client::{ClaimFailed, Operator};
use underpass::tables::{self, AgentChoice, SOCKET};

use crate::{RUNTIME, load, print, variables};

/// Does what the command line says of a node.
pub(crate) fn execute(command_line: &CommandLine) -> anyhow::Result<ExitCode> {
    match command_line.command {
        Command::Agent => return agent(command_line),
        Command::Tables { json } => print(&list_tables(command_line, json)?)?,
        Command::Release { table, force } => print(&release(command_line, table, force)?)?,
        Command::Doctor { json } => return doctor(command_line, json),
        _ => return Err(anyhow!("no command of a node")),
    }
    Ok(ExitCode::SUCCESS)
}

fn list_tables(command_line: &CommandLine, json: bool) -> anyhow::Result<String> {
    let tables = operator(command_line)?.list().map_err(as_operator)?;
    Ok(if json {
        tables::json(&tables) + "\n"
    } else {
        tables::human(&tables)
    })
}

fn release(command_line: &CommandLine, table: u32, force: bool) -> anyhow::Result<String> {
    operator(command_line)?
        .free(table, force)
        .map_err(as_operator)?;
    Ok(format!("table {table} is free\n"))
}

fn operator(command_line: &CommandLine) -> Result<Operator, ConfigError> {
    let config = config::load_tables(command_line, variables(), &ThisMachine)?.config;
    // A relay that wants no agent says nothing about the others of the node. And an agent that is only gone for a moment
    // may have uplinks, which one in this process would not know of.
    let agent = match config.agent {
        AgentChoice::None | AgentChoice::Auto if Path::new(SOCKET).exists() => {
            AgentChoice::At(SOCKET.into())
        }
        AgentChoice::None => AgentChoice::Auto,
        agent => agent,
    };
    Ok(Operator {
        agent,
        bpffs: config.bpffs,
        registry: config.registry,
    })
}

fn as_operator(error: ClaimFailed) -> anyhow::Error {
    match error {
        ClaimFailed::NoAgent { path, source } => anyhow!(
            "no agent at {}: {source}; start it, or, where relays are their own, use --agent=embedded as root",
            path.display()
        ),
        other => other.into(),
    }
}

fn agent(command_line: &CommandLine) -> anyhow::Result<ExitCode> {
    let loaded = config::load_agent(command_line, variables(), &ThisMachine)?;
    match daemon::start(loaded.config.process.foreground)? {
        Role::Launcher(status) => Ok(ExitCode::from(status)),
        Role::Relay(background) => {
            underpass::ops::agent::run(loaded, background)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A configuration that is wrong is a finding among others here.
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
