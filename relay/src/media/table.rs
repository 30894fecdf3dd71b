//! The streams of one worker: by slot for packets, by name for commands and sinks, by call for their flows.

use std::collections::HashMap;

use super::stream::Stream;
use crate::plan::{CallKey, StreamId};

#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Option<Box<Stream>>>,
    free: Vec<usize>,
    by_id: HashMap<StreamId, usize>,
    by_call: HashMap<CallKey, Vec<StreamId>>,
}

impl Table {
    /// Adds a stream; returns its slot, which is its own until it is removed.
    pub(super) fn insert(&mut self, stream: Stream) -> usize {
        let (id, call) = (stream.id, stream.call);
        let slot = self.free.pop().unwrap_or(self.slots.len());
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot] = Some(Box::new(stream));
        self.by_id.insert(id, slot);
        self.by_call.entry(call).or_default().push(id);
        slot
    }

    pub(super) fn remove(&mut self, id: StreamId) -> Option<Box<Stream>> {
        let slot = self.by_id.remove(&id)?;
        let stream = self.slots[slot].take()?;
        self.free.push(slot);
        if let Some(ids) = self.by_call.get_mut(&stream.call) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_call.remove(&stream.call);
            }
        }
        Some(stream)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn at_mut(&mut self, slot: usize) -> Option<&mut Stream> {
        self.slots.get_mut(slot)?.as_deref_mut()
    }

    pub(super) fn get(&self, id: StreamId) -> Option<&Stream> {
        self.slots[*self.by_id.get(&id)?].as_deref()
    }

    pub(super) fn get_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.slots[*self.by_id.get(&id)?].as_deref_mut()
    }

    /// The `index`th stream of a call.
    pub(super) fn of_call(&self, call: CallKey, index: usize) -> Option<StreamId> {
        self.by_call.get(&call)?.get(index).copied()
    }
}
