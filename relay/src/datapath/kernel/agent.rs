//! What is open between the thread and the agent: ways out that were asked for, and a table that takes over another.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::datapath::placement::Device;
use crate::tables::client::Connection;
use crate::tables::protocol::{FromAgent, ToAgent};

/// How long [`crate::datapath::Datapath::settled`] may take.
const SETTLING: Duration = Duration::from_secs(5);
/// How much of it may pass before ways out that were asked for are there: flows without one would come up.
const EGRESSES: Duration = Duration::from_secs(1);
/// How long the agent may take to take the table back.
const RELEASING: Duration = Duration::from_secs(2);

/// The line to the agent, and what has been said on it.
pub(super) struct Agent {
    pub(super) connection: Connection,
    /// Ways out asked for, and not there yet.
    wanted: BTreeSet<Device>,
    /// An earlier generation forwards on, as far as is known.
    takes_over: bool,
    /// When everything was restored.
    restored: Option<Instant>,
    /// The agent has been told so.
    said: bool,
    /// Who waits for it to be done: senders that are dropped then.
    waiting: Vec<Sender<()>>,
}

impl Agent {
    /// A line on which a table has just been granted.
    pub(super) fn new(connection: Connection, takes_over: bool) -> Self {
        Self {
            connection,
            wanted: BTreeSet::new(),
            takes_over,
            restored: None,
            said: false,
            waiting: Vec::new(),
        }
    }

    /// Asks for a way out, once.
    pub(super) fn want(&mut self, device: Device) {
        if self.wanted.insert(device) {
            self.connection.send(&ToAgent::WantEgress {
                place: device.place,
                ifindex: device.ifindex,
            });
        }
    }

    /// These ways out are not asked for any more.
    pub(super) fn has(&mut self, is_there: impl Fn(Device) -> bool) {
        self.wanted.retain(|device| !is_there(*device));
    }

    /// The agent was away, and knows nothing of what was said meanwhile.
    pub(super) fn found_again(&mut self) {
        self.wanted.clear();
        self.said = false;
    }

    /// Everything has been restored; `done` is dropped when the earlier generation is gone, or too late.
    pub(super) fn restored(&mut self, done: Sender<()>) {
        if self.takes_over {
            self.restored.get_or_insert_with(Instant::now);
            self.waiting.push(done);
        }
    }

    /// True: it is time to [say](Self::say_settled) that all is restored.
    pub(super) fn is_settling(&self, now: Instant) -> bool {
        let may = |passed| self.wanted.is_empty() || passed >= EGRESSES;
        !self.said && self.since_restored(now).is_some_and(may)
    }

    /// Has the agent put this table in its predecessor's place.
    pub(super) fn say_settled(&mut self) {
        self.connection.send(&ToAgent::Settled);
        self.said = true;
    }

    /// Has nobody wait for ever.
    pub(super) fn give_up_waiting(&mut self, now: Instant) {
        let is_late = |passed| passed >= SETTLING;
        if !self.waiting.is_empty() && self.since_restored(now).is_some_and(is_late) {
            tracing::warn!(
                "the agent has not put this table in its predecessor's place yet: going on without"
            );
            self.waiting.clear();
        }
    }

    fn since_restored(&self, now: Instant) -> Option<Duration> {
        let restored = self.restored?;
        Some(now.saturating_duration_since(restored))
    }

    /// The earlier generation is gone. True: it was there until now.
    pub(super) fn settled(&mut self) -> bool {
        self.restored = None;
        std::mem::take(&mut self.takes_over)
    }

    /// Whoever waited may go on.
    pub(super) fn wait_no_longer(&mut self) {
        self.waiting.clear();
    }

    /// Gives the table back, and waits a moment for the agent to have done so: an embedded one ends with the process.
    pub(super) fn release(mut self) {
        self.connection.send(&ToAgent::Release);
        let deadline = Instant::now() + RELEASING;
        loop {
            while let Some(message) = self.connection.receive() {
                if message == FromAgent::Released {
                    return;
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(descriptor) = self.connection.descriptor().filter(|_| !left.is_zero()) else {
                tracing::debug!("nobody has confirmed that the table is given back");
                return;
            };
            let mut descriptors = [PollFd::new(descriptor, PollFlags::POLLIN)];
            let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::ZERO);
            let _ = poll(&mut descriptors, timeout);
        }
    }
}
