//! What the registry says of a table.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::agent::kernel::{Generation, Spec};
use crate::datapath::EngineChoice;
use crate::tables::Owner;
use crate::tables::protocol::{AddressPorts, Interface};

/// A table that was claimed, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The table's number.
    pub(crate) table: u32,
    /// Who that is across restarts.
    pub(crate) identity: String,
    /// The process.
    pub(crate) owner: Owner,
    /// Its user.
    pub(crate) uid: u32,
    /// The UID of its pod.
    pub(crate) pod: Option<String>,
    /// Its control group.
    pub(crate) cgroup: String,
    /// Its network namespace.
    pub(crate) namespace: NamespaceId,
    /// When it claimed the table, ns of CLOCK_MONOTONIC.
    pub(crate) claimed_ns: u64,
    /// What it fills.
    pub(crate) current: Contents,
    /// What forwards on until it says that its calls are restored.
    pub(crate) previous: Option<Contents>,
    /// Where packets come in, as an agent has last seen it: for those who only look.
    #[serde(default)]
    pub(crate) interfaces: Vec<Interface>,
}

/// A network namespace, by its file's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct NamespaceId {
    /// The file system it is on.
    pub(crate) device: u64,
    /// Its inode; used again once the namespace is gone.
    pub(crate) inode: u64,
}

/// A generation and what it was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// [`Generation::number`].
    pub(crate) generation: u64,
    /// [`Generation::layout`].
    pub(crate) layout: u32,
    /// [`Spec::addresses`].
    pub(crate) addresses: Vec<IpAddr>,
    /// [`Spec::ports`].
    pub(crate) ports: AddressPorts,
    /// [`Spec::max_flows`].
    pub(crate) max_flows: u32,
    /// [`Spec::lease_ms`].
    pub(crate) lease_ms: u64,
    /// [`Spec::engine`].
    pub(crate) engine: EngineChoice,
    /// [`Spec::interface_engines`].
    pub(crate) interface_engines: BTreeMap<String, EngineChoice>,
    /// [`Spec::is_trusted`].
    pub(crate) is_trusted: bool,
}

impl Record {
    /// What it fills.
    pub(crate) fn current(&self) -> Generation {
        self.current.of(self.table)
    }

    /// What forwards on for the time being.
    pub(crate) fn previous(&self) -> Option<Generation> {
        self.previous
            .as_ref()
            .map(|contents| contents.of(self.table))
    }

    /// What forwards now.
    pub(crate) fn at_work(&self) -> Generation {
        self.previous().unwrap_or_else(|| self.current())
    }

    /// Everything it has in the kernel, the current generation last.
    pub(crate) fn contents(&self) -> impl Iterator<Item = &Contents> {
        self.previous.iter().chain([&self.current])
    }

    /// The same as generations.
    pub(crate) fn generations(&self) -> impl Iterator<Item = Generation> {
        self.contents().map(|contents| contents.of(self.table))
    }

    /// The longest of its leases, ms.
    pub(crate) fn lease_ms(&self) -> u64 {
        self.contents()
            .map(|contents| contents.lease_ms)
            .max()
            .unwrap_or_default()
    }
}

impl Contents {
    /// The generation, of `table`.
    pub(crate) fn of(&self, table: u32) -> Generation {
        Generation {
            table,
            number: self.generation,
            layout: self.layout,
        }
    }

    /// What it was made for.
    pub(crate) fn spec(&self) -> Spec {
        Spec {
            addresses: self.addresses.clone(),
            ports: self.ports.clone(),
            max_flows: self.max_flows,
            lease_ms: self.lease_ms,
            engine: self.engine,
            interface_engines: self.interface_engines.clone(),
            is_trusted: self.is_trusted,
        }
    }
}
