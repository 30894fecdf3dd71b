//! Which streams are open, for commands and for readers of counters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::counters::Counters;
use crate::datapath::FlowState;
use crate::plan::{CallKey, Learned, StreamId, StreamReader, StreamView};

/// A handle on the streams' counters; clones share them.
#[derive(Clone, Default)]
pub struct Streams {
    open: Arc<Mutex<BTreeMap<StreamId, Entry>>>,
    lessons: Arc<Lessons>,
}

/// The calls of which something was learned since somebody asked.
#[derive(Default)]
pub(super) struct Lessons {
    wanted: AtomicBool,
    calls: Mutex<BTreeSet<CallKey>>,
}

impl Lessons {
    /// Takes note of a call. It happens a few times in a call's life, not with every packet.
    pub(super) fn note(&self, call: CallKey) {
        if self.wanted.load(Relaxed) {
            self.calls().insert(call);
        }
    }

    fn calls(&self) -> MutexGuard<'_, BTreeSet<CallKey>> {
        // No code panics while it holds this lock.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Entry {
    worker: usize,
    counters: Arc<Counters>,
}

impl StreamReader for Streams {
    fn view(&self, stream: StreamId) -> Option<StreamView> {
        let counters = Arc::clone(&self.entries().get(&stream)?.counters);
        Some(counters.view())
    }

    fn last_packet_ms(&self, stream: StreamId) -> Option<u64> {
        let entries = self.entries();
        Some(entries.get(&stream)?.counters.last_packet_ms())
    }

    fn learned(&self, stream: StreamId) -> Option<Learned> {
        let counters = Arc::clone(&self.entries().get(&stream)?.counters);
        Some(counters.learned())
    }

    fn kernel_reason(&self, stream: StreamId) -> Option<Option<&'static str>> {
        let entries = self.entries();
        Some(entries.get(&stream)?.counters.kernel_reason())
    }
}

impl Streams {
    pub(super) fn open(&self, id: StreamId, worker: usize) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        let entry = Entry {
            worker,
            counters: Arc::clone(&counters),
        };
        self.entries().insert(id, entry);
        counters
    }

    pub(super) fn worker_of(&self, id: StreamId) -> Option<usize> {
        self.entries().get(&id).map(|entry| entry.worker)
    }

    /// Those of `streams` whose packets the kernel forwards now.
    #[must_use]
    pub fn in_kernel(&self, streams: &[StreamId]) -> Vec<StreamId> {
        let entries = self.entries();
        let in_kernel = |id: &StreamId| {
            let report = entries.get(id).map(|entry| entry.counters.report.state());
            report == Some(FlowState::Kernel)
        };
        streams.iter().copied().filter(in_kernel).collect()
    }

    /// Whether the kernel forwards packets of any of `streams` now.
    pub(super) fn any_in_kernel(&self, streams: impl IntoIterator<Item = StreamId>) -> bool {
        let mut streams = streams.into_iter().peekable();
        if streams.peek().is_none() {
            return false;
        }
        let entries = self.entries();
        streams.any(|id| {
            let entry = entries.get(&id);
            entry.is_some_and(|entry| entry.counters.report.state() == FlowState::Kernel)
        })
    }

    /// The calls of which something was learned since the last time this was asked, or, the first time, from now on.
    #[must_use]
    pub fn take_lessons(&self) -> BTreeSet<CallKey> {
        self.lessons.wanted.store(true, Relaxed);
        std::mem::take(&mut *self.lessons.calls())
    }

    pub(super) fn lessons(&self) -> Arc<Lessons> {
        Arc::clone(&self.lessons)
    }

    /// Packets that user space has received at `streams`, those that it refused included.
    #[must_use]
    pub fn received(&self, streams: &[StreamId]) -> u64 {
        let entries = self.entries();
        let counters = streams.iter().filter_map(|id| entries.get(id));
        counters
            .map(|entry| entry.counters.packets.load(Relaxed) + entry.counters.errors.load(Relaxed))
            .sum()
    }

    /// Makes a stream another worker's; says whose it was.
    pub(super) fn relocate(&self, id: StreamId, worker: usize) -> Option<usize> {
        let mut entries = self.entries();
        let entry = entries.get_mut(&id)?;
        Some(std::mem::replace(&mut entry.worker, worker))
    }

    /// Forgets a stream; says whose it was.
    pub(super) fn close(&self, id: StreamId) -> Option<usize> {
        self.entries().remove(&id).map(|entry| entry.worker)
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<StreamId, Entry>> {
        // No code panics while it holds this lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
