//! How much processor time is left over: threads that only run when nothing else wants to.
//!
//! Softirq work is charged to whatever it interrupts, so no process's own accounting shows it; what an idle-priority
//! spinner no longer gets does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One SCHED_IDLE thread on each processor, counting; stops when dropped.
pub struct Spinner {
    cores: Vec<Arc<Core>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

#[repr(align(128))]
#[derive(Default)]
struct Core(AtomicU64);

/// The counters at a moment.
pub struct Mark {
    spins: u64,
    at: Instant,
}

impl Spinner {
    /// Starts the threads.
    #[must_use]
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let cores: Vec<Arc<Core>> = (0..cpus).map(|_| Arc::default()).collect();
        let threads = (0..cpus)
            .map(|cpu| {
                let (core, stop) = (Arc::clone(&cores[cpu]), Arc::clone(&stop));
                std::thread::spawn(move || spin(cpu, &core, &stop))
            })
            .collect();
        Self {
            cores,
            stop,
            threads,
        }
    }

    /// The counters now.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let spins = self
            .cores
            .iter()
            .map(|core| core.0.load(Ordering::Relaxed))
            .sum();
        Mark {
            spins,
            at: Instant::now(),
        }
    }

    /// Spins per second since `mark`, all processors together.
    #[must_use]
    pub fn rate_since(&self, mark: &Mark) -> f64 {
        let now = self.mark();
        (now.spins - mark.spins) as f64 / (now.at - mark.at).as_secs_f64()
    }

    /// Spins per second for `duration`.
    #[must_use]
    pub fn rate_for(&self, duration: Duration) -> f64 {
        let mark = self.mark();
        std::thread::sleep(duration);
        self.rate_since(&mark)
    }

    /// Processors there are.
    #[must_use]
    pub fn processors(&self) -> usize {
        self.cores.len()
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn spin(cpu: usize, core: &Core, stop: &AtomicBool) {
    let mut set = nix::sched::CpuSet::new();
    if set.set(cpu).is_ok() {
        let _ = nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set);
    }
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: a plain system call on the calling thread with a valid parameter.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameter) };
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..100 {
            std::hint::spin_loop();
        }
        core.0.fetch_add(1, Ordering::Relaxed);
    }
}
