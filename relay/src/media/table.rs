//! The streams of one worker: by slot for packets, by name for commands and sinks, by call for their flows.

use std::collections::HashMap;

use super::clock::Now;
use super::rtcp::Block;
use super::stream::Stream;
use crate::plan::{CallKey, StreamId};

/// Where a stream is, for packets: found without a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    id: StreamId,
    slot: usize,
}

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

    pub(super) fn at(&self, slot: usize) -> Option<&Stream> {
        self.slots.get(slot)?.as_deref()
    }

    /// The stream that a link names, unless it is gone.
    pub(super) fn linked(&self, link: Link) -> Option<&Stream> {
        self.at(link.slot).filter(|stream| stream.id == link.id)
    }

    /// The round trip, µs, of what a receiver at `slot` reports on: the source is at another stream of its call.
    pub(super) fn round_trip(&mut self, slot: usize, block: &Block, now: Now) -> Option<u32> {
        let call = self.at(slot)?.call;
        let Self {
            slots,
            by_id,
            by_call,
            ..
        } = self;
        let others = by_call.get(&call).into_iter().flatten();
        let mut others = others.filter_map(|id| by_id.get(id).copied());
        others.find_map(|other| {
            let stream = slots[other].as_mut().filter(|_| other != slot)?;
            stream.reports.as_mut()?.came_back(block, now)
        })
    }

    /// Links the streams of a call to their sinks, after any of them came, went or got a new plan.
    pub(super) fn link(&mut self, call: CallKey) {
        let Self {
            slots,
            by_id,
            by_call,
            ..
        } = self;
        let slot_of = |id: &StreamId| by_id.get(id).copied();
        let link = |id: &StreamId| Link {
            id: *id,
            // A sink that is not there is in no slot.
            slot: slot_of(id).unwrap_or(usize::MAX),
        };
        let streams = by_call.get(&call).into_iter().flatten();
        for slot in streams.filter_map(slot_of) {
            if let Some(stream) = &mut slots[slot] {
                let sinks = stream.plan.sinks.iter();
                stream.sinks = sinks.map(|sink| link(&sink.stream)).collect();
                stream.rtcp_sinks = stream.plan.rtcp_sinks.iter().map(link).collect();
            }
        }
    }

    pub(super) fn get(&self, id: StreamId) -> Option<&Stream> {
        self.slots[*self.by_id.get(&id)?].as_deref()
    }

    pub(super) fn get_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.slots[*self.by_id.get(&id)?].as_deref_mut()
    }

    /// A stream of a call whose packets leave through `exit`, and that has had some.
    pub(super) fn source_of(&self, call: CallKey, exit: StreamId) -> Option<&Stream> {
        let streams = self.by_call.get(&call)?.iter();
        let mut sources = streams.filter_map(|id| self.get(*id)).filter(|stream| {
            let mut sinks = stream.plan.sinks.iter();
            sinks.any(|sink| sink.stream == exit)
        });
        sources.find(|source| source.counters.last_packet_ms() > 0)
    }

    /// The `index`th stream of a call.
    pub(super) fn of_call(&self, call: CallKey, index: usize) -> Option<StreamId> {
        self.by_call.get(&call)?.get(index).copied()
    }
}
