//! The clock of the duplicate cache.

use std::time::Duration;

/// CLOCK_MONOTONIC in ms.
pub(super) fn monotonic_ms() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    // The clock exists on every kernel, and does not go below zero.
    now.map_or(0, |now| Duration::from(now).as_millis() as u64)
}
