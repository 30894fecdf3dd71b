//! The clock of media: CLOCK_MONOTONIC, which the kernel program reads, too.

use nix::time::{ClockId, clock_gettime};

/// A point in time, ns of CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Now(pub(crate) u64);

impl Now {
    pub(crate) fn read() -> Self {
        // Reading this clock cannot fail: it exists in every kernel.
        clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Self(0), |time| {
            Self(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
        })
    }

    pub(crate) fn us(self) -> u64 {
        self.0 / 1000
    }

    pub(crate) fn ms(self) -> u64 {
        self.0 / 1_000_000
    }
}
