//! The kernel engines as an unprivileged relay sees them: a table to fill, and one thread that owns it.

mod agent;
mod ethtool;
mod following;
mod handle;
mod hearing;
mod judge;
mod maps;
mod sysctl;
mod view;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::placement::Ways;
use super::table::{FlowTable, Grant};
use super::watchdog::Watchdog;
use super::{Monitor, StartError, Started};
use crate::tables::client::Table;
use crate::tables::protocol::ToAgent;
use agent::Agent;
use handle::KernelDatapath;
use maps::Outcomes;
use view::View;
use worker::Worker;

/// See [`super::start`].
pub(super) fn start(table: Table, ttl: Option<u8>) -> Result<Started, StartError> {
    let Table {
        granted,
        maps,
        previous,
        node_sockets,
        mut connection,
    } = table;
    let opened = (|| {
        let memory = maps::table(&maps)?;
        let outcomes = Outcomes::new(&maps)?;
        let previous = previous.as_ref().map(maps::previous).transpose()?;
        let own = View::own().map_err(StartError::Netlink)?;
        let node = node_sockets.map(View::node).transpose();
        let node = node.map_err(StartError::Netlink)?;
        let (queue, inbox) = handle::queue().map_err(StartError::Thread)?;
        Ok((memory, outcomes, previous, own, node, queue, inbox))
    })();
    let (memory, outcomes, previous, own, node, queue, inbox) =
        opened.inspect_err(|_: &StartError| connection.send(&ToAgent::Release))?;
    let monitor = Monitor::new(Some(granted.table));
    let takes_over = granted.takes_over;
    let grant = Grant::new(&granted, memory.blocks());
    let mut table = FlowTable::new(memory, grant, granted.max_flows);
    table.alive(now_ns());
    let ways = Ways::new(granted.placement);
    monitor.set_interfaces(ways.summary(&granted.addresses));
    let worker = Worker {
        inbox,
        own,
        node,
        table,
        ways,
        addresses: granted.addresses,
        agent: Agent::new(connection, takes_over),
        previous,
        outcomes,
        watchdog: Watchdog::default(),
        monitor: monitor.clone(),
        ttl,
        hop_limits: sysctl::HopLimits::default(),
        ticks: 0,
        has_worked: false,
        reroute_at: None,
        reroute_took: Duration::ZERO,
    };
    let thread = std::thread::Builder::new()
        .name("datapath".to_owned())
        .spawn(move || worker.run())
        .map_err(StartError::Thread)?;
    Ok(Started {
        datapath: Arc::new(KernelDatapath::new(queue, thread, takes_over)),
        monitor,
        takes_over,
    })
}

/// CLOCK_MONOTONIC, ns.
fn now_ns() -> u64 {
    // The clock exists on every kernel.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| Duration::from(now).as_nanos() as u64)
}
