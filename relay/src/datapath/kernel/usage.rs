//! What another relay's table holds, read from its pins.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use aya::maps::MapData;
use underpass_abi::{HEADER, Header, RECORDS, Record};

use super::pins;
use crate::datapath::TableUsage;
use crate::datapath::mapped::{Access, Mapped};
use crate::datapath::table::{bytes, packets};

/// How often it is read again when the owner has moved counters meanwhile, which it does once a second at most.
const ATTEMPTS: usize = 3;

/// See [`crate::datapath::table_usage`].
pub(in crate::datapath) fn table_usage(bpffs: &Path, table: u32) -> Option<TableUsage> {
    let directory = pins::directory(bpffs, table);
    let header: Mapped<Header> = open(&directory, HEADER)?;
    let records: Mapped<Record> = open(&directory, RECORDS)?;
    let header = header.at(0);
    // SAFETY: aligned words inside the mapping, which no reference covers. It can't be written, and is only loaded.
    let (flows, past, past_bytes) = unsafe {
        (
            AtomicU64::from_ptr(&raw mut (*header).flows),
            AtomicU64::from_ptr(&raw mut (*header).past_packets),
            AtomicU64::from_ptr(&raw mut (*header).past_bytes),
        )
    };
    let (mut total, mut total_bytes) = (0, 0);
    for _ in 0..ATTEMPTS {
        let before = past.load(Ordering::Acquire);
        let counted: u64 = (0..records.count()).map(|at| packets(records.at(at))).sum();
        total = before + counted;
        total_bytes = past_bytes.load(Ordering::Relaxed)
            + (0..records.count())
                .map(|at| bytes(records.at(at)))
                .sum::<u64>();
        if past.load(Ordering::Acquire) == before {
            break;
        }
    }
    Some(TableUsage {
        flows: flows.load(Ordering::Relaxed),
        packets: total,
        bytes: total_bytes,
    })
}

/// A whole map, for reading.
fn open<T>(directory: &Path, name: &str) -> Option<Mapped<T>> {
    let map = MapData::from_pin(directory.join(name)).ok()?;
    let info = map.info().ok()?;
    if info.value_size() as usize != size_of::<T>() {
        return None;
    }
    Mapped::new(map.fd().as_fd(), info.max_entries(), Access::Read).ok()
}
