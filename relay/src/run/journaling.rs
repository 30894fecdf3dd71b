//! Keeping the journal: a thread of its own writes what has changed, a batch every now and then.
//!
//! A reply is never held up for it. What a command did in the last [`ROUND`] before a crash is lost: proxies repeat what is not
//! answered, an offer that is repeated is executed again, and a call whose `delete` was lost ends by its timeout. To write first would
//! cost every command as much again as carrying it out, for calls that mostly end without any crash.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::calls::{self, Shared};
use crate::control::dispatch::Dispatcher;
use crate::journal::{Batch, Journal, JournalError, Owner, Row, boot_id};
use crate::plan::CallKey;

/// How often what has changed is written. A call that begins and ends in between is never looked at.
const ROUND: Duration = Duration::from_millis(50);
/// How often the owner says that it lives, and how soon a journal that is in trouble is tried again.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// Rounds in which each call's counters are looked at once: five seconds.
const ROUNDS_PER_SWEEP: usize = 100;
/// Calls that are copied while commands wait. A copy takes a few microseconds.
const COPIED_AT_ONCE: usize = 16;
/// Calls written in one transaction.
const WRITTEN_AT_ONCE: usize = 256;

/// How a journal is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// All calls have ended.
    Ended,
    /// A successor takes them up.
    Handover,
}

/// The thread that writes.
#[derive(Debug)]
pub(super) struct Journaling {
    stop: Sender<Parting>,
    thread: JoinHandle<()>,
    in_trouble: InTrouble,
}

/// Whether calls are not journaled, though they should be.
#[derive(Clone, Debug, Default)]
pub(super) struct InTrouble(Arc<AtomicBool>);

impl InTrouble {
    pub(super) fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// What it was until now.
    fn set(&self, is_so: bool) -> bool {
        self.0.swap(is_so, Ordering::Relaxed)
    }
}

struct Keeper {
    shared: Shared,
    directory: PathBuf,
    /// `None` while there is trouble.
    journal: Option<Journal>,
    /// Since when, and not before when it is tried again.
    retry_at: Instant,
    in_trouble: InTrouble,
    owner: Owner,
    /// Calls to be written.
    pending: BTreeSet<CallKey>,
    /// Packets that user space had received when the call was last looked at.
    received: BTreeMap<CallKey, u64>,
    swept: Option<CallKey>,
}

impl Journaling {
    /// Begins to write the calls of `shared` to `journal`; every call there is now is written first. Without one yet, one in
    /// `directory` is tried for again and again.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn start(
        shared: Shared,
        directory: PathBuf,
        journal: Result<Journal, JournalError>,
        instance: u64,
    ) -> std::io::Result<Self> {
        let mut keeper = Keeper {
            shared,
            directory,
            journal: None,
            retry_at: Instant::now(),
            in_trouble: InTrouble::default(),
            owner: Owner {
                boot: boot_id(),
                instance,
                ..Owner::default()
            },
            pending: BTreeSet::new(),
            received: BTreeMap::new(),
            swept: None,
        };
        match journal {
            Ok(journal) => keeper.begin(journal),
            Err(error) => keeper.give_up(&error),
        }
        let in_trouble = keeper.in_trouble.clone();
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || keeper.run(&stopped))?;
        Ok(Self {
            stop,
            thread,
            in_trouble,
        })
    }

    /// Whether the journal is in trouble, for metrics.
    pub(super) fn in_trouble(&self) -> InTrouble {
        self.in_trouble.clone()
    }

    /// Writes what is still to be written, and ends.
    pub(super) fn stop(self, parting: Parting) {
        // A thread that has panicked has said so, and there is nothing left to do about it.
        let _ = self.stop.send(parting);
        let _ = self.thread.join();
    }
}

impl Keeper {
    fn run(mut self, stopped: &Receiver<Parting>) {
        let mut beat_at = Instant::now();
        loop {
            let parting = match stopped.recv_timeout(ROUND) {
                Err(RecvTimeoutError::Timeout) => None,
                Ok(parting) => Some(parting),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.take_notes();
            if parting == Some(Parting::Handover) {
                self.note_all();
            }
            let now = Instant::now();
            if self.journal.is_none() && now >= self.retry_at {
                match Journal::open(&self.directory).0 {
                    Ok(journal) => self.begin(journal),
                    Err(error) => self.give_up(&error),
                }
            }
            let due = now >= beat_at || parting.is_some();
            if due {
                beat_at = now + BEAT;
            }
            self.write(due);
            match parting {
                None => {}
                Some(Parting::Handover) => return info!("the journal is left to a successor"),
                Some(Parting::Ended) => return,
            }
        }
    }

    /// A journal is there, perhaps another than before: every call is written to it, and what else it holds is gone.
    fn begin(&mut self, journal: Journal) {
        if self.in_trouble.set(false) {
            info!("calls are journaled again");
        }
        self.pending.extend(journal.keys().map(CallKey));
        self.note_all();
        self.journal = Some(journal);
    }

    fn note_all(&mut self) {
        let every = self
            .lock()
            .handler_mut()
            .calls()
            .keys_after(None, usize::MAX);
        self.pending.extend(every);
    }

    /// Says once that calls are not journaled; they are tried again in a while.
    fn give_up(&mut self, error: &JournalError) {
        self.retry_at = Instant::now() + BEAT;
        if !self.in_trouble.set(true) {
            warn!("calls are not journaled and would not survive a crash: {error}");
        }
    }

    /// What commands, learning and counting have changed.
    fn take_notes(&mut self) {
        let mut dispatcher = self.lock();
        let server = dispatcher.handler_mut();
        let changed = server.take_changes();
        let count = server.calls().len().div_ceil(ROUNDS_PER_SWEEP);
        let received = server.received(self.swept, count);
        drop(dispatcher);
        self.swept = received.last().map(|(key, _)| *key);
        if self.journal.is_none() {
            // The next one is given every call, whatever is noted until then.
            return self.pending.clear();
        }
        self.pending.extend(changed);
        for (key, packets) in received {
            if self.received.insert(key, packets) != Some(packets) {
                self.pending.insert(key);
            }
        }
    }

    /// Writes all that is pending, unless the journal is in trouble.
    fn write(&mut self, mut beat: bool) {
        while self.journal.is_some() && Instant::now() >= self.retry_at {
            if self.pending.is_empty() && !beat {
                return;
            }
            let keys: Vec<CallKey> = self.pending.iter().take(WRITTEN_AT_ONCE).copied().collect();
            let mut batch = self.batch(&keys);
            batch.owner = std::mem::take(&mut beat).then(|| self.alive());
            let Some(journal) = &mut self.journal else {
                return;
            };
            let ended = batch.ended.iter().copied().map(CallKey).collect();
            match journal.write(batch) {
                Ok(()) => {
                    self.forget(&ended);
                    for key in keys {
                        self.pending.remove(&key);
                    }
                    if self.in_trouble.set(false) {
                        info!("calls are journaled again");
                    }
                }
                Err(error) => {
                    self.make_room(&error);
                    return self.give_up(&error);
                }
            }
        }
    }

    /// After a failure: calls that have ended make room; a journal that failed otherwise is opened anew later.
    fn make_room(&mut self, error: &JournalError) {
        let JournalError::Full(_) = error else {
            self.journal = None;
            return;
        };
        let ended = self.ended();
        let batch = Batch {
            ended: ended.iter().map(|key| key.0).collect(),
            owner: Some(self.alive()),
            ..Batch::default()
        };
        if let Some(journal) = &mut self.journal
            && journal.write(batch).is_ok()
        {
            self.forget(&ended);
        }
    }

    /// Those of the pending calls that are no more.
    fn ended(&self) -> BTreeSet<CallKey> {
        let mut dispatcher = self.lock();
        let calls = dispatcher.handler_mut().calls();
        let pending = self.pending.iter().copied();
        pending
            .filter(|key| calls.name_of(*key).is_none())
            .collect()
    }

    fn alive(&self) -> Owner {
        Owner {
            alive_ms: calls::now().monotonic_ms,
            ..self.owner.clone()
        }
    }

    /// Calls that have ended are in the journal no more.
    fn forget(&mut self, ended: &BTreeSet<CallKey>) {
        for key in ended {
            self.pending.remove(key);
            self.received.remove(key);
        }
    }

    /// The calls as they are now, copied a few at a time so that commands never wait long.
    fn batch(&self, keys: &[CallKey]) -> Batch {
        let mut batch = Batch::default();
        for keys in keys.chunks(COPIED_AT_ONCE) {
            let mut dispatcher = self.lock();
            let server = dispatcher.handler_mut();
            let copies: Vec<_> = keys.iter().map(|key| (key.0, server.copy(*key))).collect();
            drop(dispatcher);
            for (key, copy) in copies {
                match copy.map(|kept| kept.payload()) {
                    None => batch.ended.push(key),
                    Some(Ok(payload)) => batch.changed.push(Row { key, payload }),
                    Some(Err(error)) => error!("bug: a call cannot be journaled: {error}"),
                }
            }
        }
        batch
    }

    fn lock(&self) -> MutexGuard<'_, Dispatcher<super::calls::CallServer>> {
        // A panic under the lock has been dealt with by the dispatcher.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
