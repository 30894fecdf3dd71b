//! Processor time that a path takes beside its sender: the relay's threads and the kernel's softirq threads.
//!
//! Softirq work is charged to the thread that it interrupts. What a sender's or a relay's system call sets off runs before
//! that call returns, so the two threads' run time holds all of it; what is too much for them runs in ksoftirqd. Left out
//! is what strikes an idle processor: timers, and the interrupt that wakes one.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

/// A clock that stands still while nobody works on the path.
pub struct Clock(Vec<ClockId>);

impl Clock {
    /// Of a relay's process, if there is one, and ksoftirqd.
    ///
    /// # Errors
    /// The process is gone.
    pub fn of(relay: Option<u32>) -> Result<Self> {
        let mut clocks = Vec::new();
        for pid in softirq_threads()?.into_iter().chain(relay) {
            let pid = Pid::from_raw(i32::try_from(pid)?);
            clocks.push(clock_getcpuclockid(pid).with_context(|| format!("process {pid}"))?);
        }
        Ok(Self(clocks))
    }

    /// The time it shows.
    ///
    /// # Errors
    /// The process is gone.
    pub fn now(&self) -> Result<Duration> {
        let mut sum = Duration::ZERO;
        for clock in &self.0 {
            sum += Duration::from(clock.now()?);
        }
        Ok(sum)
    }
}

fn softirq_threads() -> Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // Gone meanwhile: not one of them.
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if name.starts_with("ksoftirqd/") {
            pids.push(pid);
        }
    }
    Ok(pids)
}
