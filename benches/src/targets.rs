//! The figures as ratios, beside what they should reach.

use serde::Serialize;

use crate::ng::NgCost;
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
