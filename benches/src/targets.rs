//! The figures as ratios, beside what they should reach.

use serde::Serialize;

use crate::ng::NgCost;
use crate::path::{PathCost, System};

/// A figure and its target; smaller is better.
#[derive(Serialize)]
pub struct Target {
    /// What is compared.
    pub what: &'static str,
    /// As measured.
    pub measured: f64,
    /// At most.
    pub target: f64,
    /// `ns`, `ms`, `KiB`, or a ratio.
    pub unit: &'static str,
}

impl Target {
    /// Whether it is met.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.measured <= self.target
    }
}

/// What the path's cost says.
#[must_use]
pub fn of_path(costs: &[PathCost]) -> Vec<Target> {
    let cpu = |system: System| {
        let found = costs.iter().find(|cost| cost.system == system);
        found.map_or(f64::NAN, |cost| cost.cpu_ns.median)
    };
    let own = |system: System| {
        let found = costs.iter().find(|cost| cost.system == system);
        found.map_or(f64::NAN, |cost| cost.own_ns.median)
    };
    let came_up = costs
        .iter()
        .find(|cost| cost.system == System::Kernel)
        .map_or(f64::NAN, |cost| cost.user_space_packets as f64);
    vec![
        target(
            "path, kernel against the bare redirect",
            cpu(System::Kernel) / cpu(System::Limit),
            1.15,
            "x",
        ),
        target(
            "relay's own, kernel against rtpengine",
            own(System::Kernel) / own(System::Rtpengine),
            0.1,
            "x",
        ),
        target(
            "relay's own, null engine against rtpengine",
            own(System::Null) / own(System::Rtpengine),
            0.7,
            "x",
        ),
        target(
            "packets of established flows in user space",
            came_up,
            0.0,
            "",
        ),
    ]
}

/// What the cost of ng says.
#[must_use]
pub fn of_ng(costs: &[NgCost]) -> Vec<Target> {
    let [ours, theirs] = costs else {
        return Vec::new();
    };
    vec![
        target(
            "CPU per ng cycle against rtpengine, 16 clients",
            ours.many_clients.cpu_us.median / theirs.many_clients.cpu_us.median,
            0.5,
            "x",
        ),
        target(
            "CPU per ng cycle against rtpengine, 1 client",
            ours.one_client.cpu_us.median / theirs.one_client.cpu_us.median,
            0.5,
            "x",
        ),
        target(
            "p99 of an offer, 1,000 calls up",
            ours.offer_p99_us / 1000.0,
            1.0,
            "ms",
        ),
        target("memory per call up", ours.call_kib, 16.0, "KiB"),
    ]
}

fn target(what: &'static str, measured: f64, target: f64, unit: &'static str) -> Target {
    Target {
        what,
        measured,
        target,
        unit,
    }
}
