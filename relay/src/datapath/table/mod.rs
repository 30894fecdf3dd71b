//! The flows of one table: what is wanted, what is in the kernel, and what was counted.
//!
//! Knows no socket and no system call: the kernel's part is memory ([`memory`]), and where a flow can leave is told from
//! outside. Installing, moving and removing a flow costs the same with one flow and with 100,000.

mod counters;
mod encode;
mod grant;
mod held;
mod memory;
mod previous;
mod records;
mod sizes;
mod store;

pub(super) use grant::Grant;
pub(super) use memory::Memory;
pub(super) use previous::Previous;
pub(crate) use sizes::Sizes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::next_hop::{NextHop, Path};
use super::placement::Device;
use super::{Flow, FlowId, FlowReport, FlowState, Reason};
use store::{Placed, Store};

/// How a flow is to be forwarded: how it leaves and where it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// Whom it leaves to.
    pub(crate) hop: NextHop,
    /// The granted way out.
    pub(crate) egress: u32,
    /// The link-layer address granted with it.
    pub(crate) from_mac: [u8; 6],
    /// TTL or hop limit it leaves with.
    pub(crate) ttl: u8,
    /// The link-layer address it arrives at; zero where it may be any.
    pub(crate) local_mac: [u8; 6],
    /// From where to where.
    pub(crate) between: Between,
}

/// Where one receiver's packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leg {
    /// What the route is looked up by.
    pub(crate) path: Path,
    /// How they are forwarded there, or why they can't be.
    pub(crate) way: Result<Way, Reason>,
}

/// A flow's, by receiver.
pub(crate) type Legs = SmallVec<[Leg; 1]>;

/// Those of a flow that has all of them.
type Ways = SmallVec<[Way; 1]>;

/// The ingress and the egress interface.
pub(crate) type Between = [Device; 2];

/// Packets forwarded.
pub(crate) type Forwarded = BTreeMap<Between, u64>;

/// Waiting flows tried again in one tick.
const RETRIES: usize = 65_536;

#[derive(Debug)]
struct Entry {
    flow: Flow,
    legs: Legs,
    report: Arc<FlowReport>,
    /// Another flow has been installed at its port since.
    is_displaced: bool,
    placed: Option<Placed>,
}

/// The flows of one table.
#[derive(Debug)]
pub(crate) struct FlowTable {
    store: Store,
    flows: BTreeMap<FlowId, Entry>,
    by_path: BTreeMap<Path, BTreeSet<FlowId>>,
    /// The flow that was installed last at each port.
    by_local: HashMap<SocketAddr, FlowId>,
    /// Flows there was no room for.
    waiting: BTreeSet<FlowId>,
    /// Which of them is tried next: all get their turn.
    next_waiting: FlowId,
}

impl FlowTable {
    /// An empty table of at most `max_flows` flows.
    pub(crate) fn new(memory: Memory, grant: Grant, max_flows: u32) -> Self {
        Self {
            store: Store::new(memory, grant, max_flows),
            flows: BTreeMap::new(),
            by_path: BTreeMap::new(),
            by_local: HashMap::new(),
            waiting: BTreeSet::new(),
            next_waiting: FlowId(0),
        }
    }

    /// Wants `flow` forwarded along these legs; replaces the flow of the same id in place. Returns the legs it had before.
    pub(crate) fn install(
        &mut self,
        id: FlowId,
        flow: Flow,
        legs: Legs,
        report: Arc<FlowReport>,
    ) -> Legs {
        let local = flow.local;
        let mut entry = Entry {
            flow,
            legs,
            report,
            is_displaced: false,
            placed: None,
        };
        self.take_port(local, id);
        let mut before = Legs::new();
        if let Some(old) = self.flows.remove(&id) {
            before = old.legs;
            entry.placed = old.placed;
            if old.flow.local != local {
                self.leave_port(old.flow.local, id);
            }
        }
        self.reindex(id, &before, &entry.legs);
        self.flows.insert(id, entry);
        self.place(id);
        before
    }

    /// Ends a flow and returns the legs it had.
    pub(crate) fn remove(&mut self, id: FlowId) -> Legs {
        let Some(entry) = self.flows.remove(&id) else {
            return Legs::new();
        };
        self.reindex(id, &entry.legs, &[]);
        self.leave_port(entry.flow.local, id);
        self.waiting.remove(&id);
        if let Some(placed) = entry.placed {
            self.store.take_out(placed);
        }
        entry
            .report
            .set_state(FlowState::UserSpace(Reason::NotInstalled));
        self.retry(1);
        entry.legs
    }

    /// The flows along a path.
    pub(crate) fn on_path(&self, path: &Path) -> Vec<FlowId> {
        self.by_path
            .get(path)
            .map(|ids| ids.iter().copied().collect())
            .unwrap_or_default()
    }

    /// All flows that are wanted.
    pub(crate) fn ids(&self) -> Vec<FlowId> {
        self.flows.keys().copied().collect()
    }

    /// Has a flow follow other legs from now on; returns those it had.
    pub(crate) fn set_legs(&mut self, id: FlowId, legs: Legs) -> Legs {
        let Some(entry) = self.flows.get_mut(&id) else {
            return legs;
        };
        let before = std::mem::replace(&mut entry.legs, legs.clone());
        let is_displaced = entry.is_displaced;
        self.reindex(id, &before, &legs);
        if before != legs && !is_displaced {
            self.place(id);
        }
        before
    }

    /// A flow that is wanted.
    pub(crate) fn flow(&self, id: FlowId) -> Option<&Flow> {
        self.flows.get(&id).map(|entry| &entry.flow)
    }

    /// A flow's way along one of its paths has changed.
    pub(crate) fn reroute(&mut self, id: FlowId, path: &Path, way: Result<Way, Reason>) {
        let Some(entry) = self.flows.get_mut(&id) else {
            return;
        };
        let mut has_changed = false;
        for leg in entry.legs.iter_mut().filter(|leg| leg.path == *path) {
            has_changed |= leg.way != way;
            leg.way = way;
        }
        if has_changed && !entry.is_displaced {
            self.place(id);
        }
    }

    /// There are sockets at these ports from now on (`is_held`), or no more.
    pub(crate) fn hold(&mut self, locals: &[SocketAddr], is_held: bool) {
        for local in locals {
            let at_port = self.by_local.get(local).and_then(|id| self.flows.get(id));
            let has_flow = at_port.is_some_and(|entry| entry.placed.is_some());
            self.store.hold(*local, is_held, has_flow);
        }
    }

    /// Gives a sign of life, at `now_ns` of CLOCK_MONOTONIC.
    pub(crate) fn alive(&mut self, now_ns: u64) {
        self.store.memory.set_alive(now_ns);
    }

    /// Ends the lease, now.
    pub(crate) fn end_lease(&mut self) {
        self.store.memory.set_alive(0);
    }

    /// Adds what the generation before has counted to the records and reports of the flows that are here now; returns how
    /// many it had. Nothing is counted twice, however often it is called.
    pub(crate) fn take_over(&mut self, previous: &Previous) -> usize {
        let Self { store, flows, .. } = self;
        let goes_on = |entry: &&Entry| match entry.placed {
            Some(placed) => store.take_over(placed, previous),
            None => store.take_over_waiting(&entry.flow, &entry.report, previous),
        };
        flows.values().filter(goes_on).count()
    }

    /// Brings every report up to date. One linear pass.
    pub(crate) fn sweep(&mut self) {
        self.store.look_at_all();
    }

    /// Brings the reports of a few flows up to date.
    pub(crate) fn sweep_some(&mut self, ids: &[FlowId]) {
        for id in ids {
            let placed = self.flows.get(id).and_then(|entry| entry.placed);
            if let Some(placed) = placed {
                self.store.look(placed.home);
            }
        }
    }

    /// Packets forwarded since the last call, as of the last sweep.
    pub(crate) fn take_forwarded(&mut self) -> Forwarded {
        self.store.take_forwarded()
    }

    /// Packets and UDP payload bytes that all flows have forwarded since start, as of the last sweep.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let total = self.store.total();
        (total.packets, total.bytes)
    }

    /// Makes use of records that have rested, and tries waiting flows again. Call it once a second.
    pub(crate) fn tick(&mut self) {
        for id in self.store.tick() {
            if let Some(entry) = self.flows.get_mut(&id)
                && let Some(placed) = entry.placed
            {
                entry.placed = Some(self.store.bring_home(placed));
            }
        }
        self.retry(RETRIES);
    }

    /// Flows wanted, and flows in the kernel.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.flows.len(), self.store.flows() as usize)
    }

    /// Ends every flow, and holds no port any more.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        for id in self.ids() {
            self.remove(id);
        }
        self.store.let_all_go();
    }

    /// Makes the kernel's part what it should be, and the report say so.
    fn place(&mut self, id: FlowId) {
        self.waiting.remove(&id);
        let Some(entry) = self.flows.get_mut(&id) else {
            return;
        };
        // What is not granted is so whatever its way.
        let port = self.store.granted(&entry.flow);
        let put = port.and_then(|port| {
            let ways = entry.legs.iter().map(|leg| leg.way);
            let ways: Ways = ways.collect::<Result<_, _>>()?;
            let Entry {
                placed,
                flow,
                report,
                ..
            } = entry;
            self.store.put(id, *placed, port, flow, &ways, report)
        });
        let state = match put {
            Ok(placed) => {
                entry.placed = Some(placed);
                FlowState::Kernel
            }
            Err(reason) => {
                // What an older version of the flow said must not go on being done.
                if let Some(placed) = entry.placed.take() {
                    self.store.take_out(placed);
                }
                if reason == Reason::TableFull {
                    self.waiting.insert(id);
                }
                FlowState::UserSpace(reason)
            }
        };
        entry.report.set_state(state);
    }

    /// A port belongs to the flow that was installed there last: another one's is taken out.
    fn take_port(&mut self, local: SocketAddr, id: FlowId) {
        let Some(other) = self.by_local.insert(local, id).filter(|other| *other != id) else {
            return;
        };
        self.waiting.remove(&other);
        if let Some(entry) = self.flows.get_mut(&other) {
            if let Some(placed) = entry.placed.take() {
                self.store.take_out(placed);
            }
            entry.is_displaced = true;
            entry
                .report
                .set_state(FlowState::UserSpace(Reason::NotInstalled));
        }
    }

    fn leave_port(&mut self, local: SocketAddr, id: FlowId) {
        if self.by_local.get(&local) == Some(&id) {
            self.by_local.remove(&local);
        }
    }

    fn retry(&mut self, at_most: usize) {
        if self.waiting.is_empty() || self.store.is_full() {
            return;
        }
        let next = self.next_waiting;
        let in_turn = self.waiting.range(next..).chain(self.waiting.range(..next));
        let ids: Vec<FlowId> = in_turn.copied().take(at_most).collect();
        for id in ids {
            if self.store.is_full() {
                return;
            }
            self.next_waiting = FlowId(id.0.saturating_add(1));
            self.place(id);
        }
    }

    /// Has a flow be found by the paths it has now, and no longer by those it had.
    fn reindex(&mut self, id: FlowId, before: &[Leg], now: &[Leg]) {
        let is_in = |legs: &[Leg], path: &Path| legs.iter().any(|leg| leg.path == *path);
        for Leg { path, .. } in before.iter().filter(|leg| !is_in(now, &leg.path)) {
            if let Some(ids) = self.by_path.get_mut(path) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.by_path.remove(path);
                }
            }
        }
        for Leg { path, .. } in now.iter().filter(|leg| !is_in(before, &leg.path)) {
            self.by_path.entry(*path).or_default().insert(id);
        }
    }
}

/// However the table ends, no report goes on saying what is no longer so.
impl Drop for FlowTable {
    fn drop(&mut self) {
        for entry in self.flows.values() {
            entry
                .report
                .set_state(FlowState::UserSpace(Reason::NoEngine));
        }
    }
}

#[cfg(test)]
mod tests;
