//! Finding an agent, and asking it something.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use super::{AgentChoice, ClaimFailed, SOCKET};
use crate::agent::{self, AgentConfig};
use crate::tables::packet::{self, Buffer, Incoming};
use crate::tables::protocol::{FromAgent, ToAgent};

/// Between attempts to connect to an agent that has many to accept.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);
/// CAP_NET_ADMIN and CAP_BPF, as bits of `CapEff`.
const CAPABILITIES: u64 = 1 << 12 | 1 << 39;

/// What an agent of this process's own needs.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    pub(super) lease: Duration,
    pub(super) bpffs: PathBuf,
    pub(super) registry: PathBuf,
}

/// Where an agent is.
#[derive(Clone, Debug)]
pub(super) enum Agent {
    /// In another process, that listens there.
    At(PathBuf),
    /// In this one.
    Embedded(Reach),
}

impl Agent {
    /// The agent that is chosen, and a connection to it; `None` if none is to be used.
    pub(super) fn find(
        choice: &AgentChoice,
        reach: &Reach,
        patience: Duration,
    ) -> Result<Option<(Self, OwnedFd)>, ClaimFailed> {
        let embedded = || Self::Embedded(reach.clone());
        let agent = match choice {
            AgentChoice::None => return Ok(None),
            AgentChoice::Embedded => embedded(),
            AgentChoice::At(path) => Self::At(path.clone()),
            AgentChoice::Auto => {
                let there = Self::At(PathBuf::from(SOCKET));
                match there.connect(patience) {
                    Ok(socket) => return Ok(Some((there, socket))),
                    // Nobody answers: this process does it itself, if it may.
                    Err(ClaimFailed::NoAgent { .. }) if is_privileged() => embedded(),
                    Err(error) => return Err(error),
                }
            }
        };
        let socket = agent.connect(patience)?;
        Ok(Some((agent, socket)))
    }

    /// Connects; an agent of this process's own is started.
    pub(super) fn connect(&self, patience: Duration) -> Result<OwnedFd, ClaimFailed> {
        let path = match self {
            Self::At(path) => path,
            Self::Embedded(reach) => {
                return agent::Agent::embedded(&AgentConfig {
                    registry: reach.registry.clone(),
                    bpffs: reach.bpffs.clone(),
                    lease: reach.lease,
                    policy: None,
                    uplinks: Vec::new(),
                })
                .map_err(|error| ClaimFailed::Embedded(error.to_string()));
            }
        };
        let until = Instant::now() + patience;
        loop {
            match connect_to(path) {
                Ok(socket) => return Ok(socket),
                // It has more to accept than it is behind with.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(source) => {
                    return Err(ClaimFailed::NoAgent {
                        path: path.clone(),
                        source,
                    });
                }
            }
            if Instant::now() > until {
                let seconds = patience.as_secs();
                return Err(self.unusable(format!("has accepted no connection for {seconds} s")));
            }
            thread::sleep(BETWEEN_ATTEMPTS);
        }
    }

    /// Says something and waits for the answer.
    pub(super) fn ask(
        &self,
        socket: BorrowedFd<'_>,
        message: &ToAgent,
        descriptors: &[BorrowedFd<'_>],
        patience: Duration,
    ) -> Result<(FromAgent, Vec<OwnedFd>), ClaimFailed> {
        packet::encode(message)
            .and_then(|bytes| packet::send(socket, &bytes, descriptors))
            .map_err(|error| self.unusable(format!("does not take a message: {error}")))?;
        self.answer(socket, patience)
    }

    /// Waits for an answer.
    pub(super) fn answer(
        &self,
        socket: BorrowedFd<'_>,
        patience: Duration,
    ) -> Result<(FromAgent, Vec<OwnedFd>), ClaimFailed> {
        let until = Instant::now() + patience;
        let mut buffer = Buffer::default();
        loop {
            match packet::receive(socket, &mut buffer) {
                Ok(Incoming::Message(message, descriptors)) => return Ok((message, descriptors)),
                Ok(Incoming::Malformed(what)) => {
                    return Err(self.unusable(format!("talks nonsense: {what}")));
                }
                Ok(Incoming::Closed) => {
                    return Err(self.unusable("has hung up without an answer".to_owned()));
                }
                Ok(Incoming::Nothing) => {}
                Err(error) => return Err(self.unusable(format!("can't be heard: {error}"))),
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let what = format!("has not answered for {} s; restart it", patience.as_secs());
                return Err(self.unusable(what));
            }
            // A millisecond more than is left, rather than none over and over.
            let timeout = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
            let mut polled = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
            // Interrupted or not, the socket says what there is.
            let _ = poll(&mut polled, PollTimeout::from(timeout));
        }
    }

    /// It does what no agent does.
    pub(super) fn unusable(&self, what: String) -> ClaimFailed {
        ClaimFailed::Unusable {
            path: match self {
                Self::At(path) => path.clone(),
                Self::Embedded(_) => PathBuf::from("(this process)"),
            },
            what,
        }
    }

    /// It says what it was not asked for.
    pub(super) fn out_of_turn(&self, message: &FromAgent) -> ClaimFailed {
        let word = match message {
            FromAgent::Granted(_) => "granted",
            FromAgent::Refused(_) => "refused",
            FromAgent::Placement(_) => "placement",
            FromAgent::Settled => "settled",
            FromAgent::Released => "released",
            FromAgent::Tables { .. } => "tables",
        };
        self.unusable(format!("talks nonsense: it says '{word}' out of turn"))
    }
}

/// Connects without waiting.
pub(super) fn connect_to(path: &Path) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket)
}

/// This process may do an agent's work.
fn is_privileged() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let capabilities = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    capabilities.is_some_and(|has| has & CAPABILITIES == CAPABILITIES)
}
