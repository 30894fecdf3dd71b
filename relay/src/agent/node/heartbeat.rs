//! The sign of life of a generation's owner: the first word of HEADER, in every layout.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::time::{ClockId, clock_gettime};
use underpass_abi::HEADER;

use super::bpf;
use crate::datapath::mapped::{Access, Mapped};

/// When there was one last, ns of CLOCK_MONOTONIC; `None` if it can't be told.
pub(super) fn last(directory: &Path) -> Option<u64> {
    let header = bpf::open(&directory.join(HEADER)).ok()?;
    let word: Mapped<u64> = Mapped::new(header.as_fd(), 1, Access::Read).ok()?;
    // SAFETY: an aligned word inside the mapping, which is only loaded.
    Some(unsafe { AtomicU64::from_ptr(word.at(0)) }.load(Ordering::Relaxed))
}

/// Gives one, now.
pub(super) fn beat(directory: &Path) -> Option<()> {
    let header = bpf::open(&directory.join(HEADER)).ok()?;
    let word: Mapped<u64> = Mapped::new(header.as_fd(), 1, Access::Write).ok()?;
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).ok()?;
    let now = now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64;
    // SAFETY: an aligned word inside the mapping, which is only accessed atomically.
    unsafe { AtomicU64::from_ptr(word.at(0)) }.store(now, Ordering::Relaxed);
    Some(())
}
