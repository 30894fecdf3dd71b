//! The flows of one table: what is wanted, what is in the kernel, and what was counted.
//!
//! Knows no socket and no BPF: map entries go through [`FlowMap`], and where a flow can leave is told from outside.
//! Installing, moving and removing a flow costs the same with one flow and with 100,000.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use underpass_abi::{self as abi, FlowStats};

use super::encode::{self, Key};
use super::next_hop::{NextHop, Path};
use super::slots::Slots;
use super::{Flow, FlowId, FlowReport, FlowState, Reason, SsrcCounters};

/// The maps that the kernel program reads and counts into.
pub(crate) trait FlowMap {
    /// Inserts an entry or replaces it in place.
    fn write(&mut self, key: Key, value: &abi::Flow) -> Result<(), WriteError>;

    /// Removes an entry if it is there.
    fn delete(&mut self, key: Key);

    /// Reads a slot's counters.
    fn stats(&mut self, slot: u32) -> FlowStats;

    /// Zeroes a slot.
    fn clear(&mut self, slot: u32);
}

/// Why an entry could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteError {
    /// No room.
    Full,
    /// Anything else.
    Refused,
}

/// How a flow is to be forwarded: how it leaves and where it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// How it leaves.
    pub(crate) hop: NextHop,
    /// TTL or hop limit it leaves with.
    pub(crate) ttl: u8,
    /// The interface it arrives at.
    pub(crate) ingress: u32,
    /// That interface's Ethernet address; zero where it may be any.
    pub(crate) local_mac: [u8; 6],
}

/// Packets forwarded since the last sweep, by ingress and egress interface.
pub(crate) type Forwarded = BTreeMap<(u32, u32), u64>;

/// Waiting flows tried again in one tick.
const RETRIES: usize = 64;

struct Entry {
    flow: Flow,
    path: Path,
    report: Arc<FlowReport>,
    /// What the report already held from earlier slots of the same stream.
    base: Base,
    way: Result<Way, Reason>,
    slot: Option<u32>,
    written: Option<SocketAddr>,
    /// Packets and bytes as of the last sweep.
    seen: (u64, u64),
}

#[derive(Clone, Default)]
struct Base {
    packets: u64,
    bytes: u64,
    ssrcs: Vec<SsrcCounters>,
}

/// A removed flow whose slot the program may still be counting into, on another processor.
struct Resting {
    entry: Entry,
    slot: u32,
    since: u64,
}

/// The flows of one table.
pub(crate) struct FlowTable<M> {
    map: M,
    slots: Slots,
    flows: BTreeMap<FlowId, Entry>,
    by_path: BTreeMap<Path, BTreeSet<FlowId>>,
    by_local: BTreeMap<SocketAddr, FlowId>,
    /// Flows the map had no room for, or that it refused.
    waiting: BTreeSet<FlowId>,
    /// Which of them is tried next: all get their turn.
    next_waiting: FlowId,
    resting: BTreeMap<FlowId, Resting>,
    resting_order: VecDeque<(u64, FlowId)>,
    ticks: u64,
    /// UDP payload bytes forwarded since start.
    bytes: u64,
}

impl<M: FlowMap> FlowTable<M> {
    /// An empty table on `map`, which has `slots` statistics slots.
    pub(crate) fn new(map: M, slots: u32) -> Self {
        Self {
            map,
            slots: Slots::new(slots),
            flows: BTreeMap::new(),
            by_path: BTreeMap::new(),
            by_local: BTreeMap::new(),
            waiting: BTreeSet::new(),
            next_waiting: FlowId(0),
            resting: BTreeMap::new(),
            resting_order: VecDeque::new(),
            ticks: 0,
            bytes: 0,
        }
    }

    /// Wants `flow` forwarded along `path` the given way; replaces the flow of the same id in place. Returns the path
    /// it used before, if there was one.
    pub(crate) fn install(
        &mut self,
        id: FlowId,
        flow: Flow,
        path: Path,
        report: Arc<FlowReport>,
        way: Result<Way, Reason>,
    ) -> Option<Path> {
        let before = self.flows.get(&id).map(|entry| entry.path);
        if let Some(before) = before
            && before != path
        {
            self.unindex(&before, id);
        }
        self.by_path.entry(path).or_default().insert(id);
        let entry = match self.flows.remove(&id) {
            Some(entry) => Entry {
                flow,
                path,
                report,
                way,
                ..entry
            },
            None => self.revive(id, flow, path, report, way),
        };
        self.flows.insert(id, entry);
        self.place(id);
        before
    }

    /// Ends a flow and returns the path it used. Its counters are final in its report.
    pub(crate) fn remove(&mut self, id: FlowId) -> Option<Path> {
        let mut entry = self.flows.remove(&id)?;
        self.unindex(&entry.path, id);
        self.waiting.remove(&id);
        self.take_out(id, &mut entry);
        entry
            .report
            .set_state(FlowState::UserSpace(Reason::NotInstalled));
        let path = entry.path;
        if let Some(slot) = entry.slot {
            self.count(&mut entry);
            self.resting_order.push_back((self.ticks, id));
            self.resting.insert(
                id,
                Resting {
                    entry,
                    slot,
                    since: self.ticks,
                },
            );
        }
        self.retry(1);
        Some(path)
    }

    /// The flows along a path.
    pub(crate) fn on_path(&self, path: &Path) -> Vec<FlowId> {
        self.by_path
            .get(path)
            .map(|ids| ids.iter().copied().collect())
            .unwrap_or_default()
    }

    /// A flow that is wanted.
    pub(crate) fn flow(&self, id: FlowId) -> Option<&Flow> {
        self.flows.get(&id).map(|entry| &entry.flow)
    }

    /// A flow's way has changed.
    pub(crate) fn reroute(&mut self, id: FlowId, way: Result<Way, Reason>) {
        let Some(entry) = self.flows.get_mut(&id) else {
            return;
        };
        if entry.way == way {
            return;
        }
        entry.way = way;
        self.place(id);
    }

    /// Brings every report up to date. One linear pass.
    pub(crate) fn sweep(&mut self) -> Forwarded {
        let mut forwarded = Forwarded::new();
        for entry in self.flows.values_mut() {
            let (packets, bytes) = count(&mut self.map, entry);
            self.bytes += bytes;
            if let Ok(way) = entry.way
                && packets > 0
            {
                *forwarded.entry((way.ingress, way.hop.ifindex)).or_default() += packets;
            }
        }
        forwarded
    }

    /// Brings the reports of a few flows up to date.
    pub(crate) fn sweep_some(&mut self, ids: &[FlowId]) {
        for id in ids {
            if let Some(entry) = self.flows.get_mut(id) {
                let (_, bytes) = count(&mut self.map, entry);
                self.bytes += bytes;
            }
        }
    }

    /// UDP payload bytes that all flows have forwarded since start, as of the last sweep.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Frees slots that have rested and tries waiting flows again. Call it once a second.
    pub(crate) fn tick(&mut self) {
        self.ticks += 1;
        self.free_rested();
        self.retry(RETRIES);
    }

    /// Flows wanted, and flows in the kernel.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.flows.len(), self.by_local.len())
    }

    /// Ends every flow.
    pub(crate) fn clear(&mut self) {
        let ids: Vec<FlowId> = self.flows.keys().copied().collect();
        self.waiting.clear();
        for id in ids {
            self.remove(id);
        }
    }

    /// A new entry: with the slot its stream had, if that still rests, else counting on from the report.
    fn revive(
        &mut self,
        id: FlowId,
        flow: Flow,
        path: Path,
        report: Arc<FlowReport>,
        way: Result<Way, Reason>,
    ) -> Entry {
        if let Some(resting) = self.resting.remove(&id) {
            return Entry {
                flow,
                path,
                report,
                way,
                ..resting.entry
            };
        }
        let base = Base {
            packets: report.packets(),
            bytes: report.bytes(),
            ssrcs: report.ssrcs(),
        };
        Entry {
            flow,
            path,
            report,
            base,
            way,
            slot: None,
            written: None,
            seen: (0, 0),
        }
    }

    /// Makes the kernel's entry what it should be, and the report say so.
    fn place(&mut self, id: FlowId) {
        let Some(mut entry) = self.flows.remove(&id) else {
            return;
        };
        self.waiting.remove(&id);
        let state = match entry.way {
            Ok(way) => self.write(id, &mut entry, way),
            Err(reason) => {
                self.take_out(id, &mut entry);
                FlowState::UserSpace(reason)
            }
        };
        entry.report.set_state(state);
        self.flows.insert(id, entry);
    }

    fn write(&mut self, id: FlowId, entry: &mut Entry, way: Way) -> FlowState {
        if entry.slot.is_none() {
            entry.slot = self.slots.take();
        }
        let Some(slot) = entry.slot else {
            self.waiting.insert(id);
            return FlowState::UserSpace(Reason::TableFull);
        };
        let local = entry.flow.local;
        let value = encode::value(&entry.flow, &way, slot);
        if let Err(error) = self.map.write(encode::key(local), &value) {
            // What an older version of the flow said must not go on being done.
            self.take_out(id, entry);
            self.waiting.insert(id);
            return FlowState::UserSpace(match error {
                WriteError::Full => Reason::TableFull,
                WriteError::Refused => Reason::KernelRefused,
            });
        }
        if entry.written != Some(local) {
            self.take_out(id, entry);
            self.own(local, id);
            entry.written = Some(local);
        }
        FlowState::Kernel
    }

    /// Records whose entry stands at `local`. Another flow's that stood there has been overwritten.
    fn own(&mut self, local: SocketAddr, id: FlowId) {
        let Some(other) = self.by_local.insert(local, id) else {
            return;
        };
        if let Some(entry) = self.flows.get_mut(&other) {
            entry.written = None;
            entry.way = Err(Reason::NotInstalled);
            entry
                .report
                .set_state(FlowState::UserSpace(Reason::NotInstalled));
        }
    }

    fn take_out(&mut self, id: FlowId, entry: &mut Entry) {
        let Some(local) = entry.written.take() else {
            return;
        };
        if self.by_local.get(&local) == Some(&id) {
            self.map.delete(encode::key(local));
            self.by_local.remove(&local);
        }
    }

    fn count(&mut self, entry: &mut Entry) {
        let (_, bytes) = count(&mut self.map, entry);
        self.bytes += bytes;
    }

    fn free_rested(&mut self) {
        while let Some((since, id)) = self.resting_order.front().copied() {
            // One whole interval between two ticks: every program that saw the entry has long returned.
            if since + 2 > self.ticks {
                return;
            }
            self.resting_order.pop_front();
            if self.resting.get(&id).is_none_or(|r| r.since != since) {
                continue;
            }
            if let Some(mut resting) = self.resting.remove(&id) {
                self.count(&mut resting.entry);
                self.map.clear(resting.slot);
                self.slots.give_back(resting.slot);
            }
        }
    }

    fn retry(&mut self, at_most: usize) {
        let next = self.next_waiting;
        let in_turn = self.waiting.range(next..).chain(self.waiting.range(..next));
        let ids: Vec<FlowId> = in_turn.copied().take(at_most).collect();
        for id in ids {
            self.next_waiting = FlowId(id.0.saturating_add(1));
            self.place(id);
        }
    }

    fn unindex(&mut self, path: &Path, id: FlowId) {
        if let Some(ids) = self.by_path.get_mut(path) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_path.remove(path);
            }
        }
    }
}

/// However the table ends, no report goes on saying what is no longer so.
impl<M> Drop for FlowTable<M> {
    fn drop(&mut self) {
        for entry in self.flows.values() {
            entry
                .report
                .set_state(FlowState::UserSpace(Reason::NoEngine));
        }
    }
}

/// Reads an entry's counters into its report; returns the packets and bytes since the last time.
fn count(map: &mut impl FlowMap, entry: &mut Entry) -> (u64, u64) {
    let Some(slot) = entry.slot else {
        return (0, 0);
    };
    let stats = map.stats(slot);
    let (packets, bytes) = entry.seen;
    let new = (
        stats.packets.saturating_sub(packets),
        stats.bytes.saturating_sub(bytes),
    );
    if new.0 == 0 {
        return new;
    }
    entry.seen = (stats.packets, stats.bytes);
    entry.report.set_counters(
        entry.base.packets + stats.packets,
        entry.base.bytes + stats.bytes,
        stats.last_packet_ns / 1_000_000,
        continued(&entry.base.ssrcs, encode::ssrcs(&stats)),
    );
    new
}

/// Adds what was counted before to what is counted now.
fn continued(base: &[SsrcCounters], mut now: Vec<SsrcCounters>) -> Vec<SsrcCounters> {
    for earlier in base {
        match now.iter_mut().find(|ssrc| ssrc.ssrc == earlier.ssrc) {
            Some(ssrc) => {
                ssrc.packets += earlier.packets;
                ssrc.lost = ssrc.lost.saturating_add(earlier.lost);
            }
            None => now.push(*earlier),
        }
    }
    now
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
