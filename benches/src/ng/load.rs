//! The load on one relay, and what it takes.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::client::Client;

/// Between two timed offers: a proxy that is not busy, and a relay that has gone to sleep.
const BREATH: Duration = Duration::from_millis(1);

/// Cycles of offer, answer and delete.
#[derive(Clone, Copy)]
pub(super) struct Cycles {
    /// All clients together.
    pub(super) per_second: f64,
    /// Processor time of the relay's process per cycle, µs, all its threads together.
    pub(super) cpu_us: f64,
}

/// Times of single offers, ms, from the request's leaving to its reply.
#[derive(Clone, Copy)]
pub(super) struct Offers {
    /// Median.
    pub(super) p50_ms: f64,
    /// 99th percentile.
    pub(super) p99_ms: f64,
    /// The longest.
    pub(super) longest_ms: f64,
}

/// `cycles` of all clients together, each waiting for every reply. `label` makes the calls' ids unique.
///
/// # Errors
/// A request fails.
pub(super) fn cycles(
    clients: &mut [Client],
    pid: u32,
    cycles: usize,
    label: &str,
) -> Result<Cycles> {
    let each = (cycles / clients.len()).max(1);
    let (before, started) = (cpu_ns(pid)?, Instant::now());
    std::thread::scope(|scope| -> Result<()> {
        let mut threads = Vec::new();
        for (number, client) in clients.iter_mut().enumerate() {
            threads.push(scope.spawn(move || -> Result<()> {
                for n in 0..each {
                    client.cycle(&format!("{label}-{number}-{n}"))?;
                }
                Ok(())
            }));
        }
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a client panicked"))??;
        }
        Ok(())
    })?;
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_ns(pid)? - before);
    let done = (each * clients.len()) as f64;
    Ok(Cycles {
        per_second: done / seconds,
        cpu_us: cpu as f64 / done / 1e3,
    })
}

/// Times `count` offers, at least one, and deletes each call again.
///
/// # Errors
/// A request fails.
pub(super) fn offers(client: &mut Client, count: usize, label: &str) -> Result<Offers> {
    let mut times = Vec::with_capacity(count);
    for n in 0..count.max(1) {
        let id = format!("{label}-{n}");
        let started = Instant::now();
        client.offer(&id)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        client.delete(&id)?;
        std::thread::sleep(BREATH);
    }
    times.sort_by(f64::total_cmp);
    let at = |hundredth: usize| times[(times.len() * hundredth / 100).min(times.len() - 1)];
    Ok(Offers {
        p50_ms: at(50),
        p99_ms: at(99),
        longest_ms: at(100),
    })
}

/// Processor time of all threads of a process, ns. Threads that have ended are not in it: relays keep theirs.
fn cpu_ns(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let line = fs::read_to_string(thread?.path().join("schedstat"))?;
        let first = line.split_whitespace().next().unwrap_or_default();
        sum += first.parse::<u64>()?;
    }
    Ok(sum)
}
