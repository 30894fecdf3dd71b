//! Being the node's agent: from a configuration to the exit.

use std::io;

use super::daemon::Background;
use super::pidfile::PidFile;
use super::{limits, logging, notify};
use crate::agent::{self, Agent, AgentError};
use crate::config::{AgentConfig, Loaded};

/// Why the agent stopped, or never started.
#[derive(Debug, thiserror::Error)]
pub enum AgentRunError {
    /// It can't be an agent here.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// Logging is taken already.
    #[error("logging cannot be started: {0}")]
    Logging(#[from] tracing_subscriber::util::TryInitError),
    /// The kernel refused something that everything stands on.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// Runs the agent until SIGINT or SIGTERM. What it has attached stays, and forwards on.
///
/// # Errors
/// Whatever keeps it from starting, or from going on.
pub fn run(loaded: Loaded<AgentConfig>, background: Background) -> Result<(), AgentRunError> {
    let config = loaded.config;
    let (_, destination) = logging::start(&config.process)?;
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    if let Err(error) = limits::raise_open_files() {
        tracing::warn!("the limit of open files cannot be raised: {error}");
    }
    let agent = Agent::listen(
        &config.socket,
        &agent::AgentConfig {
            registry: config.registry,
            bpffs: config.bpffs,
            lease: config.table_lease,
            policy: config.policy,
            uplinks: config.uplinks,
        },
    )?;
    tracing::info!("tables are granted at {}", config.socket.display());
    let pidfile = config.process.pidfile.as_deref();
    let _pidfile = pidfile.and_then(PidFile::write_or_warn);
    background
        .ready(destination)
        .map_err(system("cannot go into the background"))?;
    if let Err(error) = notify::ready() {
        tracing::warn!("cannot tell systemd that the agent is ready: {error}");
    }
    agent.serve().map_err(system("cannot take over signals"))?;
    tracing::info!("stopping; tables forward on");
    // Nobody is left to tell if this fails.
    let _ = notify::stopping();
    Ok(())
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> AgentRunError {
    move |source| AgentRunError::System { what, source }
}
