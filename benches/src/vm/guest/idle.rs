//! What the processor has left over, and the guest's clock, which counts its instructions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

/// A SCHED_IDLE thread that counts; stops when dropped. Unlike [`crate::spinner::Spinner`] it does not pause between counts:
/// under emulation a pause leaves the translated code, and the guest crawls.
pub(super) struct Idle {
    spins: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The counters at a moment.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    spins: u64,
    at: Instant,
}

/// From one mark to another.
#[derive(Clone, Copy)]
pub(super) struct Interval {
    /// Counts of the thread.
    pub(super) spins: f64,
    /// Instructions executed: the guest's clock advances by a nanosecond with each.
    pub(super) instructions: f64,
}

impl Idle {
    pub(super) fn start() -> Self {
        let (spins, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (counted, stopped) = (Arc::clone(&spins), Arc::clone(&stop));
        Self {
            spins,
            stop,
            thread: Some(std::thread::spawn(move || spin(&counted, &stopped))),
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            spins: self.spins.load(Ordering::Relaxed),
            at: Instant::now(),
        }
    }

    pub(super) fn since(&self, mark: Mark) -> Interval {
        let now = self.mark();
        Interval {
            spins: (now.spins - mark.spins) as f64,
            instructions: (now.at - mark.at).as_nanos() as f64,
        }
    }
}

impl Interval {
    /// Counts per instruction.
    pub(super) fn rate(&self) -> f64 {
        self.spins / self.instructions
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn spin(spins: &AtomicU64, stop: &AtomicBool) {
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: a plain system call on the calling thread with a valid parameter.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameter) };
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        for step in 0..100 {
            std::hint::black_box(step);
        }
        count += 1;
        spins.store(count, Ordering::Relaxed);
    }
}
