//! Being the node's agent: from a configuration to the exit.

use crate::agent::{Agent, AgentConfig as Wanted};
use crate::config::{AgentConfig, Loaded};
use crate::ops::daemon::Background;
use crate::ops::pidfile::PidFile;
use crate::ops::{logging, notify};

use super::{RunError, system};

/// Runs the agent until SIGINT or SIGTERM. What it has attached stays, and forwards on.
///
/// # Errors
/// Whatever keeps it from starting.
pub fn run_agent(loaded: Loaded<AgentConfig>, background: Background) -> Result<(), RunError> {
    let config = loaded.config;
    let (_, destination) = logging::start(&config.process)?;
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let wanted = Wanted {
        registry: config.registry,
        bpffs: config.bpffs,
        lease: config.table_lease,
        policy: config.policy,
        uplinks: config.uplinks,
    };
    let agent = Agent::listen(&config.socket, &wanted)?;
    let _pidfile = config
        .process
        .pidfile
        .as_deref()
        .and_then(PidFile::write_or_warn);
    background
        .ready(destination)
        .map_err(system("cannot go into the background"))?;
    if let Err(error) = notify::ready() {
        tracing::warn!("cannot tell systemd that the agent is ready: {error}");
    }
    tracing::info!("serving at {}", config.socket.display());
    agent.serve().map_err(system("cannot wait for signals"))?;
    tracing::info!("stopping; what is attached stays");
    // Nobody is left to tell if this fails.
    let _ = notify::stopping();
    Ok(())
}
