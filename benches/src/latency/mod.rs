//! What a relay adds to the time a packet takes from the caller's system call to the callee's interface.
//!
//! Every flow sends 50 packets a second, all flows evenly one after the other: a relay in user space is woken for each
//! packet, as it is in life unless it is very busy. The processors are kept awake meanwhile by threads that give way at
//! once: what it takes a halted virtual processor to wake up is its hypervisor's doing, tens of microseconds that come and go,
//! and would be measured instead of the relay. So the figures of relays in user space are the best that they can be.

mod answers;
mod arrivals;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::load::Pace;
use crate::path::cell::{Cell, Device, Families, System};
use crate::path::{Ground, allow_descriptors};
use crate::results::Section;
use crate::spinner::Spinner;
use crate::spread::Spread;
use arrivals::Arrivals;

/// Packets per second of a flow: 20 ms each.
const PER_FLOW: f64 = 50.0;
/// The steady rate of warming up, packets per second.
const WARM_UP: f64 = 20_000.0;

/// How latency is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Numbers of flows, rising.
    pub flows: Vec<usize>,
    /// The systems, on their devices; plain routing on the same device is measured with each.
    pub systems: Vec<(System, Device)>,
    /// Rounds; each measures all once.
    pub rounds: usize,
    /// How long a measurement lasts.
    pub window: Duration,
}

/// A round's times for one system, µs.
#[derive(Clone, Copy, Debug)]
struct Delays {
    p50: f64,
    p99: f64,
    max: f64,
}

/// One system's rounds with one number of flows.
struct Samples {
    cell: Cell,
    rounds: Vec<Delays>,
}

impl Default for Plan {
    /// About two minutes.
    fn default() -> Self {
        Self {
            flows: vec![1, 100, 1_000],
            systems: vec![
                (System::Bare, Device::Veth),
                (System::Kernel, Device::Veth),
                (System::Kernel, Device::VethXdp),
                (System::Kernel, Device::Macvlan),
                (System::Null, Device::Veth),
                (System::Rtpengine, Device::Veth),
            ],
            rounds: 3,
            window: Duration::from_millis(1_500),
        }
    }
}

impl Plan {
    /// What the figures need, in about half a minute.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            flows: vec![100],
            systems: vec![
                (System::Kernel, Device::Veth),
                (System::Null, Device::Veth),
                (System::Rtpengine, Device::Veth),
            ],
            window: Duration::from_secs(1),
            ..Self::default()
        }
    }

    /// More and longer rounds.
    #[must_use]
    pub fn full() -> Self {
        Self {
            rounds: 7,
            window: Duration::from_secs(4),
            ..Self::default()
        }
    }

    /// All that is up at the same time, routing before what is held against it.
    fn cells(&self, flows: usize) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (system, device) in &self.systems {
            let cell = Cell {
                system: *system,
                device: *device,
                families: Families::V4,
                flows,
            };
            for cell in [cell.routing(), cell] {
                if !cells.contains(&cell) {
                    cells.push(cell);
                }
            }
        }
        cells
    }
}

/// Measures every system of `plan`.
///
/// # Errors
/// Where a system can't be set up (not root, a peer not installed), or does not forward.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Section> {
    allow_descriptors()?;
    let awake = Spinner::start();
    let mut groups = Vec::new();
    for flows in &plan.flows {
        let mut grounds = Vec::new();
        let mut samples = Vec::new();
        for cell in plan.cells(*flows) {
            progress(&format!("latency: setting up {cell}"));
            grounds.push(Ground::set_up(cell, WARM_UP, &awake)?);
            samples.push(Samples {
                cell,
                rounds: Vec::new(),
            });
        }
        for round in 1..=plan.rounds {
            progress(&format!(
                "latency: {flows} flows, round {round} of {}",
                plan.rounds
            ));
            for (ground, samples) in grounds.iter_mut().zip(&mut samples) {
                samples.rounds.push(delays(ground, plan.window, &awake)?);
            }
        }
        for ground in &grounds {
            ground.check()?;
        }
        groups.push(samples);
    }
    Ok(answers::section(&groups))
}

fn delays(ground: &mut Ground, window: Duration, awake: &Spinner) -> Result<Delays> {
    let arrivals = Arrivals::open(ground.callee(), "eth0")?;
    let stop = AtomicBool::new(false);
    let rate = ground.cell.flows as f64 * PER_FLOW;
    let mut delays = std::thread::scope(|scope| {
        let reading = scope.spawn(|| arrivals.delays(&stop));
        let driven = ground.drive(Pace::Stamped(rate), window, awake);
        stop.store(true, Ordering::Release);
        let delays = reading.join().unwrap_or_default();
        driven.map(|_| delays)
    })?;
    ensure!(!delays.is_empty(), "{}: nothing arrives", ground.cell);
    delays.sort_unstable();
    Ok(Delays::of(&delays))
}

impl Delays {
    /// Of at least one time, ns, sorted.
    fn of(sorted: &[u64]) -> Self {
        let last = sorted.len() - 1;
        let at = |part: f64| sorted[(last as f64 * part).round() as usize] as f64 / 1e3;
        Self {
            p50: at(0.5),
            p99: at(0.99),
            max: at(1.0),
        }
    }
}

impl Samples {
    fn spread(&self, of: impl Fn(&Delays) -> f64) -> Spread {
        Spread::of(self.rounds.iter().map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let sorted: Vec<u64> = (0..=100).map(|n| n * 1_000).collect();
        let delays = Delays::of(&sorted);
        assert_eq!((delays.p50, delays.p99, delays.max), (50.0, 99.0, 100.0));
    }

    #[test]
    fn of_one_packet_all_are_the_same() {
        let delays = Delays::of(&[7_000]);
        assert_eq!((delays.p50, delays.p99, delays.max), (7.0, 7.0, 7.0));
    }
}
