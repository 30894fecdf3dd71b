//! What a generation holds, read from its pinned maps.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use underpass_abi::{HEADER, Header, RECORDS, Record};

use super::bpf;
use crate::datapath::TableUsage;
use crate::datapath::mapped::{Access, Mapped};

/// How often it is read again when the owner has moved counters meanwhile, which it does once a second at most.
const ATTEMPTS: usize = 3;

/// Flows and packets of a generation of this layout, whose pins are in `directory`.
pub(super) fn usage(directory: &Path) -> Option<TableUsage> {
    let header: Mapped<Header> = open(directory, HEADER)?;
    let records: Mapped<Record> = open(directory, RECORDS)?;
    let header = header.at(0);
    // SAFETY: aligned words inside the mapping, which no reference covers. It can't be written, and is only loaded.
    let (flows, past, past_bytes) = unsafe {
        (
            AtomicU64::from_ptr(&raw mut (*header).flows),
            AtomicU64::from_ptr(&raw mut (*header).past_packets),
            AtomicU64::from_ptr(&raw mut (*header).past_bytes),
        )
    };
    let (mut total, mut total_bytes) = (0_u64, 0_u64);
    for _ in 0..ATTEMPTS {
        let before = past.load(Ordering::Acquire);
        (total, total_bytes) = (before, past_bytes.load(Ordering::Relaxed));
        for record in 0..records.count() {
            let (packets, bytes) = counted(records.at(record));
            total = total.wrapping_add(packets);
            total_bytes = total_bytes.wrapping_add(bytes);
        }
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
    let map = bpf::open(&directory.join(name)).ok()?;
    let size = bpf::map_size(map.as_fd()).ok()?;
    if size.value != size_of::<T>() {
        return None;
    }
    Mapped::new(map.as_fd(), size.elements, Access::Read).ok()
}

/// Packets and bytes counted in a record, whose pointer comes from [`Mapped::at`]. Its owner may have written anything
/// there.
fn counted(record: *const Record) -> (u64, u64) {
    // SAFETY: aligned words inside the mapping. Volatile, since the program writes them.
    unsafe {
        let stats = &raw const (*record).stats;
        let own = (&raw const (*stats).packets).read_volatile();
        let bytes = (&raw const (*stats).bytes).read_volatile();
        (
            own.wrapping_add((&raw const (*stats).other_packets).read_volatile()),
            bytes.wrapping_add((&raw const (*stats).other_bytes).read_volatile()),
        )
    }
}
