//! The figures as ratios, beside what they should reach.

use serde::Serialize;

use crate::path::{PathCost, System};
use crate::program_cost::Cost;

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

/// What the program's cost says.
#[must_use]
pub fn of_program(costs: &[Cost]) -> Vec<Target> {
    let median = |program: &str, case: &str, flows: u32| {
        let found = costs.iter().find(|cost| {
            cost.program == program && cost.case.ends_with(case) && cost.flows == flows
        });
        found.map_or(f64::NAN, |cost| cost.ns.median)
    };
    let v4 = median("xdp", "flow, IPv4", 1);
    vec![
        target("program, known IPv4 flow", v4, 80.0, "ns"),
        target(
            "program, known IPv6 flow",
            median("xdp", "flow, IPv6", 1),
            110.0,
            "ns",
        ),
        target(
            "program, 100,000 flows against 1",
            median("xdp", "flow, IPv4", 100_000) / v4,
            1.5,
            "x",
        ),
        // What the machine's caches allow: the bare program misses them, too.
        target(
            "program, 100,000 flows against the bare one",
            median("xdp", "flow, IPv4", 100_000) / median("limit xdp", "flow, IPv4", 100_000),
            1.3,
            "x",
        ),
    ]
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

fn target(what: &'static str, measured: f64, target: f64, unit: &'static str) -> Target {
    Target {
        what,
        measured,
        target,
        unit,
    }
}
