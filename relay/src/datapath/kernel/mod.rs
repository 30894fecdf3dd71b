//! The kernel engines: one loaded program with its maps, attached to every media interface, and one thread that owns
//! both.

mod ethtool;
mod handle;
mod interfaces;
mod maps;
mod pins;
mod programs;
mod sysctl;
mod usage;
mod worker;

pub(super) use usage::table_usage;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::next_hop::NextHops;
use super::table::{FlowTable, Sizes};
use super::watchdog::Watchdog;
use super::{DatapathConfig, Monitor, StartError, Started};
use crate::netlink::{Netlink, Watch};
use crate::tables::{Claim, TableRequest};
use handle::KernelDatapath;
use interfaces::Interfaces;
use maps::Outcomes;
use programs::Programs;
use worker::Worker;

/// Priority of table 0's filter on kernels without TCX; the other tables' follow.
const FIRST_PRIORITY: u16 = 30_000;

/// See [`super::start`].
pub(super) fn start(config: DatapathConfig) -> Result<Started, StartError> {
    let Some(claim) = config.claim else {
        return Err(StartError::NoTable);
    };
    let table = claim.table();
    let priority = priority(table);
    let sizes = Sizes::new(config.max_flows, config.addresses.len());
    let watch = Watch::open().map_err(StartError::Netlink)?;
    let mut netlink = Netlink::open().map_err(StartError::Netlink)?;
    clean_up_after_the_dead(&claim, &config.bpffs, &mut netlink);
    let pins = prepare_pins(&config.bpffs, table);
    let held = Held {
        bpffs: config.bpffs,
        claim,
    };
    let mut programs = Programs::load(sizes, pins, priority).map_err(load_error)?;
    #[cfg(feature = "kernel-log")]
    let kernel_log = kernel_log(&mut programs);
    let memory = maps::table(programs.ebpf(), sizes)?;
    let outcomes = Outcomes::take(programs.ebpf()).map_err(load_error)?;
    let monitor = Monitor::new(Some(table));
    let (queue, inbox) = handle::queue().map_err(StartError::Thread)?;
    let mut worker = Worker {
        inbox,
        netlink,
        watch,
        hops: NextHops::default(),
        table: FlowTable::new(memory, sizes.flows),
        interfaces: Interfaces::new(
            programs,
            config.engine,
            config.interface_engines,
            &config.addresses,
            priority,
        ),
        outcomes,
        watchdog: Watchdog::default(),
        monitor: monitor.clone(),
        ttl: config.ttl,
        hop_limits: sysctl::HopLimits::default(),
        ticks: 0,
        reroute_at: None,
        reroute_took: Duration::ZERO,
        #[cfg(feature = "kernel-log")]
        kernel_log,
    };
    worker.read_all().map_err(StartError::Netlink)?;
    let thread = std::thread::Builder::new()
        .name("datapath".to_owned())
        .spawn(move || {
            worker.run();
            drop(held);
        })
        .map_err(StartError::Thread)?;
    Ok(Started {
        datapath: Arc::new(KernelDatapath::new(queue, thread)),
        monitor,
    })
}

/// What the table's owner has to give back last: the pins, then the claim.
struct Held {
    bpffs: PathBuf,
    claim: Claim,
}

impl Drop for Held {
    fn drop(&mut self) {
        pins::remove(&self.bpffs, self.claim.table());
    }
}

fn priority(table: u32) -> u16 {
    // Tables are numbered below 64.
    FIRST_PRIORITY + table as u16
}

fn load_error(error: impl std::error::Error + 'static) -> StartError {
    StartError::Load(programs::chain(&error))
}

/// Pins are a convenience: without them everything works but `bpftool` and `underpass tables` see less.
fn prepare_pins(bpffs: &Path, table: u32) -> Option<PathBuf> {
    pins::prepare(bpffs, table)
        .inspect_err(|error| {
            tracing::warn!(bpffs = %bpffs.display(), %error, "maps are not pinned");
        })
        .ok()
}

/// What passes the program's log lines on, if they can be read.
#[cfg(feature = "kernel-log")]
fn kernel_log(programs: &mut Programs) -> Option<Box<dyn FnMut() + Send>> {
    let mut logger = aya_log::EbpfLogger::init(programs.ebpf())
        .inspect_err(|error| tracing::warn!(%error, "the kernel program's log can't be read"))
        .ok()?;
    Some(Box::new(move || logger.flush()))
}

/// Removes the pins and filters of tables whose owner died and that nobody has taken over.
fn clean_up_after_the_dead(claim: &Claim, bpffs: &Path, netlink: &mut Netlink) {
    let tables = claim.tables();
    let Ok(states) = tables.list() else {
        return;
    };
    for state in states.iter().filter(|state| !state.alive) {
        // Held while cleaning: nobody can take the table in between.
        let request = TableRequest::Number(state.table);
        let Ok(Some(_held)) = tables.claim(request, claim.owner()) else {
            continue;
        };
        pins::remove(bpffs, state.table);
        if let Err(error) = remove_filters(netlink, priority(state.table)) {
            tracing::debug!(%error, table = state.table, "filters of a dead owner");
        }
    }
}

fn remove_filters(netlink: &mut Netlink, priority: u16) -> io::Result<()> {
    for event in netlink.dump()? {
        if let crate::netlink::Event::Link(index, _) = event {
            // Most have none.
            let _ = netlink.remove_ingress_filters(index, priority);
        }
    }
    Ok(())
}
