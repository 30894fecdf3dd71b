//! Starting the datapath: from configuration to an engine on every media interface.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Datapath, EngineChoice, Monitor, NullDatapath, Reason};
use crate::tables::Claim;

/// What the datapath is started with.
#[derive(Debug)]
pub struct DatapathConfig {
    /// The table; `None`: user space only.
    pub claim: Option<Claim>,
    /// The relay's media addresses; the interfaces that carry them get an engine.
    pub addresses: Vec<IpAddr>,
    /// The engine for every interface…
    pub engine: EngineChoice,
    /// …except these, by interface name. An interface named here gets an engine even if it carries no media address
    /// (addresses on a dummy or loopback device whose packets arrive on others).
    pub interface_engines: BTreeMap<String, EngineChoice>,
    /// TTL and hop limit of forwarded packets; `None`: the system's default.
    pub ttl: Option<u8>,
    /// Flows that the table holds, of both address families. The kernel sets 432 bytes aside for each, 28 MB for 65,536,
    /// and 256 KiB for each address and for four more. While fewer than half of them are in use, even a next hop that
    /// changes for all is followed without a packet in user space; else some flows stay there for two or three seconds.
    pub max_flows: u32,
    /// Where bpffs is, or may be mounted.
    pub bpffs: PathBuf,
}

impl Default for DatapathConfig {
    fn default() -> Self {
        Self {
            claim: None,
            addresses: Vec::new(),
            engine: EngineChoice::Auto,
            interface_engines: BTreeMap::new(),
            ttl: None,
            max_flows: 65_536,
            bpffs: PathBuf::from("/sys/fs/bpf"),
        }
    }
}

/// A running datapath.
pub struct Started {
    /// What takes flows. Dropping the last reference ends the engines and removes their pins.
    pub datapath: Arc<dyn Datapath>,
    /// What operators see of it.
    pub monitor: Monitor,
}

/// Why the kernel datapath could not be started. Whether that is fatal is the caller's to decide.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Built without the `kernel` feature.
    #[error(
        "this build has no kernel engines; use table = -1, or a build with the 'kernel' feature"
    )]
    NotBuilt,
    /// Without a claim there is no table to forward by.
    #[error("no table is claimed")]
    NoTable,
    /// The program or its maps could not be loaded.
    #[error(
        "the kernel program could not be loaded: {0}; it needs Linux 5.15 and CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON"
    )]
    Load(String),
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

/// Starts the datapath: the null engine without a claim, else the kernel's. Interfaces whose engine can't be attached
/// are no error: their flows stay in user space, and the [`Monitor`] says why.
///
/// # Errors
/// [`StartError`]: nothing can be forwarded in the kernel at all.
pub fn start(config: DatapathConfig) -> Result<Started, StartError> {
    if config.claim.is_none() {
        return Ok(null(Reason::NoEngine));
    }
    start_kernel(config)
}

/// The null engine, for a relay without a table or as the fallback after a [`StartError`].
#[must_use]
pub fn null(reason: Reason) -> Started {
    Started {
        datapath: Arc::new(NullDatapath::new(reason)),
        monitor: Monitor::new(None),
    }
}

#[cfg(feature = "kernel")]
fn start_kernel(config: DatapathConfig) -> Result<Started, StartError> {
    super::kernel::start(config)
}

#[cfg(not(feature = "kernel"))]
fn start_kernel(_config: DatapathConfig) -> Result<Started, StartError> {
    Err(StartError::NotBuilt)
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

/// Reads a table's pinned maps below `bpffs`; `None` where they are not pinned or may not be read. For the CLI.
#[must_use]
pub fn table_usage(bpffs: &Path, table: u32) -> Option<TableUsage> {
    #[cfg(feature = "kernel")]
    return super::kernel::table_usage(bpffs, table);
    #[cfg(not(feature = "kernel"))]
    {
        let _ = (bpffs, table);
        None
    }
}
