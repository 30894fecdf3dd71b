//! The kernel path without calls: flows installed through the datapath's own interface, any number of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use lab::{Side, TwoNetworks};
use underpass::datapath::{
    Engine, EngineChoice, Flow, FlowId, FlowReport, FlowState, PayloadTypes, SsrcFilter,
};

use super::addresses::{Addresses, relay_addresses};
use super::cell::{Cell, Device};
use crate::datapath::Running;

/// How long all flows may take to be in the kernel.
const DEADLINE: Duration = Duration::from_secs(60);
/// PCMU, PCMA and telephone-event, as the calls of the bench negotiate them.
const PAYLOAD_TYPES: PayloadTypes = PayloadTypes(1 | 1 << 8 | 1 << 101);

/// A datapath with its flows; ends when dropped.
pub(super) struct Kernel {
    running: Running,
    engine: Engine,
    reports: Vec<Arc<FlowReport>>,
}

impl Kernel {
    /// Starts it in the relay's namespace, and waits until every flow of `cell` is in the kernel. The SSRC of flow n is n.
    ///
    /// # Errors
    /// No table, no kernel engine, or a flow that stays in user space, with the reason.
    pub(super) fn start(net: &TwoNetworks, cell: &Cell) -> Result<Self> {
        let (choice, engine) = match cell.device {
            Device::VethXdp => (EngineChoice::Xdp, Engine::Xdp),
            Device::Veth | Device::Macvlan => (EngineChoice::Tc, Engine::Tc),
        };
        let mut addresses = relay_addresses(Side::A, cell.families.ingress, cell.flows);
        addresses.extend(relay_addresses(Side::B, cell.families.egress, cell.flows));
        let max_flows = u32::try_from(cell.flows)?.max(1024);
        let running = Running::start(&net.relay, addresses, choice, max_flows)?;
        let reports = (0..cell.flows)
            .map(|n| {
                let report = Arc::new(FlowReport::default());
                let id = FlowId(n as u64);
                let flow = flow(n, cell);
                running.datapath().install(id, flow, Arc::clone(&report));
                report
            })
            .collect();
        let kernel = Self {
            running,
            engine,
            reports,
        };
        let begun = Instant::now();
        while kernel.check().is_err() && begun.elapsed() < DEADLINE {
            std::thread::sleep(Duration::from_millis(5));
        }
        kernel.check()?;
        Ok(kernel)
    }

    /// That every flow is in the kernel, by the engine that was asked for.
    ///
    /// # Errors
    /// It is not: another engine, or user space and why.
    pub(super) fn check(&self) -> Result<()> {
        let mut states = self.reports.iter().map(|report| report.state());
        if let Some(state) = states.find(|state| *state != FlowState::Kernel) {
            bail!("a flow is not in the kernel: {state:?}");
        }
        for interface in self.running.monitor().interfaces() {
            ensure!(
                interface.engine == Some(self.engine),
                "{} has the engine {:?} instead of {}: {}",
                interface.name,
                interface.engine,
                self.engine,
                interface.note
            );
        }
        Ok(())
    }
}

fn flow(n: usize, cell: &Cell) -> Flow {
    let Addresses {
        source,
        local,
        from,
        to,
    } = Addresses::of(n, cell.families);
    Flow {
        local,
        source,
        from,
        to,
        tos: 0,
        further: Box::default(),
        payload_types: PAYLOAD_TYPES,
        ssrcs: SsrcFilter::Known(vec![n as u32]),
        clock_rate: 8000,
    }
}
