//! A relay's side of the claim protocol.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use super::protocol::{Claim, FromAgent, Granted, Refused, ToAgent};

pub use super::choice::{AgentChoice, SOCKET};

/// How a claim is made.
#[derive(Clone, Debug)]
pub struct ClaimConfig {
    /// Which agent.
    pub agent: AgentChoice,
    /// The lease that an embedded agent grants.
    pub lease: Duration,
    /// bpffs, for an embedded agent.
    pub bpffs: PathBuf,
    /// Where the node's tables are registered, for an embedded agent.
    pub registry: PathBuf,
    /// What is asked for.
    pub claim: Claim,
}

/// A table that this process holds. Dropping it without [`ToAgent::Release`] leaves it to its lease.
#[derive(Debug)]
pub struct Table {
    /// What was granted.
    pub granted: Granted,
    /// Its maps.
    pub maps: TableMaps,
    /// The maps of the generation before, to be read.
    pub previous: Option<TableMaps>,
    /// Route sockets at the node: to ask, and to hear of changes.
    pub node_sockets: Option<(OwnedFd, OwnedFd)>,
    /// The line to the agent.
    pub connection: Connection,
}

/// Descriptors of the maps that a relay itself reads and writes.
#[derive(Debug)]
pub struct TableMaps {
    /// HEADER.
    pub header: OwnedFd,
    /// PORTS.
    pub ports: OwnedFd,
    /// RECORDS.
    pub records: OwnedFd,
    /// OUTCOMES; `None` of a generation before.
    pub outcomes: Option<OwnedFd>,
}

/// The line to the agent, with what it takes to find it again. Nothing here blocks but [`claim`].
#[derive(Debug)]
pub struct Connection {
    socket: Option<OwnedFd>,
}

impl Connection {
    /// What to wait for; `None` while the agent is away.
    #[must_use]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Says something. While the agent is away, or does not read, it is lost; nothing that may be said here must not be.
    pub fn send(&mut self, _message: &ToAgent) {}

    /// What the agent has said since; `None`: nothing (more). A lost connection is noticed here, and then kept trying for
    /// by [`Self::keep`].
    pub fn receive(&mut self) -> Option<FromAgent> {
        None
    }

    /// Tries to find a lost agent, or its successor, again; due about once a second. True: it has just been found, and
    /// [`Self::receive`] will tell how things stand.
    pub fn keep(&mut self) -> bool {
        false
    }
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum ClaimFailed {
    /// The agent says no.
    #[error("{}", .0.text)]
    Refused(Refused),
    /// There is no agent to be had.
    #[error("no agent at {path}: {source}; start `underpass agent`, or use agent = embedded")]
    NoAgent {
        /// Where it should be.
        path: PathBuf,
        /// What is there instead.
        source: io::Error,
    },
    /// It does not answer, or talks nonsense.
    #[error("the agent at {path} {what}")]
    Unusable {
        /// Where it is.
        path: PathBuf,
        /// What it does.
        what: String,
    },
}

/// Claims a table; `None` if none was asked for. Takes a few seconds at most, whatever the agent does.
///
/// # Errors
/// [`ClaimFailed`].
pub fn claim(_config: &ClaimConfig) -> Result<Option<Table>, ClaimFailed> {
    Ok(None)
}
