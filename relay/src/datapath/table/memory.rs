//! The table as it lies in memory that it shares with the kernel program: HEADER, PORTS and RECORDS.
//!
//! No system call, no lock: the program may run on every processor while this is written. What makes that right is the
//! order of the stores. A record is written while no port names it, and then named by one aligned store with release
//! order; the program finds a record only through its name, there or in a record that it has found so, and a load through a
//! loaded value is never done before it. So it sees all of a record or none. A record's last name may still be held by a program that is running, which is
//! why records rest before they are written again: see [`super::records`].

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use smallvec::SmallVec;
use underpass_abi::{
    self as abi, FlowStats, HELD, Header, MAX_FURTHER, PORTS_PER_LINE, PortLine, Record,
    SEVERAL_RECEIVERS,
};

use crate::datapath::mapped::Mapped;

/// A place in PORTS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    line: u32,
    place: usize,
}

impl Port {
    /// A port of the address that has `block`.
    pub(super) fn new(block: u32, port: u16) -> Self {
        let port = usize::from(port);
        Self {
            line: block * abi::PORT_LINES + (port / PORTS_PER_LINE) as u32,
            place: port % PORTS_PER_LINE,
        }
    }

    /// The `index`th of all places.
    pub(super) fn at(index: usize) -> Self {
        Self {
            line: (index / PORTS_PER_LINE) as u32,
            place: index % PORTS_PER_LINE,
        }
    }

    /// Which of all places it is.
    pub(super) fn index(self) -> usize {
        self.line as usize * PORTS_PER_LINE + self.place
    }

    /// The line it is in.
    pub(super) fn line(self) -> u32 {
        self.line
    }

    /// Where it is there.
    pub(super) fn place(self) -> usize {
        self.place
    }
}

/// What a port says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// Nothing.
    Nothing,
    /// There is a socket of ours, and no flow.
    Held,
    /// The flow of this record.
    Record(u32),
}

/// The maps of one table. This process is the only one that writes them, but for [`Record::stats`].
#[derive(Debug)]
pub(crate) struct Memory {
    header: Mapped<Header>,
    ports: Mapped<PortLine>,
    records: Mapped<Record>,
}

impl Memory {
    /// A table in these maps, which are all zero.
    pub(crate) fn new(
        header: Mapped<Header>,
        ports: Mapped<PortLine>,
        records: Mapped<Record>,
    ) -> Self {
        Self {
            header,
            ports,
            records,
        }
    }

    /// Local addresses that there are ports for.
    pub(crate) fn blocks(&self) -> u32 {
        self.ports.count() / abi::PORT_LINES
    }

    /// Places there are.
    pub(super) fn places(&self) -> usize {
        self.ports.count() as usize * PORTS_PER_LINE
    }

    /// Records there are.
    pub(super) fn records(&self) -> u32 {
        self.records.count()
    }

    /// A sign of life: until the lease runs out after it, the program forwards. 0: no longer.
    pub(super) fn set_alive(&mut self, now_ns: u64) {
        let header = self.header.at(0);
        // SAFETY: an aligned word inside the mapping, which no reference covers.
        unsafe { AtomicU64::from_ptr(&raw mut (*header).alive_ns) }
            .store(now_ns, Ordering::Release);
    }

    /// Says how many ports have a flow, for whoever looks at the table.
    pub(super) fn set_flows(&mut self, flows: u64) {
        let header = self.header.at(0);
        // SAFETY: an aligned word inside the mapping, which no reference covers.
        unsafe { AtomicU64::from_ptr(&raw mut (*header).flows) }.store(flows, Ordering::Relaxed);
    }

    /// Keeps what was counted in a record that is about to be zeroed.
    pub(super) fn add_past(&mut self, packets: u64, bytes: u64) {
        let header = self.header.at(0);
        // SAFETY: aligned words inside the mapping, which no reference covers.
        let (past_packets, past_bytes) = unsafe {
            (
                AtomicU64::from_ptr(&raw mut (*header).past_packets),
                AtomicU64::from_ptr(&raw mut (*header).past_bytes),
            )
        };
        past_bytes.fetch_add(bytes, Ordering::Relaxed);
        past_packets.fetch_add(packets, Ordering::Relaxed);
    }

    /// Lets a port say something else. The program never sees anything between the old word and the new one.
    pub(super) fn say(&mut self, port: Port, says: Says) {
        let word = match says {
            Says::Nothing => 0,
            Says::Held => HELD,
            Says::Record(record) => record + 1,
        };
        self.place(port).store(word, Ordering::Release);
    }

    fn place(&self, port: Port) -> &AtomicU32 {
        let places = self.ports.at(port.line).cast::<u32>();
        assert!(port.place < PORTS_PER_LINE, "a place of one line");
        // SAFETY: an aligned word inside the line; it lives as long as the mapping and is only accessed atomically.
        unsafe { AtomicU32::from_ptr(places.wrapping_add(port.place)) }
    }

    /// What a record says.
    pub(super) fn flow(&self, record: u32) -> abi::Flow {
        // SAFETY: inside the mapping, and every bit pattern is a valid value. Only this process writes it.
        unsafe { (&raw const (*self.records.at(record)).flow).read_volatile() }
    }

    /// The records of the receivers beside the first, of the flow in a record.
    pub(super) fn further(&self, record: u32) -> SmallVec<[u32; MAX_FURTHER]> {
        let record = self.records.at(record);
        // SAFETY: inside the mapping, and every bit pattern is a valid value. Only this process writes it.
        let flags = unsafe { (&raw const (*record).flow.flags).read_volatile() };
        if flags & SEVERAL_RECEIVERS == 0 {
            return SmallVec::new();
        }
        // SAFETY: as above.
        let names = unsafe { (&raw const (*record).flow.further).read_volatile() };
        let records = names.iter().map_while(|name| name.checked_sub(1));
        records.collect()
    }

    /// Writes what a record says. It must be free, or have rested.
    pub(super) fn write(&mut self, record: u32, flow: &abi::Flow) {
        // SAFETY: inside the mapping; no program reads the record, since none can know its name.
        unsafe { (&raw mut (*self.records.at(record)).flow).write_volatile(*flow) };
    }

    /// Packets counted in a record, without a look at the rest.
    pub(super) fn packets(&self, record: u32) -> u64 {
        let record = self.records.at(record);
        packets(record)
    }

    /// What was counted in a record. The program goes on counting while it is read.
    pub(super) fn stats(&self, record: u32) -> FlowStats {
        // SAFETY: inside the mapping, and every bit pattern is a valid value. Volatile, since the program writes it.
        unsafe { (&raw const (*self.records.at(record)).stats).read_volatile() }
    }

    /// Writes what was counted elsewhere for the stream that is counted in a record.
    pub(super) fn set_earlier(&mut self, record: u32, packets: u64, bytes: u64) {
        let record = self.records.at(record);
        // SAFETY: aligned words inside the mapping, which the program does not look at.
        unsafe {
            (&raw mut (*record).earlier_bytes).write_volatile(bytes);
            (&raw mut (*record).earlier_packets).write_volatile(packets);
        }
    }

    /// Zeroes what was counted in a record. It must have rested.
    pub(super) fn clear(&mut self, record: u32) {
        self.set_earlier(record, 0, 0);
        // SAFETY: inside the mapping; no program counts there, since no flow that a port names says so.
        unsafe {
            (&raw mut (*self.records.at(record)).stats).write_volatile(FlowStats::default());
        }
    }
}

#[cfg(test)]
impl Memory {
    /// A table in memory of our own.
    pub(super) fn in_memory(records: u32, blocks: u32) -> Self {
        Self::new(
            Mapped::in_memory(1),
            Mapped::in_memory(blocks * abi::PORT_LINES),
            Mapped::in_memory(records),
        )
    }

    pub(super) fn header(&self) -> Header {
        // SAFETY: inside the mapping, which nobody else writes, and every bit pattern is a valid value.
        unsafe { self.header.at(0).read_volatile() }
    }

    pub(super) fn says(&self, port: Port) -> Says {
        match self.place(port).load(Ordering::Acquire) {
            0 => Says::Nothing,
            HELD => Says::Held,
            name => Says::Record(name - 1),
        }
    }

    pub(super) fn set_stats(&mut self, record: u32, stats: FlowStats) {
        // SAFETY: as above.
        unsafe { (&raw mut (*self.records.at(record)).stats).write_volatile(stats) };
    }

    /// The maps that a generation leaves to the next.
    pub(super) fn into_maps(self) -> (Mapped<PortLine>, Mapped<Record>) {
        (self.ports, self.records)
    }
}

/// Packets counted in a record, whose pointer comes from [`Mapped::at`].
fn packets(record: *const Record) -> u64 {
    // SAFETY: aligned words inside the mapping. Volatile, since the program writes them.
    unsafe {
        (&raw const (*record).stats.packets).read_volatile()
            + (&raw const (*record).stats.other_packets).read_volatile()
    }
}
