//! Threads that stay on one processor.

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Keeps the calling thread on processor `cpu`, and the threads that it starts from here on.
pub(super) fn stay_on(cpu: usize) -> nix::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set)
}

/// Lets the calling thread go before all ordinary ones; where that is not allowed it waits its turn like them.
pub(super) fn go_first() {
    let parameter = libc::sched_param { sched_priority: 1 };
    // SAFETY: a plain system call on the calling thread with a valid parameter.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameter) };
}
