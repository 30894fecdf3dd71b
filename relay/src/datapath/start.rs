//! Starting the datapath: from a claimed table to flows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Datapath, Monitor, NullDatapath, Reason};
#[cfg(feature = "kernel")]
use crate::tables::client::Table;

/// Flows that a table holds unless told otherwise, of both address families. The kernel sets 432 bytes aside for each,
/// 28 MB together, and 256 KiB for each address. While fewer than half of them are in use, even a next hop that changes
/// for all is followed without a packet in user space; else some flows stay there for two or three seconds.
pub const MAX_FLOWS: u32 = 65_536;

/// What the datapath is started with.
#[derive(Debug, Default)]
pub struct DatapathConfig {
    /// The table; `None`: user space only.
    #[cfg(feature = "kernel")]
    pub claim: Option<Table>,
    /// TTL and hop limit of forwarded packets; `None`: the system's default.
    pub ttl: Option<u8>,
}

/// A running datapath.
pub struct Started {
    /// What takes flows. Dropping the last reference ends all flows and gives the table back, unless it has been left.
    pub datapath: Arc<dyn Datapath>,
    /// What operators see of it.
    pub monitor: Monitor,
    /// An earlier generation of the table still forwards, until [`Datapath::settled`].
    pub takes_over: bool,
}

/// Why a claimed table can't be used. It has been given back.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A map of the table can't be reached.
    #[error(
        "the table's map {name} can't be mapped into memory: {source}; is there a limit on this process's address space?"
    )]
    Map {
        /// Its name.
        name: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// Routes, neighbours or links can't be read.
    #[error("netlink: {0}")]
    Netlink(std::io::Error),
    /// The engine's thread could not be started.
    #[error("the datapath thread could not be started: {0}")]
    Thread(std::io::Error),
}

/// Starts the datapath: the null engine without a claim, else the kernel's, in the thread's network namespace. It needs no
/// privilege. Interfaces without an engine are no error: their flows stay in user space, and the [`Monitor`] says why.
///
/// # Errors
/// [`StartError`]: nothing can be forwarded in the kernel at all.
#[cfg(feature = "kernel")]
pub fn start(config: DatapathConfig) -> Result<Started, StartError> {
    match config.claim {
        Some(table) => super::kernel::start(table, config.ttl),
        None => Ok(null(Reason::NoEngine)),
    }
}

/// Starts the datapath: the null engine, since this build has no other.
///
/// # Errors
/// None.
#[cfg(not(feature = "kernel"))]
pub fn start(_config: DatapathConfig) -> Result<Started, StartError> {
    Ok(null(Reason::NoEngine))
}

/// The null engine, for a relay without a table or as the fallback after a [`StartError`].
#[must_use]
pub fn null(reason: Reason) -> Started {
    Started {
        datapath: Arc::new(NullDatapath::new(reason)),
        monitor: Monitor::new(None),
        takes_over: false,
    }
}

/// What is in a table, as its pinned maps tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableUsage {
    /// Flows in the kernel.
    pub flows: u64,
    /// Packets forwarded since its owner started.
    pub packets: u64,
    /// Their UDP payload bytes.
    #[serde(default)]
    pub bytes: u64,
}
