//! What the machine and the relay carry, measured once a second: for limits, and for the numbers per second.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, error};

use super::calls::Shared;
use super::interval::Interval;
use super::office::{Office, Rates};
use crate::call::{Hundredths, Load};
use crate::ops::metrics::PathCounters;

/// Measures for as long as the relay lives.
pub(super) async fn measure(shared: Shared, office: Arc<Office>, interval_length: Duration) {
    let mut meters = (Meter::default(), Interval::new(interval_length));
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        second.tick().await;
        let (shared, office) = (Arc::clone(&shared), Arc::clone(&office));
        let measured = tokio::task::spawn_blocking(move || {
            let (meter, interval) = &mut meters;
            let mut dispatcher = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let server = dispatcher.handler_mut();
            let (user, kernel) = (office.user(server.media()), office.kernel());
            let (load, rates) = meter.measure(user, kernel, &System::read());
            server.calls_mut().set_load(load);
            office.set_rates(rates);
            let sessions = server.calls().len() as u64;
            if let Some(finished) = interval.second(sessions, &office.commands.total) {
                office.set_interval(finished);
            }
            meters
        });
        match measured.await {
            Ok(measured) => meters = measured,
            Err(_) => {
                error!("bug: measuring the load panicked; limits on it hold no longer");
                return;
            }
        }
    }
}

/// What the kernel says of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct System {
    /// The first line of /proc/stat.
    processors: Option<Processors>,
    /// The load average of the last minute.
    load: Hundredths,
}

/// Time since boot, in ticks of all processors together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Processors {
    idle: u64,
    all: u64,
}

impl System {
    fn read() -> Self {
        let read = |path| {
            let text = std::fs::read_to_string(path);
            text.inspect_err(|error| debug!("{path} cannot be read: {error}"))
                .unwrap_or_default()
        };
        Self {
            processors: Processors::parse(&read("/proc/stat")),
            load: load_average(&read("/proc/loadavg")).unwrap_or_default(),
        }
    }
}

impl Processors {
    /// user, nice, system, idle, iowait, irq, softirq, steal; what follows is in user and nice already.
    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> = line
            .split_whitespace()
            .take(8)
            .map_while(|ticks| ticks.parse().ok())
            .collect();
        Some(Self {
            idle: ticks.get(3)? + ticks.get(4)?,
            all: ticks.iter().sum(),
        })
    }
}

fn load_average(loadavg: &str) -> Option<Hundredths> {
    Hundredths::parse(loadavg.split_whitespace().next()?)
}

/// What was measured last.
#[derive(Debug, Default)]
struct Meter {
    last: Option<(PathCounters, PathCounters)>,
    processors: Processors,
}

impl Meter {
    /// The load now, and what was relayed since this was called last, a second ago.
    fn measure(
        &mut self,
        user: PathCounters,
        kernel: PathCounters,
        system: &System,
    ) -> (Load, Rates) {
        let rates = match self.last.replace((user, kernel)) {
            Some((user_before, kernel_before)) => Rates {
                user: since(user, user_before),
                kernel: since(kernel, kernel_before),
            },
            None => Rates::default(),
        };
        let processors = system.processors.unwrap_or(self.processors);
        let load = Load {
            cpu: busy(self.processors, processors),
            load: system.load,
            bandwidth: rates.user.bytes + rates.kernel.bytes,
        };
        self.processors = processors;
        (load, rates)
    }
}

/// How much of the time between the two the processors were busy, in hundredths of a percent.
fn busy(before: Processors, now: Processors) -> Hundredths {
    let all = now.all.saturating_sub(before.all);
    let idle = now.idle.saturating_sub(before.idle).min(all);
    if before.all == 0 || all == 0 {
        return Hundredths(0);
    }
    Hundredths(u32::try_from((all - idle) * 10_000 / all).unwrap_or(10_000))
}

fn since(now: PathCounters, before: PathCounters) -> PathCounters {
    PathCounters {
        packets: now.packets.saturating_sub(before.packets),
        errors: now.errors.saturating_sub(before.errors),
        bytes: now.bytes.saturating_sub(before.bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(packets: u64) -> PathCounters {
        PathCounters {
            packets,
            errors: 0,
            bytes: packets * 172,
        }
    }

    fn system(idle: u64, all: u64) -> System {
        System {
            processors: Some(Processors { idle, all }),
            load: Hundredths(125),
        }
    }

    #[test]
    fn rates_are_what_was_relayed_since_the_second_before() {
        let mut meter = Meter::default();
        let (load, rates) = meter.measure(packets(1000), packets(9000), &system(0, 0));
        assert_eq!((load.bandwidth, rates), (0, Rates::default()));
        let (load, rates) = meter.measure(packets(1050), packets(9100), &system(0, 0));
        assert_eq!((rates.user.packets, rates.kernel.packets), (50, 100));
        assert_eq!(load.bandwidth, 150 * 172);
        assert_eq!(load.load, Hundredths(125));
    }

    #[test]
    fn processors_are_busy_when_they_are_not_idle() {
        let mut meter = Meter::default();
        let mut cpu = |idle, all| {
            let (load, _) = meter.measure(packets(0), packets(0), &system(idle, all));
            load.cpu.value()
        };
        assert_eq!(cpu(5_000, 10_000), 0.0, "nothing to compare with");
        assert_eq!(cpu(5_150, 10_200), 25.0);
        assert_eq!(cpu(5_150, 10_400), 100.0);
        assert_eq!(cpu(5_350, 10_600), 0.0);
    }

    #[test]
    fn the_kernels_lines_are_read() {
        let stat = "cpu  10 1 5 80 4 0 2 1 7 0\ncpu0 1 1 1 1\n";
        let processors = Processors { idle: 84, all: 103 };
        assert_eq!(Processors::parse(stat), Some(processors));
        assert_eq!(Processors::parse("intr 5"), None);
        assert_eq!(
            load_average("0.52 0.58 0.59 1/467 2345\n"),
            Some(Hundredths(52))
        );
        assert!(System::read().processors.is_some());
    }
}
