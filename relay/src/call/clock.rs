//! The two clocks a call needs, read by the caller.

use serde::{Deserialize, Serialize};

/// One moment on both clocks. `call` reads no clock itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timestamp {
    /// Microseconds since the Unix epoch: what clients are told.
    pub wall_us: u64,
    /// Milliseconds of CLOCK_MONOTONIC: what timeouts are measured with, and the clock of [`StreamView`](crate::plan::StreamView).
    pub monotonic_ms: u64,
}

impl Timestamp {
    /// Seconds since the Unix epoch at another reading of the monotonic clock.
    #[must_use]
    pub fn wall_s_at(&self, monotonic_ms: u64) -> u64 {
        let wall_ms = self.wall_us / 1000;
        let later = monotonic_ms.saturating_sub(self.monotonic_ms);
        let earlier = self.monotonic_ms.saturating_sub(monotonic_ms);
        (wall_ms + later).saturating_sub(earlier) / 1000
    }
}
