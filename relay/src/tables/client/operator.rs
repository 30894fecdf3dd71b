//! An operator's side of the claim protocol.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use super::agent::{Agent, Reach};
use super::{AgentChoice, ClaimFailed, PATIENCE, SOCKET};
use crate::tables::protocol::{FromAgent, ToAgent};
use crate::tables::{TABLES, TableState};

/// The lease of an agent that only looks and grants nothing.
const LEASE: Duration = Duration::from_secs(60);

/// Somebody who looks after a node's tables.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Which agent; where nobody answers at its socket, this process does it itself, if it may.
    pub agent: AgentChoice,
    /// bpffs, for an agent in this process.
    pub bpffs: PathBuf,
    /// Where the node's tables are registered, for an agent in this process.
    pub registry: PathBuf,
}

impl Operator {
    /// Every table of the node that is not free: as the agent tells them, or, where none listens, as they stand in the
    /// registry. None, if the agent chosen is [`AgentChoice::None`].
    ///
    /// # Errors
    /// [`ClaimFailed`].
    pub fn list(&self) -> Result<Vec<TableState>, ClaimFailed> {
        let path = match &self.agent {
            AgentChoice::None => return Ok(Vec::new()),
            AgentChoice::Embedded => return self.look(),
            AgentChoice::At(path) => path.clone(),
            AgentChoice::Auto => PathBuf::from(SOCKET),
        };
        let agent = Agent::At(path);
        match agent.connect(PATIENCE.connect) {
            Ok(socket) => listed(&agent, socket.as_fd()),
            Err(ClaimFailed::NoAgent { .. }) if self.agent == AgentChoice::Auto => self.look(),
            Err(error) => Err(error),
        }
    }

    fn look(&self) -> Result<Vec<TableState>, ClaimFailed> {
        crate::agent::look(&self.registry, &self.bpffs)
            .map_err(|error| ClaimFailed::Embedded(error.to_string()))
    }

    /// Frees a table whose owner is gone; with `force` also one whose owner lives.
    ///
    /// # Errors
    /// [`ClaimFailed`].
    pub fn free(&self, table: u32, force: bool) -> Result<(), ClaimFailed> {
        let Some((agent, socket)) = self.find()? else {
            return Ok(());
        };
        let asked = ToAgent::Free { table, force };
        match agent.ask(socket.as_fd(), &asked, &[], PATIENCE.answer)?.0 {
            FromAgent::Released => Ok(()),
            FromAgent::Refused(refused) => Err(ClaimFailed::Refused(refused)),
            other => Err(agent.out_of_turn(&other)),
        }
    }

    fn find(&self) -> Result<Option<(Agent, OwnedFd)>, ClaimFailed> {
        let reach = Reach {
            lease: LEASE,
            bpffs: self.bpffs.clone(),
            registry: self.registry.clone(),
        };
        Agent::find(&self.agent, &reach, PATIENCE.connect)
    }
}

fn listed(agent: &Agent, socket: BorrowedFd<'_>) -> Result<Vec<TableState>, ClaimFailed> {
    let mut states = Vec::new();
    let mut answer = agent.ask(socket, &ToAgent::List, &[], PATIENCE.answer)?.0;
    loop {
        match answer {
            FromAgent::Tables { tables, more } => {
                states.extend(tables);
                if !more {
                    return Ok(states);
                }
            }
            FromAgent::Refused(refused) => return Err(ClaimFailed::Refused(refused)),
            other => return Err(agent.out_of_turn(&other)),
        }
        if states.len() > TABLES as usize {
            return Err(agent.unusable("talks nonsense: its list has no end".to_owned()));
        }
        answer = agent.answer(socket, PATIENCE.answer)?.0;
    }
}
