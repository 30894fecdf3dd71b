//! Generations looked at by their pins alone.

use std::path::Path;

use underpass_abi::LAYOUT_VERSION;

use super::pins::Pins;
use super::{heartbeat, usage};
use crate::agent::kernel::Generation;
use crate::datapath::TableUsage;

/// Flows and counters; `None` if they can't be read.
pub(in crate::agent) fn usage(bpffs: &Path, generation: Generation) -> Option<TableUsage> {
    if generation.layout != LAYOUT_VERSION {
        return None;
    }
    usage::usage(&Pins::at(bpffs).generation(generation))
}

/// The owner's last sign of life, ns of CLOCK_MONOTONIC; `None` if it can't be read.
pub(in crate::agent) fn last_alive_ns(bpffs: &Path, generation: Generation) -> Option<u64> {
    heartbeat::last(&Pins::at(bpffs).generation(generation))
}
