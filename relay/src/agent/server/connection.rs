//! One connection, and what waits to be read by its peer.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::agent::caller::Peer;
use crate::agent::claims::refused;
use crate::agent::kernel::Generation;
use crate::tables::packet;
use crate::tables::protocol::{FromAgent, Refusal};

/// Messages that wait for a peer that does not read, beside what the socket holds.
const MAX_QUEUE: usize = 32;
/// Messages that are none before the connection is closed.
const MAX_FAULTS: u32 = 3;
/// How long a peer without a table may say nothing.
const SILENCE: Duration = Duration::from_secs(10);

/// A connection to a relay or an operator's tool.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
    /// Who is there.
    pub(super) peer: Peer,
    /// What its table is filled by; `None` if it has none.
    pub(super) generation: Option<Generation>,
    queue: VecDeque<Outgoing>,
    faults: u32,
    heard: Instant,
    is_over: bool,
}

#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
    is_placement: bool,
}

impl Connection {
    /// A connection that has just been made.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            peer: Peer::of(&socket)?,
            socket,
            generation: None,
            queue: VecDeque::new(),
            faults: 0,
            heard: Instant::now(),
            is_over: false,
        })
    }

    /// What to wait for.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Something waits to be read by the peer.
    pub(super) fn is_behind(&self) -> bool {
        !self.queue.is_empty()
    }

    /// To be closed.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Closes it soon, without another word.
    pub(super) fn end(&mut self) {
        self.is_over = true;
    }

    /// The peer has said something that was understood.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Says something, as soon as the peer reads. A peer that lets too much lie is cut off.
    pub(super) fn say(&mut self, message: &FromAgent, descriptors: Vec<OwnedFd>) {
        let bytes = match packet::encode(message) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!("an answer to process {} is lost: {error}", self.peer.pid);
                return self.end();
            }
        };
        let is_placement = matches!(message, FromAgent::Placement(_));
        // Only the newest counts, and there may be many while links flap.
        if is_placement {
            self.queue.retain(|waiting| !waiting.is_placement);
        }
        if self.queue.len() == MAX_QUEUE {
            tracing::warn!(
                "process {} does not read what it is told: cut off",
                self.peer.pid
            );
            return self.end();
        }
        self.queue.push_back(Outgoing {
            bytes,
            descriptors,
            is_placement,
        });
        self.flush();
    }

    /// Sends what waits, as far as the peer's socket takes it.
    pub(super) fn flush(&mut self) {
        while let Some(waiting) = self.queue.front() {
            let descriptors: Vec<BorrowedFd<'_>> =
                waiting.descriptors.iter().map(AsFd::as_fd).collect();
            match packet::send(self.socket.as_fd(), &waiting.bytes, &descriptors) {
                Ok(()) => {
                    self.queue.pop_front();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // ETOOMANYREFS: the descriptors lie in too many unread messages; as if the socket were full.
                Err(error) if error.raw_os_error() == Some(libc::ETOOMANYREFS) => return,
                Err(_) => return self.end(),
            }
        }
    }

    /// Tells the peer that it was not understood, a few times.
    pub(super) fn fault(&mut self, what: String) {
        self.faults += 1;
        self.say(
            &FromAgent::Refused(refused(Refusal::Malformed, what)),
            Vec::new(),
        );
        if self.faults >= MAX_FAULTS {
            self.end();
        }
    }

    /// Ends a connection that nobody seems to need.
    pub(super) fn check_silence(&mut self) {
        if self.generation.is_none() && self.heard.elapsed() > SILENCE {
            self.fault(format!("nothing was asked for in {} s", SILENCE.as_secs()));
            self.end();
        }
    }
}
