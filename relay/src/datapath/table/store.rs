//! Flows in the maps: written, replaced, taken out, and counted.
//!
//! A flow is counted in its *home*, the record it was first written in. A replacement is written in another record that
//! says so; the port then names that one, from one packet to the next. Once the home has rested the flow moves back, so
//! that a packet meets what to do and what was done in one page, and only the home is kept.
//!
//! A flow with several receivers has a record for each. The first names the others, and they come and go with it: they are
//! written before a port names it, and rest when none does any more.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use smallvec::SmallVec;
use underpass_abi::MAX_FURTHER;

use super::counters::{Counter, Total, go_on_waiting};
use super::encode::{self, Exit};
use super::grant::Grant;
use super::held::Held;
use super::memory::{Memory, Port, Says};
use super::previous::Previous;
use super::records::Records;
use super::{Forwarded, Way};
use crate::datapath::{Flow, FlowId, FlowReport, Reason};

/// Where a flow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// What names it.
    pub(super) port: Port,
    /// The record it is written in; of several, the first receiver's.
    pub(super) at: u32,
    /// The record it is counted in.
    pub(super) home: u32,
}

/// The records of a flow, by receiver.
type Written = SmallVec<[u32; 1 + MAX_FURTHER]>;

/// What of a flow the grant knows: its port, and by receiver the address it leaves from.
pub(super) type Known = (Port, SmallVec<[u16; 1]>);

/// The maps of a table, and who has what in them.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) memory: Memory,
    grant: Grant,
    held: Held,
    records: Records,
    /// By record: what is counted there, if anything.
    counters: Vec<Option<Counter>>,
    max_flows: u32,
    flows: u32,
    /// Receivers that flows have beside their first.
    further: u32,
    total: Total,
    forwarded: Forwarded,
}

impl Store {
    /// An empty table that holds at most `max_flows`.
    pub(super) fn new(memory: Memory, grant: Grant, max_flows: u32) -> Self {
        Self {
            grant,
            held: Held::new(memory.places()),
            records: Records::new(memory.records()),
            memory,
            counters: Vec::new(),
            max_flows,
            flows: 0,
            further: 0,
            total: Total::default(),
            forwarded: BTreeMap::new(),
        }
    }

    /// Flows at their ports.
    pub(super) fn flows(&self) -> u32 {
        self.flows
    }

    /// Everything forwarded since start, as of the last look.
    pub(super) fn total(&self) -> Total {
        self.total
    }

    /// True: no further flow would find room.
    pub(super) fn is_full(&self) -> bool {
        self.flows + self.further >= self.max_flows || self.records.none_free()
    }

    /// Notes whether there is a socket at a port, and lets it say so unless it has a flow. Ports that are not granted are
    /// nothing to the kernel.
    pub(super) fn hold(&mut self, local: SocketAddr, is_held: bool, has_flow: bool) {
        let Some(port) = self.grant.port(local) else {
            return;
        };
        self.held.set(port, is_held);
        if !has_flow {
            self.memory.say(port, self.word(port, None));
        }
    }

    /// No port has a socket any more. For a table without flows.
    pub(super) fn let_all_go(&mut self) {
        for port in self.held.take_all() {
            self.memory.say(port, Says::Nothing);
        }
    }

    /// Adds what the generation before has counted at a flow's port to its record and its report. True: it had the flow.
    pub(super) fn take_over(&mut self, placed: Placed, previous: &Previous) -> bool {
        let flow = self.memory.flow(placed.at);
        let counter = &mut self.counters[placed.home as usize];
        let (Some(counted), Some(counter)) = (previous.counted(placed.port, &flow), counter) else {
            return false;
        };
        counter.go_on_from(&mut self.memory, placed.home, &counted);
        // Also tells what both counted of each SSRC.
        let new = counter.look_closely(&mut self.memory, placed.home);
        self.note(placed.home, new);
        true
    }

    /// The same for a flow that has no record yet, because its way is not known: its report goes on from there, and from
    /// that its record, once it has one.
    pub(super) fn take_over_waiting(
        &self,
        flow: &Flow,
        report: &FlowReport,
        previous: &Previous,
    ) -> bool {
        let Some(port) = self.grant.port(flow.local) else {
            return false;
        };
        let Some(counted) = previous.counted(port, &encode::arriving(flow)) else {
            return false;
        };
        go_on_waiting(report, &counted);
        true
    }

    /// What the grant knows of a flow.
    ///
    /// # Errors
    /// [`Reason::NotGranted`].
    pub(super) fn granted(&self, flow: &Flow) -> Result<Known, Reason> {
        let port = self.grant.port(flow.local).ok_or(Reason::NotGranted)?;
        let from = flow.receivers().map(|receiver| receiver.from);
        let from_locals = from.map(|from| self.grant.family_index(from));
        let from_locals = from_locals.collect::<Option<_>>();
        Ok((port, from_locals.ok_or(Reason::NotGranted)?))
    }

    /// Brings a flow to its port, or replaces the one `placed` there in place. `ways`: by receiver.
    ///
    /// # Errors
    /// No room. What is `placed` still stands.
    pub(super) fn put(
        &mut self,
        id: FlowId,
        placed: Option<Placed>,
        (port, from_locals): Known,
        flow: &Flow,
        ways: &[Way],
        report: &Arc<FlowReport>,
    ) -> Result<Placed, Reason> {
        let exits = ways.iter().zip(from_locals);
        let exits = exits.map(|(way, from_local)| Exit {
            way: *way,
            from_local,
        });
        let exits: SmallVec<[Exit; 1]> = exits.collect();
        // The watchdog, whose it is, judges XDP, which has one receiver.
        let between = ways[0].between;
        let mut written = Written::new();
        if let Some(old) = placed {
            written = self.written(old.at);
            if let Some(counter) = &mut self.counters[old.home as usize] {
                counter.report = report.clone();
                counter.between = between;
            }
            if old.port == port && self.says_so(flow, &exits, &written, old.home) {
                return Ok(old);
            }
        }
        let others = self.flows + self.further - written.len() as u32;
        if others + exits.len() as u32 > self.max_flows {
            return Err(Reason::TableFull);
        }
        let records = self.take_records(exits.len()).ok_or(Reason::TableFull)?;
        let at = records[0];
        let home = placed.map_or(at, |old| old.home);
        if placed.is_none() {
            let mut counter = Counter::new(id, report.clone(), between);
            counter.keep_earlier(&mut self.memory, home);
            self.counters[home as usize] = Some(counter);
        }
        self.write(flow, &exits, &records, home);
        self.further += exits.len() as u32 - 1;
        match placed {
            Some(old) if old.port == port => self.memory.say(port, Says::Record(at)),
            _ => self.name(port, Some(at)),
        }
        if let Some(old) = placed {
            if old.port != port {
                self.name(old.port, None);
            }
            self.retire(old.at);
        }
        Ok(Placed { port, at, home })
    }

    /// Takes a flow out. What packets under way are counted in its records is not lost.
    pub(super) fn take_out(&mut self, placed: Placed) {
        self.name(placed.port, None);
        self.retire(placed.at);
        self.records.rest(placed.home);
        self.look(placed.home);
        if let Some(counter) = &mut self.counters[placed.home as usize] {
            counter.is_current = false;
        }
    }

    /// Brings the reports of all flows up to date: one pass over the records in their order.
    pub(super) fn look_at_all(&mut self) {
        for record in 0..self.counters.len() as u32 {
            self.look(record);
        }
    }

    /// Brings the report of the flow that is counted in a record up to date.
    pub(super) fn look(&mut self, record: u32) {
        let Some(counter) = &mut self.counters[record as usize] else {
            return;
        };
        let new = counter.look(&mut self.memory, record);
        self.note(record, new);
    }

    /// Notes what is new in a record.
    fn note(&mut self, record: u32, new: Total) {
        if let Some(counter) = &self.counters[record as usize]
            && new.packets > 0
        {
            self.total.add(new);
            *self.forwarded.entry(counter.between).or_default() += new.packets;
        }
    }

    /// Packets forwarded since the last call, as of the last look.
    pub(super) fn take_forwarded(&mut self) -> Forwarded {
        std::mem::take(&mut self.forwarded)
    }

    /// Once a second: frees records that have rested. Returns the flows whose home has: see [`Self::bring_home`].
    pub(super) fn tick(&mut self) -> Vec<FlowId> {
        let mut homeless = Vec::new();
        self.records.tick();
        while let Some(record) = self.records.next_rested() {
            match &self.counters[record as usize] {
                Some(counter) if counter.is_current => homeless.push(counter.id),
                Some(_) => self.close(record),
                None => self.records.give_back(record),
            }
        }
        homeless
    }

    /// Moves a flow back to its home, which has rested.
    pub(super) fn bring_home(&mut self, placed: Placed) -> Placed {
        let Placed { port, at, home } = placed;
        self.memory.write(home, &self.memory.flow(at));
        self.memory.say(port, Says::Record(home));
        self.records.rest(at);
        Placed {
            port,
            at: home,
            home,
        }
    }

    /// The last look at a record that nobody counts in any more; then it is free.
    fn close(&mut self, record: u32) {
        if let Some(mut counter) = self.counters[record as usize].take() {
            self.total
                .add(counter.look_closely(&mut self.memory, record));
            let Total { packets, bytes } = counter.seen();
            // In this order whoever adds both up meanwhile gets too much for a moment, but never too little for long.
            self.memory.add_past(packets, bytes);
            self.memory.clear(record);
        }
        self.records.give_back(record);
    }

    /// The records that a flow is written in.
    fn written(&self, at: u32) -> Written {
        let mut records = Written::from_slice(&[at]);
        records.extend(self.memory.further(at));
        records
    }

    /// Writes a flow in records that are free.
    fn write(&mut self, flow: &Flow, exits: &[Exit], records: &[u32], home: u32) {
        for (record, value) in encode::values(flow, exits, records, home) {
            self.memory.write(record, &value);
        }
    }

    /// True: that is what stands there.
    fn says_so(&self, flow: &Flow, exits: &[Exit], records: &[u32], home: u32) -> bool {
        let mut values = encode::values(flow, exits, records, home);
        records.len() == exits.len()
            && values.all(|(record, value)| self.memory.flow(record) == value)
    }

    /// Puts the records of a flow to rest that no port names any more.
    fn retire(&mut self, at: u32) {
        self.records.rest(at);
        for further in self.memory.further(at) {
            self.records.rest(further);
            self.further -= 1;
        }
    }

    /// So many free records, or none.
    fn take_records(&mut self, count: usize) -> Option<Written> {
        let mut records = Written::new();
        for _ in 0..count {
            let Some(record) = self.records.take() else {
                records.into_iter().for_each(|r| self.records.give_back(r));
                return None;
            };
            records.push(record);
            if self.counters.len() <= record as usize {
                self.counters.resize_with(record as usize + 1, || None);
            }
        }
        Some(records)
    }

    fn name(&mut self, port: Port, record: Option<u32>) {
        self.memory.say(port, self.word(port, record));
        if record.is_some() {
            self.flows += 1;
        } else {
            self.flows -= 1;
        }
        self.memory.set_flows(self.flows.into());
    }

    /// What a port says that has the flow of this record, or none.
    fn word(&self, port: Port, record: Option<u32>) -> Says {
        match record {
            Some(record) => Says::Record(record),
            None if self.held.has(port) => Says::Held,
            None => Says::Nothing,
        }
    }
}
