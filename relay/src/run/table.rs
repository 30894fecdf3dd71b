//! From a configuration to a table and the datapath that forwards by it, or to user space and why.

use tracing::{info, warn};

use super::RunError;
use crate::config::Config;
#[cfg(feature = "kernel")]
use crate::datapath::DatapathConfig;
use crate::datapath::{self, Monitor, Reason, StartError, Started};
#[cfg(feature = "kernel")]
use crate::media::PortRange;
use crate::tables::TableRequest;
#[cfg(feature = "kernel")]
use crate::tables::client::{self, ClaimConfig, ClaimFailed};
#[cfg(feature = "kernel")]
use crate::tables::protocol::{Claim, Ports, Refusal, VERSION};

/// Why a relay that asked for a table forwards nothing in the kernel.
#[derive(Debug, thiserror::Error)]
pub enum NoTable {
    /// None is to be had.
    #[cfg(feature = "kernel")]
    #[error(transparent)]
    NotClaimed(#[from] ClaimFailed),
    /// It can't be used.
    #[error(transparent)]
    NotStarted(#[from] StartError),
    /// Nobody to claim one of.
    #[error("agent = none: no table can be claimed")]
    NoAgent,
    /// Built without the `kernel` feature.
    #[error(
        "this build has no kernel engines; use table = -1, or a build with the 'kernel' feature"
    )]
    NotBuilt,
}

impl NoTable {
    /// No fallback is right for it: the table, or the name, is another relay's, or is none.
    fn is_fatal(&self) -> bool {
        match self {
            #[cfg(feature = "kernel")]
            Self::NotClaimed(ClaimFailed::Refused(refused)) => matches!(
                refused.reason,
                Refusal::Taken | Refusal::NoSuchTable | Refusal::IdentityInUse
            ),
            _ => false,
        }
    }
}

/// Claims the table and starts the datapath, or leaves all to user space, loudly.
pub(super) fn start(config: &Config, identity: &str) -> Result<Started, RunError> {
    if config.table == TableRequest::None {
        info!("table -1: forwarding in user space only");
        return Ok(datapath::null(Reason::NoEngine));
    }
    match claim_and_start(config, identity) {
        Ok(started) => {
            say_engines(&started.monitor);
            Ok(started)
        }
        Err(why) if why.is_fatal() => Err(RunError::Table(why)),
        Err(why) if config.require_kernel => Err(RunError::NoFallback(why)),
        Err(why) => {
            warn!("forwarding in user space only: {why}");
            Ok(datapath::null(Reason::NoEngine))
        }
    }
}

#[cfg(feature = "kernel")]
fn claim_and_start(config: &Config, identity: &str) -> Result<Started, NoTable> {
    let table = client::claim(&claim_config(config, identity))?;
    Ok(datapath::start(DatapathConfig {
        claim: Some(table.ok_or(NoTable::NoAgent)?),
        ..DatapathConfig::default()
    })?)
}

#[cfg(feature = "kernel")]
fn claim_config(config: &Config, identity: &str) -> ClaimConfig {
    // What is excluded between an address's ports is granted, too: it has one range in the kernel.
    let ports = config.media_ports.iter().map(|(address, ports)| {
        let PortRange { first, last } = ports.span();
        (*address, Ports { first, last })
    });
    ClaimConfig {
        agent: config.agent.clone(),
        lease: config.table_lease,
        bpffs: config.bpffs.clone(),
        registry: config.registry.clone(),
        claim: Claim {
            version: VERSION,
            layout: underpass_abi::LAYOUT_VERSION,
            table: config.table,
            identity: identity.to_owned(),
            name: config.name.clone(),
            command: command_line(),
            addresses: config.media_ports.keys().copied().collect(),
            ports: ports.collect(),
            max_flows: config.max_flows,
            engine: config.engine,
            interface_engines: config.device_engines.clone(),
        },
    }
}

/// For people, so no more than they would read.
#[cfg(feature = "kernel")]
fn command_line() -> String {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars().take(1000).collect()
}

#[cfg(not(feature = "kernel"))]
fn claim_and_start(_config: &Config, _identity: &str) -> Result<Started, NoTable> {
    Err(NoTable::NotBuilt)
}

fn say_engines(monitor: &Monitor) {
    let Some(table) = monitor.table() else { return };
    info!("table {table} claimed");
    for interface in monitor.interfaces() {
        let engine = interface
            .engine
            .map_or_else(|| "user space".to_owned(), |engine| engine.to_string());
        let separator = if interface.note.is_empty() { "" } else { ": " };
        info!(
            "interface {}: {engine}{separator}{}",
            interface.name, interface.note
        );
    }
}
