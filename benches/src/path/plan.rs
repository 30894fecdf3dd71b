//! Which cells are measured, and how.

use std::time::Duration;

use super::cell::{Cell, Device, Families, System};

/// How the path is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is up, and measured in turns, at the same time.
    pub groups: Vec<Group>,
    /// The steady rate, packets per second of all flows: 800 calls at 50 a second.
    pub rate: f64,
    /// Rounds at the steady rate; each measures every cell once.
    pub rounds: usize,
    /// Rounds as fast as it goes.
    pub saturation_rounds: usize,
    /// How long a measurement at the steady rate lasts.
    pub window: Duration,
    /// How long one lasts as fast as it goes.
    pub saturation_window: Duration,
}

/// Cells with as many flows.
#[derive(Clone, Debug)]
pub struct Group {
    /// Flows of each.
    pub flows: usize,
    /// Plain routing, the yardstick, before what is held against it.
    pub cells: Vec<Cell>,
}

/// More take too many calls, ports and descriptors.
const MOST_CALLS: usize = 1_000;
/// Every number of flows.
const FLOWS: [usize; 5] = [1, 100, 1_000, 10_000, 100_000];
/// The one that has everything, and that figures are taken from.
pub(super) const USUAL_FLOWS: usize = 100;

impl Default for Plan {
    /// Every system, device, family and number of flows, but not every combination. About five minutes.
    fn default() -> Self {
        Self::with(FLOWS.map(usual_group), 7)
    }
}

impl Plan {
    /// What the figures need, in about a minute.
    #[must_use]
    pub fn quick() -> Self {
        let groups = [1, USUAL_FLOWS, 100_000].map(|flows| {
            let mut group = Group::of(flows, basics(flows));
            if flows == USUAL_FLOWS {
                group.add(System::KernelByCalls, Device::Veth, Families::V4);
                group.add(System::Kernel, Device::Veth, Families::V6);
            }
            group
        });
        Self {
            saturation_rounds: 1,
            ..Self::with(groups, 5)
        }
    }

    /// Every combination that there is. About twenty minutes.
    #[must_use]
    pub fn full() -> Self {
        let groups = FLOWS.map(|flows| {
            let mut group = Group::of(flows, Vec::new());
            for device in Device::ALL {
                for families in Families::ALL {
                    group.add(System::Kernel, device, families);
                    if families == Families::V4 {
                        group.add(System::Bare, device, families);
                    }
                    if flows > MOST_CALLS {
                        continue;
                    }
                    group.add(System::KernelByCalls, device, families);
                    if device == Device::Veth {
                        group.add(System::Null, device, families);
                        group.add(System::Rtpengine, device, families);
                    }
                }
            }
            group
        });
        Self::with(groups, 7)
    }

    fn with<const N: usize>(groups: [Group; N], rounds: usize) -> Self {
        let mut groups = Vec::from(groups);
        if let Some(last) = groups.last_mut() {
            // In the same rounds as the most flows, to tell what their number costs.
            last.cells.push(ONE_FLOW);
        }
        Self {
            groups,
            rate: 40_000.0,
            rounds,
            saturation_rounds: 3,
            window: Duration::from_millis(400),
            saturation_window: Duration::from_millis(300),
        }
    }
}

/// What the most flows are held against.
pub(super) const ONE_FLOW: Cell = Cell {
    system: System::Kernel,
    device: Device::Veth,
    families: Families::V4,
    flows: 1,
};

/// All systems that go so far, IPv4 on veth.
fn basics(flows: usize) -> Vec<(System, Device, Families)> {
    let mut systems = vec![System::Bare, System::Kernel];
    if flows <= MOST_CALLS {
        systems.extend([System::Null, System::Rtpengine]);
    }
    systems
        .into_iter()
        .map(|system| (system, Device::Veth, Families::V4))
        .collect()
}

fn usual_group(flows: usize) -> Group {
    let mut group = Group::of(flows, basics(flows));
    group.add(System::Kernel, Device::Veth, Families::V6);
    group.add(System::Bare, Device::VethXdp, Families::V4);
    group.add(System::Kernel, Device::VethXdp, Families::V4);
    if matches!(flows, 1 | 100 | 100_000) {
        group.add(System::Bare, Device::Macvlan, Families::V4);
        group.add(System::Kernel, Device::Macvlan, Families::V4);
    }
    if matches!(flows, 100 | 100_000) {
        group.add(System::Kernel, Device::Veth, Families::V4_TO_V6);
        group.add(System::Kernel, Device::Veth, Families::V6_TO_V4);
    }
    if matches!(flows, 1 | 100) {
        group.add(System::KernelByCalls, Device::Veth, Families::V4);
    }
    if flows == USUAL_FLOWS {
        for families in [Families::V6, Families::V4_TO_V6] {
            group.add(System::Null, Device::Veth, families);
            group.add(System::Rtpengine, Device::Veth, families);
        }
    }
    group
}

impl Group {
    fn of(flows: usize, wanted: Vec<(System, Device, Families)>) -> Self {
        let mut group = Self {
            flows,
            cells: Vec::new(),
        };
        for (system, device, families) in wanted {
            group.add(system, device, families);
        }
        group
    }

    /// A cell, and before it the routing that it is held against.
    fn add(&mut self, system: System, device: Device, families: Families) {
        let cell = Cell {
            system,
            device,
            families,
            flows: self.flows,
        };
        for cell in [cell.routing(), cell] {
            if !self.cells.contains(&cell) {
                self.cells.push(cell);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans() -> [Plan; 3] {
        [Plan::quick(), Plan::default(), Plan::full()]
    }

    #[test]
    fn everything_is_held_against_routing_of_the_same_rounds() {
        for plan in plans() {
            for group in plan.groups {
                for cell in group.cells.iter().filter(|cell| cell.flows == group.flows) {
                    assert!(group.cells.contains(&cell.routing()), "{cell}");
                }
            }
        }
    }

    #[test]
    fn the_usual_plan_has_every_device_family_and_number_of_flows_of_the_kernel_path() {
        let plan = Plan::default();
        let cells = plan.groups.iter().flat_map(|group| &group.cells);
        let kernel: Vec<&Cell> = cells.filter(|cell| cell.system == System::Kernel).collect();
        for device in Device::ALL {
            assert!(kernel.iter().any(|cell| cell.device == device));
        }
        for families in Families::ALL {
            assert!(kernel.iter().any(|cell| cell.families == families));
        }
        for flows in FLOWS {
            assert!(kernel.iter().any(|cell| cell.flows == flows));
        }
    }

    #[test]
    fn no_cell_is_measured_twice_in_a_group() {
        for plan in plans() {
            for group in plan.groups {
                for (place, cell) in group.cells.iter().enumerate() {
                    assert!(!group.cells[..place].contains(cell), "{cell}");
                }
            }
        }
    }
}
