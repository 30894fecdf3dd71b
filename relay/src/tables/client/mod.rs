//! A relay's side of the claim protocol.

mod agent;
mod connection;
mod operator;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

pub use super::choice::{AgentChoice, SOCKET};
use super::protocol::{Claim, FromAgent, Granted, Refused, ToAgent};
use super::{TABLES, TableRequest};
use agent::{Agent, Reach};
pub use connection::Connection;
pub use operator::Operator;

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
    /// The line to the agent. It holds the lock, so the table is this process's for as long as it is there.
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
    /// The one in this process can't start.
    #[error("no agent in this process: {0}")]
    Embedded(String),
}

/// How long an agent may take.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// To accept a connection.
    connect: Duration,
    /// To answer: it may be loading programs.
    answer: Duration,
}

const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(3),
    answer: Duration::from_secs(20),
};

/// Claims a table; `None` if none was asked for. Takes a few seconds at most, 20 with an agent that accepts and is silent.
///
/// # Errors
/// [`ClaimFailed`].
pub fn claim(config: &ClaimConfig) -> Result<Option<Table>, ClaimFailed> {
    claim_within(config, PATIENCE)
}

fn claim_within(config: &ClaimConfig, patience: Patience) -> Result<Option<Table>, ClaimFailed> {
    if config.claim.table == TableRequest::None {
        return Ok(None);
    }
    let reach = Reach {
        lease: config.lease,
        bpffs: config.bpffs.clone(),
        registry: config.registry.clone(),
    };
    let Some((agent, socket)) = Agent::find(&config.agent, &reach, patience.connect)? else {
        return Ok(None);
    };
    claim_from(agent, socket, &config.claim, patience).map(Some)
}

fn claim_from(
    agent: Agent,
    socket: OwnedFd,
    claim: &Claim,
    patience: Patience,
) -> Result<Table, ClaimFailed> {
    let namespace = own_namespace()
        .map_err(|error| agent.unusable(format!("needs /proc/thread-self/ns/net: {error}")))?;
    let asked = ToAgent::Claim(claim.clone());
    let (answer, descriptors) = agent.ask(
        socket.as_fd(),
        &asked,
        &[namespace.as_fd()],
        patience.answer,
    )?;
    match answer {
        FromAgent::Granted(granted) => table(agent, socket, granted, descriptors),
        FromAgent::Refused(refused) => Err(ClaimFailed::Refused(refused)),
        other => Err(agent.out_of_turn(&other)),
    }
}

/// Claims from the agent at the other end.
#[cfg(test)]
pub(crate) fn claim_on(socket: OwnedFd, claim: &Claim) -> Result<Table, ClaimFailed> {
    claim_from(Agent::At(PathBuf::new()), socket, claim, PATIENCE)
}

/// The thread's, which is the process's but in tests.
fn own_namespace() -> io::Result<File> {
    File::open("/proc/thread-self/ns/net")
}

fn table(
    agent: Agent,
    socket: OwnedFd,
    granted: Granted,
    descriptors: Vec<OwnedFd>,
) -> Result<Table, ClaimFailed> {
    if granted.table >= TABLES {
        return Err(agent.unusable(format!(
            "grants table {}, which there is not",
            granted.table
        )));
    }
    let count = descriptors.len();
    let sorted = Sorted::of(&granted, descriptors)
        .ok_or_else(|| agent.unusable(format!("grants a table with {count} descriptors")))?;
    let connection = Connection::new(agent, socket, sorted.lock, &granted);
    Ok(Table {
        granted,
        maps: sorted.maps,
        previous: sorted.previous,
        node_sockets: sorted.node_sockets,
        connection,
    })
}

/// Descriptors, told apart by their order.
struct Sorted {
    maps: TableMaps,
    lock: OwnedFd,
    previous: Option<TableMaps>,
    node_sockets: Option<(OwnedFd, OwnedFd)>,
}

impl Sorted {
    /// `None` if there are not as many as there should be.
    fn of(granted: &Granted, descriptors: Vec<OwnedFd>) -> Option<Self> {
        let mut descriptors = descriptors.into_iter();
        let mut next = || descriptors.next();
        let sorted = Self {
            maps: TableMaps {
                header: next()?,
                ports: next()?,
                records: next()?,
                outcomes: Some(next()?),
            },
            lock: next()?,
            previous: match granted.has_previous {
                false => None,
                true => Some(TableMaps {
                    header: next()?,
                    ports: next()?,
                    records: next()?,
                    outcomes: None,
                }),
            },
            node_sockets: match granted.has_node_sockets {
                false => None,
                true => Some((next()?, next()?)),
            },
        };
        next().is_none().then_some(sorted)
    }
}

#[cfg(test)]
mod tests;
