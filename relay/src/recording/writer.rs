//! The thread that writes recordings. A disk that is slow, full or gone is its trouble alone.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};

use super::Failure;
use super::frame::Format;
use super::spool::Spool;
use super::tap::{Load, Order, Packet};
use super::tape::Tape;
use crate::plan::{Recording, RecordingId};

/// How old what is in memory gets.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Recordings at a time: each is an open file, and media needs them, too.
const MAX_RECORDINGS: usize = 10_000;

/// The writer's side of the recorder.
pub(super) struct Writer {
    pub(super) spool: Spool,
    pub(super) format: Format,
    pub(super) orders: Receiver<Order>,
    pub(super) load: Arc<Load>,
    pub(super) packets: Arc<AtomicU64>,
    pub(super) failures: Sender<Failure>,
    pub(super) tapes: BTreeMap<RecordingId, Tape>,
}

impl Writer {
    /// Works until it is told to stop.
    pub(super) fn run(mut self) {
        let mut flush_at = Instant::now() + FLUSH_EVERY;
        let mut dropped = 0;
        loop {
            let order = self.orders.recv_deadline(flush_at);
            if let Ok(order) = &order {
                self.load.arrived(order);
            }
            match order {
                Ok(Order::Packet(packet)) => self.record(&packet),
                Ok(Order::Event(event)) => self.follow(event),
                Ok(Order::Settle(done)) => {
                    self.flush();
                    // Nobody may be waiting any more.
                    let _ = done.send(());
                }
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= flush_at {
                self.flush();
                self.tell_dropped(&mut dropped);
                flush_at = Instant::now() + FLUSH_EVERY;
            }
        }
        self.flush();
    }

    fn record(&mut self, packet: &Packet) {
        // Those of a recording that has just ended are nobody's.
        let Some(tape) = self.tapes.get_mut(&packet.recording) else {
            return;
        };
        let since_1970 = packet.at.duration_since(SystemTime::UNIX_EPOCH);
        let at_us = since_1970.map_or(0, |time| time.as_micros() as u64);
        match tape.record(at_us, packet.from, packet.to, &packet.payload) {
            Ok(true) => {
                self.packets.fetch_add(1, Relaxed);
            }
            Ok(false) => {}
            Err(error) => self.fail(packet.recording, &error),
        }
    }

    fn follow(&mut self, event: Recording) {
        let id = event.id();
        let outcome = match &event {
            Recording::Begin { name, .. } => self.begin(id, name),
            Recording::End { .. } | Recording::Discard { .. } => match self.tapes.remove(&id) {
                Some(tape) => tape.end(&event),
                None => Ok(()),
            },
            _ => match self.tapes.get_mut(&id) {
                Some(tape) => tape.note(&event),
                None => Ok(()),
            },
        };
        if let Err(error) = outcome {
            self.fail(id, &error);
        }
    }

    fn begin(&mut self, id: RecordingId, name: &str) -> io::Result<()> {
        if self.tapes.len() >= MAX_RECORDINGS {
            return Err(io::Error::other(format!(
                "{MAX_RECORDINGS} calls are being recorded already"
            )));
        }
        let tape = Tape::begin(&self.spool, name, self.format)?;
        self.tapes.insert(id, tape);
        Ok(())
    }

    fn flush(&mut self) {
        let mut failed = Vec::new();
        for (id, tape) in &mut self.tapes {
            if let Err(error) = tape.flush() {
                failed.push((*id, error));
            }
        }
        for (id, error) in failed {
            self.fail(id, &error);
        }
    }

    fn fail(&self, id: RecordingId, error: &io::Error) {
        let failure = Failure {
            id,
            reason: error.to_string(),
        };
        // If nobody asks any more, the relay is about to stop.
        let _ = self.failures.send(failure);
    }

    fn tell_dropped(&self, told: &mut u64) {
        let dropped = self.load.dropped();
        if dropped > *told {
            let news = dropped - *told;
            tracing::warn!(
                "recording does not keep up with the disk: {news} packets are missing from recordings"
            );
            *told = dropped;
        }
    }
}
