//! Flows in the maps: written, replaced, taken out, and counted.
//!
//! A flow is counted in its *home*, the record it was first written in. A replacement is written in another record that
//! says so; the port then names that one, from one packet to the next. Once the home has rested the flow moves back, so
//! that a packet meets what to do and what was done in one page, and only the home is kept.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::counters::{Counter, Total, go_on_waiting};
use super::grant::Grant;
use super::held::Held;
use super::memory::{Memory, Port, Says};
use super::previous::Previous;
use super::records::Records;
use super::{Forwarded, Way, encode};
use crate::datapath::{Flow, FlowId, FlowReport, Reason};

/// Where a flow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// What names it.
    pub(super) port: Port,
    /// The record it is written in.
    pub(super) at: u32,
    /// The record it is counted in.
    pub(super) home: u32,
}

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
        self.flows >= self.max_flows || self.records.none_free()
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
        let Ok((port, _)) = self.granted(flow) else {
            return false;
        };
        let Some(counted) = previous.counted(port, &encode::arriving(flow)) else {
            return false;
        };
        go_on_waiting(report, &counted);
        true
    }

    /// The port of a flow, and what it calls the address it leaves from.
    ///
    /// # Errors
    /// [`Reason::NotGranted`].
    pub(super) fn granted(&self, flow: &Flow) -> Result<(Port, u16), Reason> {
        let port = self.grant.port(flow.local).ok_or(Reason::NotGranted)?;
        let from_local = self.grant.family_index(flow.from);
        Ok((port, from_local.ok_or(Reason::NotGranted)?))
    }

    /// Brings a flow to its port, or replaces the one `placed` there in place.
    ///
    /// # Errors
    /// No room. What is `placed` still stands.
    pub(super) fn put(
        &mut self,
        id: FlowId,
        placed: Option<Placed>,
        (port, from_local): (Port, u16),
        flow: &Flow,
        way: &Way,
        report: &Arc<FlowReport>,
    ) -> Result<Placed, Reason> {
        let between = way.between;
        let Some(old) = placed else {
            if self.flows >= self.max_flows {
                return Err(Reason::TableFull);
            }
            let record = self.take_record().ok_or(Reason::TableFull)?;
            let mut counter = Counter::new(id, report.clone(), between);
            counter.keep_earlier(&mut self.memory, record);
            self.counters[record as usize] = Some(counter);
            let value = encode::value(flow, way, from_local, record);
            self.memory.write(record, &value);
            self.name(port, Some(record));
            return Ok(Placed {
                port,
                at: record,
                home: record,
            });
        };
        let value = encode::value(flow, way, from_local, old.home);
        if let Some(counter) = &mut self.counters[old.home as usize] {
            counter.report = report.clone();
            counter.between = between;
        }
        if old.port == port && self.memory.flow(old.at) == value {
            return Ok(old);
        }
        let at = self.take_record().ok_or(Reason::TableFull)?;
        self.memory.write(at, &value);
        if old.port == port {
            self.memory.say(port, Says::Record(at));
        } else {
            self.name(port, Some(at));
            self.name(old.port, None);
        }
        self.records.rest(old.at);
        Ok(Placed {
            port,
            at,
            home: old.home,
        })
    }

    /// Takes a flow out. What packets under way are counted in its records is not lost.
    pub(super) fn take_out(&mut self, placed: Placed) {
        self.name(placed.port, None);
        self.records.rest(placed.at);
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

    fn take_record(&mut self) -> Option<u32> {
        let record = self.records.take()?;
        if self.counters.len() <= record as usize {
            self.counters.resize_with(record as usize + 1, || None);
        }
        Some(record)
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
