//! Which worker a call belongs to.

use crate::plan::CallKey;

/// The worker of all streams of a call, of `workers` there are (at least one).
///
/// Calls are numbered one after the other; the multiplication (Fibonacci hashing) keeps neighbours apart, so that the calls that are
/// left of a busy hour are still spread evenly.
#[must_use]
pub fn worker_of(call: CallKey, workers: usize) -> usize {
    let mixed = call.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    mixed as usize % workers.max(1)
}
