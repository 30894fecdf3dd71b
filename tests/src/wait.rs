//! Waiting for a condition. Deadlines are generous: they end a hopeless wait, they measure nothing.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a condition may take before the test is given up.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// Waits until `condition` holds.
///
/// # Panics
/// After [`DEADLINE`], naming `what` was waited for.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// Waits until `attempt` returns a value.
///
/// # Panics
/// After [`DEADLINE`], naming `what` was waited for.
#[track_caller]
pub fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        sleep(Duration::from_millis(10));
    }
}
