//! Threads that stay on one processor.

use std::thread::JoinHandle;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Starts `work` on a thread that runs on processor `cpu` only, as do the threads it starts.
pub(super) fn spawn<T: Send + 'static>(
    cpu: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<nix::Result<T>> {
    std::thread::spawn(move || {
        let mut set = CpuSet::new();
        set.set(cpu)?;
        sched_setaffinity(Pid::from_raw(0), &set)?;
        Ok(work())
    })
}
