//! The node's agent: the one part that needs privilege. It owns programs, links, pins and grants; relays get the
//! descriptors of their tables from it and fill those themselves.
//!
//! It keeps nothing to itself that must outlive it: what tables there are stands in the registry, what they hold in pinned
//! maps, and whether an owner lives in the lock that the owner holds. So any number of agents may follow one another, or
//! live beside one another (a standalone relay embeds one), and find the same.

mod caller;
mod claims;
#[cfg(test)]
mod fake_kernel;
pub(crate) mod kernel;
mod look;
mod node;
mod policy;
mod registry;
mod server;
mod tables;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::time::{ClockId, clock_gettime};

use kernel::{KernelError, NodeKernel};
pub use look::look;
use policy::Policy;
pub use policy::PolicyError;
use registry::Registry;
pub use registry::RegistryError;
pub use server::ListenError;
use server::{Listener, Server};
use tables::NodeTables;

/// What an agent is started with.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// Where the node's tables are registered; the same for all agents of a node.
    pub registry: PathBuf,
    /// bpffs.
    pub bpffs: PathBuf,
    /// How long a table outlives its owner.
    pub lease: Duration,
    /// Who may claim what; `None`: everybody the addresses of its own network namespace.
    pub policy: Option<PathBuf>,
    /// Interfaces of the node through which the relays' own are reached.
    pub uplinks: Vec<String>,
}

/// Why an agent can't start.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its socket.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Its policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The kernel.
    #[error("{0}")]
    Kernel(String),
    /// The system has no thread, socket or signal left for it.
    #[error("the agent can't be started: {0}")]
    System(#[from] io::Error),
}

/// An agent that listens.
pub struct Agent {
    server: Server,
}

impl Agent {
    /// An agent for every relay that comes to `socket`. Tables that agents before it have left are its own from now on.
    ///
    /// # Errors
    /// [`AgentError`]; that another agent listens there is one.
    pub fn listen(socket: &Path, config: &AgentConfig) -> Result<Self, AgentError> {
        // First, so that who may not listen touches nothing.
        let listener = Listener::bind(socket)?;
        let tables = open(config, &|| kernel_of(config))?;
        Ok(Self {
            server: Server::listen(tables, listener),
        })
    }

    /// Serves until SIGTERM or SIGINT. What is attached stays, and forwards on. Call it where no other thread runs that
    /// these signals could go to.
    ///
    /// # Errors
    /// The signals can't be waited for.
    pub fn serve(self) -> io::Result<()> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGTERM);
        signals.add(Signal::SIGINT);
        signals.thread_block()?;
        let stop = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?;
        self.server.run(Some(stop.as_fd()));
        Ok(())
    }

    /// An agent for this process alone: a thread that ends when the returned socket is closed.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn embedded(config: &AgentConfig) -> Result<OwnedFd, AgentError> {
        let own = config.clone();
        embedded_with(config.clone(), move || kernel_of(&own))
    }
}

type NewKernel<'a> = dyn Fn() -> Result<Box<dyn NodeKernel>, KernelError> + 'a;

/// The kernel's part of this node.
fn kernel_of(config: &AgentConfig) -> Result<Box<dyn NodeKernel>, KernelError> {
    node::open(&config.bpffs, &config.uplinks)
}

fn open(config: &AgentConfig, kernel: &NewKernel<'_>) -> Result<NodeTables, AgentError> {
    let policy = match &config.policy {
        Some(path) => Policy::read(path)?,
        None => Policy::default(),
    };
    let registry = Registry::open(&config.registry)?;
    let kernel = kernel().map_err(|error| AgentError::Kernel(error.to_string()))?;
    let clock = Box::new(monotonic_ns);
    Ok(NodeTables::open(
        kernel,
        registry,
        policy,
        config.lease,
        clock,
    )?)
}

/// Waits until the agent has what it needs, so that what is wrong is told to whoever wants it.
fn embedded_with(
    config: AgentConfig,
    kernel: impl Fn() -> Result<Box<dyn NodeKernel>, KernelError> + Send + 'static,
) -> Result<OwnedFd, AgentError> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (near, far) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)
        .map_err(io::Error::from)?;
    let (said, heard) = std::sync::mpsc::sync_channel(1);
    thread::Builder::new()
        .name("agent".to_owned())
        .spawn(move || {
            let server = open(&config, &kernel)
                .and_then(|tables| Server::for_one(tables, far).map_err(AgentError::System));
            let server = match server {
                Ok(server) => server,
                Err(error) => return drop(said.send(Err(error))),
            };
            if said.send(Ok(())).is_ok() {
                server.run(None);
            }
        })?;
    heard
        .recv()
        .map_err(|_| io::Error::other("its thread ended"))??;
    Ok(near)
}

fn monotonic_ns() -> u64 {
    // The clock is always there.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| {
        u64::try_from(now.tv_sec()).unwrap_or_default() * 1_000_000_000
            + u64::try_from(now.tv_nsec()).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests;
