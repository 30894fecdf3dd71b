//! The generation before, as it lies in memory: what its flows have counted, to be gone on from.

use std::sync::atomic::{AtomicU32, Ordering};

use underpass_abi::{self as abi, HELD, PortLine, Record};

use super::counters::Total;
use super::encode;
use super::memory::Port;
use crate::datapath::SsrcCounters;
use crate::datapath::mapped::Mapped;

/// What the kernel has counted for a stream, up to and with the generation before.
#[derive(Debug)]
pub(super) struct Counted {
    /// Of all generations.
    pub(super) total: Total,
    /// When the last packet was forwarded, ms of CLOCK_MONOTONIC.
    pub(super) last_packet_ms: u64,
    /// What the generation before has measured of each SSRC.
    pub(super) ssrcs: Vec<SsrcCounters>,
}

/// PORTS and RECORDS of the generation before; only read.
#[derive(Debug)]
pub(crate) struct Previous {
    ports: Mapped<PortLine>,
    records: Mapped<Record>,
}

impl Previous {
    /// The generation in these maps.
    pub(crate) fn new(ports: Mapped<PortLine>, records: Mapped<Record>) -> Self {
        Self { ports, records }
    }

    /// What was counted at a port for the source that `flow` has, too. Its port numbers addresses as that generation was
    /// granted them: with other addresses in the configuration it may be another address's, and then the sums differ.
    pub(super) fn counted(&self, port: Port, flow: &abi::Flow) -> Option<Counted> {
        if port.line() >= self.ports.count() {
            return None;
        }
        let places = self.ports.at(port.line()).cast::<u32>();
        let place = places.wrapping_add(port.place());
        // SAFETY: an aligned word inside the mapping, which is only loaded.
        let name = unsafe { AtomicU32::from_ptr(place) }.load(Ordering::Acquire);
        let record = name.checked_sub(1).filter(|_| name != HELD)?;
        // SAFETY: inside the mapping (`get` has seen to it), and every bit pattern is a valid value. Volatile, since
        // others may still write it.
        let before = unsafe { (&raw const (*self.get(record)?).flow).read_volatile() };
        let sender = |flow: &abi::Flow| (flow.source_address, flow.source_port, flow.arriving_sum);
        if sender(&before) != sender(flow) {
            return None;
        }
        // SAFETY: as above.
        let home = unsafe { self.get(before.stats_record)?.read_volatile() };
        Some(Counted {
            total: Total::of(&home.stats).and(Total {
                packets: home.earlier_packets,
                bytes: home.earlier_bytes,
            }),
            last_packet_ms: home.stats.last_packet_ns / 1_000_000,
            ssrcs: encode::ssrcs(&home.stats).collect(),
        })
    }

    fn get(&self, record: u32) -> Option<*const Record> {
        (record < self.records.count()).then(|| self.records.at(record).cast_const())
    }
}

#[cfg(test)]
impl Previous {
    /// The maps of `table`, which ends.
    pub(super) fn of(mut table: super::FlowTable) -> Self {
        let other = super::Memory::in_memory(1, 1);
        let memory = std::mem::replace(&mut table.store.memory, other);
        let (ports, records) = memory.into_maps();
        Self::new(ports, records)
    }

    /// Counts packets of `payload` bytes in a record as its program does, which still forwards.
    pub(super) fn count(&mut self, record: u32, packets: u64, payload: u64) {
        let record = self.records.at(record);
        // SAFETY: inside the mapping, which nobody else writes.
        let stats = unsafe { &mut (*record).stats };
        stats.packets += packets;
        stats.bytes += packets * payload;
        stats.ssrcs[0].packets += packets;
        stats.ssrcs[0].highest_sequence += packets as u32;
    }
}
