//! The agent at work: one thread that waits for relays, links and time.

mod connection;
mod listener;
mod requests;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::claims::refused;
use super::tables::{Change, NodeTables};
use crate::tables::packet::{self, Buffer, Incoming};
use crate::tables::protocol::{FromAgent, Refusal};
use connection::Connection;
pub use listener::ListenError;
pub(super) use listener::Listener;

/// Between two looks at leases.
const TICK: Duration = Duration::from_secs(1);
/// Connections at once.
const MAX_CONNECTIONS: usize = 256;
/// Those kept for the superuser.
const RESERVED: usize = 16;
/// Connections of one user other than the superuser.
const MAX_OF_USER: usize = 16;
/// Messages taken from one connection before the others have their turn.
const MAX_TURN: usize = 16;

/// The tables of a node and those who talk about them.
pub(super) struct Server {
    tables: NodeTables,
    listener: Option<Listener>,
    connections: Vec<Connection>,
    buffer: Buffer,
    ticked: Instant,
    /// Until the next tick: a process without descriptors left can't accept, and would try for ever.
    is_deaf: bool,
}

impl Server {
    /// A server for whoever comes.
    pub(super) fn listen(tables: NodeTables, listener: Listener) -> Self {
        Self::new(tables, Some(listener), Vec::new())
    }

    /// A server for whoever has the other end.
    pub(super) fn for_one(tables: NodeTables, socket: OwnedFd) -> io::Result<Self> {
        let connection = Connection::new(socket)?;
        Ok(Self::new(tables, None, vec![connection]))
    }

    fn new(tables: NodeTables, listener: Option<Listener>, connections: Vec<Connection>) -> Self {
        Self {
            tables,
            listener,
            connections,
            buffer: Buffer::default(),
            ticked: Instant::now(),
            is_deaf: false,
        }
    }

    /// Serves until `stop` can be read or, without a listener, until the one at the other end is gone. What is attached
    /// stays attached.
    pub(super) fn run(mut self, stop: Option<BorrowedFd<'_>>) {
        while self.listener.is_some() || !self.connections.is_empty() {
            let ready = match self.wait(stop) {
                Ok(ready) => ready,
                Err(nix::Error::EINTR | nix::Error::EAGAIN | nix::Error::ENOMEM) => {
                    Ready::default()
                }
                Err(error) => {
                    tracing::error!("the agent can't wait for anything any more: {error}");
                    return;
                }
            };
            if ready.stop {
                return;
            }
            self.serve(&ready);
        }
    }

    fn serve(&mut self, ready: &Ready) {
        for (at, flags) in &ready.connections {
            self.turn(*at, *flags);
        }
        if self.ticked.elapsed() >= TICK {
            self.tick();
        } else if ready.kernel || self.tables.is_changed() {
            match self.tables.follow() {
                Ok(changes) => self.tell(changes),
                Err(error) => tracing::warn!("links are not followed for a moment: {error}"),
            }
        }
        self.tell_owners_of_nothing();
        self.connections.retain(|connection| !connection.is_over());
        if ready.listener {
            self.accept();
        }
    }

    fn wait(&mut self, stop: Option<BorrowedFd<'_>>) -> nix::Result<Ready> {
        let left = TICK.saturating_sub(self.ticked.elapsed());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let listener = self.listener.as_ref().filter(|_| !self.is_deaf);
        let kernel = self.tables.kernel().descriptors();
        let readable = |descriptor| PollFd::new(descriptor, PollFlags::POLLIN);
        let mut polled: Vec<PollFd<'_>> = self
            .connections
            .iter()
            .map(|connection| {
                let mut flags = PollFlags::POLLIN;
                flags.set(PollFlags::POLLOUT, connection.is_behind());
                PollFd::new(connection.descriptor(), flags)
            })
            .collect();
        polled.extend(stop.map(readable));
        polled.extend(listener.map(|listener| readable(listener.descriptor())));
        polled.extend(kernel.into_iter().map(readable));
        poll(&mut polled, timeout)?;
        let mut flags = polled
            .iter()
            .map(|polled| polled.revents().unwrap_or(PollFlags::empty()));
        let connections = flags
            .by_ref()
            .take(self.connections.len())
            .enumerate()
            .filter(|(_, flags)| !flags.is_empty())
            .collect();
        let mut next = |is_there: bool| is_there && flags.next().is_some_and(|f| !f.is_empty());
        Ok(Ready {
            connections,
            stop: next(stop.is_some()),
            listener: next(listener.is_some()),
            kernel: flags.any(|flags| !flags.is_empty()),
        })
    }

    /// Hears what one has to say.
    fn turn(&mut self, at: usize, flags: PollFlags) {
        let connection = &mut self.connections[at];
        if flags.contains(PollFlags::POLLOUT) {
            connection.flush();
        }
        for _ in 0..MAX_TURN {
            if connection.is_over() {
                return;
            }
            match packet::receive(connection.descriptor(), &mut self.buffer) {
                Ok(Incoming::Message(message, descriptors)) => {
                    requests::handle(&mut self.tables, connection, message, descriptors);
                }
                Ok(Incoming::Malformed(what)) => connection.fault(what),
                Ok(Incoming::Nothing) => return,
                Ok(Incoming::Closed) | Err(_) => return connection.end(),
            }
        }
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        loop {
            let connection = match listener.accept() {
                Ok(None) => return,
                Ok(Some(socket)) => Connection::new(socket),
                Err(error) => {
                    tracing::warn!("no relay can connect for a moment: {error}");
                    self.is_deaf = true;
                    return;
                }
            };
            let Ok(mut connection) = connection else {
                continue;
            };
            let uid = connection.peer.uid;
            let of_user = self
                .connections
                .iter()
                .filter(|c| c.peer.uid == uid)
                .count();
            let all = self.connections.len();
            let is_full = all >= MAX_CONNECTIONS
                || (uid != 0 && (of_user >= MAX_OF_USER || all >= MAX_CONNECTIONS - RESERVED));
            if is_full {
                let text = "the agent has too many connections, in all or of this user; close some";
                connection.say(
                    &FromAgent::Refused(refused(Refusal::NotAllowed, text)),
                    Vec::new(),
                );
            } else {
                self.connections.push(connection);
            }
        }
    }

    fn tick(&mut self) {
        self.ticked = Instant::now();
        self.is_deaf = false;
        match self.tables.tick() {
            Ok(changes) => self.tell(changes),
            Err(error) => tracing::warn!("leases are not looked after: {error}"),
        }
        for connection in &mut self.connections {
            connection.check_silence();
        }
    }

    fn tell(&mut self, changes: Vec<Change>) {
        for change in changes {
            let (generation, message) = match change {
                Change::Placement(generation, placement) => {
                    (generation, FromAgent::Placement(placement))
                }
                Change::Settled(generation) => (generation, FromAgent::Settled),
            };
            for connection in &mut self.connections {
                if connection.generation == Some(generation) {
                    connection.say(&message, Vec::new());
                }
            }
        }
    }

    /// Tables are freed by operators and by other agents, too.
    fn tell_owners_of_nothing(&mut self) {
        for connection in &mut self.connections {
            let gone = connection
                .generation
                .filter(|generation| !self.tables.is_known(*generation));
            if let Some(generation) = gone {
                connection.generation = None;
                let text = format!(
                    "table {} was freed; restart the relay to claim one",
                    generation.table
                );
                connection.say(
                    &FromAgent::Refused(refused(Refusal::NoSuchTable, text)),
                    Vec::new(),
                );
            }
        }
    }
}

/// What there is to do.
#[derive(Debug, Default)]
struct Ready {
    connections: Vec<(usize, PollFlags)>,
    stop: bool,
    listener: bool,
    kernel: bool,
}
