//! Time that passes, and processor time that this process takes meanwhile.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// What something took, ns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// From begin to end.
    pub(super) wall_ns: f64,
    /// On all processors, the kernel's part included: nothing else runs in this process.
    pub(super) cpu_ns: f64,
}

/// A running measurement.
pub(super) struct Watch {
    started: Instant,
    cpu: Duration,
}

impl Watch {
    pub(super) fn start() -> Self {
        let cpu = cpu();
        let started = Instant::now();
        Self { started, cpu }
    }

    pub(super) fn cost(&self) -> Cost {
        let wall = self.started.elapsed();
        Cost {
            wall_ns: wall.as_nanos() as f64,
            cpu_ns: cpu().saturating_sub(self.cpu).as_nanos() as f64,
        }
    }
}

impl Cost {
    /// Of one of `count` equal parts.
    pub(super) fn per(self, count: f64) -> Self {
        Self {
            wall_ns: self.wall_ns / count,
            cpu_ns: self.cpu_ns / count,
        }
    }

    /// Both together.
    pub(super) fn add(&mut self, other: Self) {
        self.wall_ns += other.wall_ns;
        self.cpu_ns += other.cpu_ns;
    }
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    // The clock exists on every kernel.
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
