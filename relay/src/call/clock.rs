//! The two clocks a call needs, read by the caller.

/// One moment on both clocks. `call` reads no clock itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamp {
    /// Microseconds since the Unix epoch: what clients are told.
    pub wall_us: u64,
    /// Milliseconds of CLOCK_MONOTONIC: what timeouts are measured with, and the clock of [`StreamView`](crate::plan::StreamView).
    pub monotonic_ms: u64,
}
