//! What operators ask of a node: of its agent where there is one, else of what stands in its registry.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, socket,
};

use crate::config::TablesConfig;
use crate::tables::protocol::{FromAgent, MAX_MESSAGE, Refused, ToAgent};
use crate::tables::{AgentChoice, SOCKET, TableState, Tables};

/// How long an agent may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why an agent gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no socket.
    #[error("there is no agent at {path}; start `underpass agent`, or use --agent=embedded")]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// It can't be reached.
    #[error("the agent at {path} can't be reached: {source}")]
    Unreachable {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It says nothing.
    #[error("the agent at {path} does not answer")]
    Silent {
        /// Where it is.
        path: PathBuf,
    },
    /// It says what it should not.
    #[error(
        "the agent at {path} gives an answer that can't be understood; is it of another version?"
    )]
    Nonsense {
        /// Where it is.
        path: PathBuf,
    },
    /// It says no.
    #[error("{}", .0.text)]
    Refused(Refused),
}

impl AskError {
    /// What the agent does, without its path.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::Missing { .. } => "is not there".to_owned(),
            Self::Unreachable { source, .. } => format!("can't be reached: {source}"),
            Self::Silent { .. } => "does not answer".to_owned(),
            Self::Nonsense { .. } => "gives an answer that can't be understood".to_owned(),
            Self::Refused(refused) => format!("refuses: {}", refused.text),
        }
    }
}

/// Where an agent is to be asked; `None`: nowhere.
#[must_use]
pub fn socket_of(choice: &AgentChoice) -> Option<PathBuf> {
    match choice {
        AgentChoice::Auto => Some(PathBuf::from(SOCKET)),
        AgentChoice::At(path) => Some(path.clone()),
        AgentChoice::Embedded | AgentChoice::None => None,
    }
}

/// Why a node's tables can't be told.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The agent's fault.
    #[error(transparent)]
    Agent(#[from] AskError),
    /// The registry's.
    #[error("cannot read the tables of this node in {path}: {source}")]
    Registry {
        /// The registry.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The node's tables: by its agent if one is to be asked and there is one, else by the registry.
///
/// # Errors
/// [`ListError`].
pub fn tables(config: &TablesConfig) -> Result<Vec<TableState>, ListError> {
    match socket_of(&config.agent).map(|path| ask_tables(&path)) {
        Some(Ok(tables)) => return Ok(tables),
        // Where no agent is, relays are their own.
        Some(Err(AskError::Missing { .. })) if config.agent == AgentChoice::Auto => {}
        Some(Err(error)) => return Err(error.into()),
        None => {}
    }
    read_tables(&config.registry, &config.bpffs).map_err(|source| ListError::Registry {
        path: config.registry.clone(),
        source,
    })
}

/// The node's tables as its agent tells them.
///
/// # Errors
/// [`AskError`].
pub fn ask_tables(path: &Path) -> Result<Vec<TableState>, AskError> {
    match ask(path, &ToAgent::List)? {
        FromAgent::Tables { tables, .. } => Ok(tables),
        FromAgent::Refused(refused) => Err(AskError::Refused(refused)),
        _ => Err(AskError::Nonsense {
            path: path.to_owned(),
        }),
    }
}

/// The node's tables as they stand in its registry and its pinned maps.
///
/// # Errors
/// The registry can't be read.
pub fn read_tables(registry: &Path, bpffs: &Path) -> io::Result<Vec<TableState>> {
    Tables::at(registry).overview(bpffs)
}

/// Says one thing to an agent and returns what it says to that.
///
/// # Errors
/// [`AskError`], but for `Refused`, which is an answer.
pub fn ask(path: &Path, question: &ToAgent) -> Result<FromAgent, AskError> {
    let unreachable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => AskError::Missing {
            path: path.to_owned(),
        },
        _ => AskError::Unreachable {
            path: path.to_owned(),
            source,
        },
    };
    let nonsense = || AskError::Nonsense {
        path: path.to_owned(),
    };
    let connection = reach(path).map_err(unreachable)?;
    let bytes = serde_json::to_vec(question).map_err(|_| nonsense())?;
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    send(connection.as_raw_fd(), &bytes, flags).map_err(|error| unreachable(error.into()))?;
    if !is_readable(&connection) {
        return Err(AskError::Silent {
            path: path.to_owned(),
        });
    }
    let mut answer = vec![0; MAX_MESSAGE];
    let length = recv(
        connection.as_raw_fd(),
        &mut answer,
        MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC,
    )
    .map_err(|error| unreachable(error.into()))?;
    let answer = answer.get(..length).ok_or_else(nonsense)?;
    serde_json::from_slice(answer).map_err(|_| nonsense())
}

fn reach(path: &Path) -> io::Result<OwnedFd> {
    let address = UnixAddr::new(path)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let connection = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    connect(connection.as_raw_fd(), &address)?;
    Ok(connection)
}

fn is_readable(connection: &OwnedFd) -> bool {
    let end = Instant::now() + PATIENCE;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let mut watched = [PollFd::new(connection.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, timeout) {
            Err(nix::Error::EINTR) => {}
            result => return result.is_ok_and(|ready| ready > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use nix::sys::socket::{Backlog, accept, bind, listen};

    use super::*;

    /// What is made of an agent that answers `answer` to anything; `None`: hangs up.
    fn told(answer: Option<&'static [u8]>) -> Result<Vec<TableState>, AskError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.sock");
        let kind = SockType::SeqPacket;
        let listener = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(listener.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
        listen(&listener, Backlog::new(1).unwrap()).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                let peer = accept(listener.as_raw_fd()).unwrap();
                let mut question = [0; 64];
                recv(peer, &mut question, MsgFlags::empty()).unwrap();
                if let Some(answer) = answer {
                    send(peer, answer, MsgFlags::empty()).unwrap();
                }
                nix::unistd::close(peer).unwrap();
            });
            ask_tables(&path)
        })
    }

    #[test]
    fn an_agents_tables_are_listed() {
        let tables = told(Some(br#"{"message":"tables","tables":[{"table":3}]}"#)).unwrap();
        assert_eq!(tables[0].table, 3);
    }

    #[test]
    fn an_agent_that_hangs_up_or_talks_nonsense_is_told_from_one_that_refuses() {
        for nonsense in [None, Some(&b"{}"[..]), Some(br#"{"message":"settled"}"#)] {
            assert!(matches!(told(nonsense), Err(AskError::Nonsense { .. })));
        }
        let refusal =
            br#"{"message":"refused","reason":"not-allowed","text":"not you","owner":null}"#;
        let refused = told(Some(refusal)).unwrap_err();
        assert_eq!(refused.to_string(), "not you");
    }

    #[test]
    fn no_socket_is_told_from_one_that_nobody_serves() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.sock");
        assert!(matches!(ask_tables(&path), Err(AskError::Missing { .. })));
        let kind = SockType::SeqPacket;
        let left = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(left.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
        drop(left);
        assert!(matches!(
            ask_tables(&path),
            Err(AskError::Unreachable { .. })
        ));
    }
}
