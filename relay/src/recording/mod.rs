//! Recording calls: packets of chosen streams go into pcap files, with what was signalled beside them, laid out as rtpengine
//! lays them out (`recording-method=pcap`).
//!
//! `call` decides what is recorded and says so as [`Recording`] values; media workers hand over copies of packets by a [`Tap`]; a
//! thread of its own writes. Nobody ever waits for the disk: what it cannot take is missing from the recording, counted and
//! said, and a recording that cannot be written ends while its call goes on.

mod frame;
mod metadata;
mod pcap;
mod spool;
mod tap;
mod tape;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};

pub use frame::Format;
pub use spool::SpoolError;
pub use tap::{Sides, Tap};

use crate::plan::{Recording, RecordingId};
use spool::Spool;
use tap::{Load, Order};
use writer::Writer;

/// Why nothing can be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The spool directory cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The system refuses a thread.
    #[error("starting the recorder: {0}")]
    Thread(io::Error),
}

/// A recording that could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which one.
    pub id: RecordingId,
    /// Why.
    pub reason: String,
}

/// What has been recorded since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Packets written.
    pub packets: u64,
    /// Packets that are missing because the disk did not keep up.
    pub dropped: u64,
}

/// Writes recordings; finishes what it was told when dropped.
#[derive(Debug)]
pub struct Recorder {
    tap: Tap,
    failures: (Sender<Failure>, Receiver<Failure>),
    packets: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Prepares the spool directory and starts the thread.
    ///
    /// # Errors
    /// [`RecorderError`] when either cannot be had.
    pub fn start(directory: &Path, format: Format) -> Result<Self, RecorderError> {
        Self::with_load(directory, format, Load::default())
    }

    /// The same, recording other packets than those that arrive.
    #[must_use]
    pub fn of(mut self, sides: Sides) -> Self {
        self.tap.sides = sides;
        self
    }

    fn with_load(directory: &Path, format: Format, load: Load) -> Result<Self, RecorderError> {
        let (orders, to_carry_out) = unbounded();
        let failures = unbounded();
        let load = Arc::new(load);
        let packets = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            spool: Spool::prepare(directory)?,
            format,
            orders: to_carry_out,
            load: Arc::clone(&load),
            packets: Arc::clone(&packets),
            failures: failures.0.clone(),
            tapes: BTreeMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || writer.run())
            .map_err(RecorderError::Thread)?;
        Ok(Self {
            tap: Tap {
                sides: Sides::default(),
                orders,
                load,
            },
            failures,
            packets,
            thread: Some(thread),
        })
    }

    /// Tells what happens to a recording. Endings are always taken; the rest fails while the disk does not keep up.
    pub fn tell(&self, event: Recording) {
        if self.tap.load.is_full() && !event.is_end() {
            let failure = Failure {
                id: event.id(),
                reason: "the disk does not keep up".to_owned(),
            };
            // This end holds the other.
            let _ = self.failures.0.send(failure);
            return;
        }
        self.tap.send(Order::Event(event));
    }

    /// Where packets go.
    #[must_use]
    pub fn tap(&self) -> Tap {
        self.tap.clone()
    }

    /// Recordings that have failed since this was last asked.
    pub fn take_failures(&self) -> impl Iterator<Item = Failure> {
        self.failures.1.try_iter()
    }

    /// What has been recorded since start.
    #[must_use]
    pub fn recorded(&self) -> Recorded {
        Recorded {
            packets: self.packets.load(Relaxed),
            dropped: self.tap.load.dropped(),
        }
    }

    /// Returns when everything so far is on disk.
    pub fn settle(&self) {
        let (done, all_done) = bounded(1);
        if self.tap.send(Order::Settle(done)) {
            // An error says that the thread has gone, and with it all there was to wait for.
            let _ = all_done.recv();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.tap.send(Order::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by the thread itself.
            let _ = thread.join();
        }
    }
}
