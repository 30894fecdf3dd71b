//! The line to the agent while a table is held.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::agent::{Agent, connect_to};
use super::{ClaimFailed, own_namespace};
use crate::tables::packet::{self, Buffer, Incoming};
use crate::tables::protocol::{FromAgent, Granted, ToAgent, VERSION};

/// The line to the agent, with what it takes to find it again. Nothing here blocks but an agent of this process's own that
/// has to be started again.
#[derive(Debug)]
pub struct Connection {
    agent: Agent,
    socket: Option<OwnedFd>,
    lock: OwnedFd,
    table: u32,
    generation: u64,
    buffer: Buffer,
    state: State,
    node_sockets: Option<(OwnedFd, OwnedFd)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The agent knows whose connection this is.
    Known,
    /// It has been asked to go on, and has not answered.
    Resuming,
    /// It will not go on: the table is used until its lease is over.
    GivenUp,
}

impl Connection {
    pub(super) fn new(agent: Agent, socket: OwnedFd, lock: OwnedFd, granted: &Granted) -> Self {
        Self {
            agent,
            socket: Some(socket),
            lock,
            table: granted.table,
            generation: granted.generation,
            buffer: Buffer::default(),
            state: State::Known,
            node_sockets: None,
        }
    }

    /// What to wait for; `None` while the agent is away.
    #[must_use]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Says something. While the agent is away, or does not read, it is lost; nothing that may be said here must not be.
    pub fn send(&mut self, message: &ToAgent) {
        if let (Some(socket), Ok(bytes)) = (&self.socket, packet::encode(message)) {
            // A lost connection is noticed where it is read.
            let _ = packet::send(socket.as_fd(), &bytes, &[]);
        }
    }

    /// What the agent has said since; `None`: nothing (more). A lost connection is noticed here, and then kept trying for
    /// by [`Self::keep`].
    pub fn receive(&mut self) -> Option<FromAgent> {
        let socket = self.socket.as_ref()?;
        match packet::receive(socket.as_fd(), &mut self.buffer) {
            Ok(Incoming::Message(message, descriptors)) => self.heard(message, descriptors),
            Ok(Incoming::Nothing) => None,
            Ok(Incoming::Closed) => {
                self.lost("it is gone");
                None
            }
            Ok(Incoming::Malformed(what)) => {
                self.lost(&what);
                None
            }
            Err(error) => {
                self.lost(&error.to_string());
                None
            }
        }
    }

    /// Tries to find a lost agent, or its successor, again; due about once a second. True: it has just been found, and
    /// [`Self::receive`] will tell how things stand.
    pub fn keep(&mut self) -> bool {
        if self.socket.is_some() || self.state == State::GivenUp {
            return false;
        }
        let Ok(socket) = self.again() else {
            return false;
        };
        self.socket = Some(socket);
        self.state = State::Resuming;
        true
    }

    /// New route sockets at the node, if an agent that was found again has sent some.
    pub fn take_node_sockets(&mut self) -> Option<(OwnedFd, OwnedFd)> {
        self.node_sockets.take()
    }

    fn again(&self) -> io::Result<OwnedFd> {
        let socket = match &self.agent {
            Agent::At(path) => connect_to(path)?,
            embedded @ Agent::Embedded(_) => embedded
                .connect(std::time::Duration::ZERO)
                .map_err(|error: ClaimFailed| io::Error::other(error.to_string()))?,
        };
        let namespace = own_namespace()?;
        let bytes = packet::encode(&ToAgent::Resume {
            version: VERSION,
            table: self.table,
            generation: self.generation,
        })?;
        let descriptors = [self.lock.as_fd(), namespace.as_fd()];
        packet::send(socket.as_fd(), &bytes, &descriptors)?;
        Ok(socket)
    }

    fn heard(&mut self, message: FromAgent, descriptors: Vec<OwnedFd>) -> Option<FromAgent> {
        match (self.state, &message) {
            (State::Resuming, FromAgent::Granted(granted)) => {
                tracing::info!(table = self.table, "the agent is back");
                self.state = State::Known;
                if granted.has_node_sockets {
                    let sockets = <[OwnedFd; 2]>::try_from(descriptors).ok();
                    self.node_sockets = sockets.map(|[ask, watch]| (ask, watch));
                }
                Some(message)
            }
            (State::Resuming, FromAgent::Refused(refused)) => {
                tracing::error!(
                    table = self.table,
                    "the agent does not go on with this table, which forwards until its lease is over: {}",
                    refused.text
                );
                self.state = State::GivenUp;
                self.socket = None;
                Some(message)
            }
            _ => Some(message),
        }
    }

    fn lost(&mut self, why: &str) {
        if self.state == State::Known {
            tracing::warn!(
                table = self.table,
                "the agent is lost: {why}; what is forwarded goes on, and the agent is looked for"
            );
        }
        self.socket = None;
    }
}
