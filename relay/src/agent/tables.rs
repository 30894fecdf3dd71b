//! The tables of a node: granted, resumed, settled, given back, and freed when their leases are over. Everything is read
//! from the registry each time, and changed there before the kernel has it, so that an agent that dies in between leaves
//! nothing that another would not find.

mod grant;
mod leases;
mod list;
mod owned;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::kernel::{Generation, NodeKernel};
use super::policy::Policy;
use super::registry::{Locked, Registry, RegistryError};
use crate::tables::protocol::{Granted, Placement, Refusal, Refused};

pub(crate) use grant::Applicant;
pub(super) use leases::left;
pub(super) use list::recorded;

/// Reads CLOCK_MONOTONIC, ns.
pub(crate) type Clock = Box<dyn Fn() -> u64 + Send>;

/// What an agent knows and does of tables.
pub(crate) struct NodeTables {
    kernel: Box<dyn NodeKernel>,
    registry: Registry,
    policy: Policy,
    lease: Duration,
    clock: Clock,
    /// Generations that the kernel's part has been told of.
    known: BTreeSet<Generation>,
    /// Since when owners are seen to be gone whose last sign of life can't be told, ns.
    gone_since: BTreeMap<u32, u64>,
    /// Something was done that may have changed other tables' placements.
    is_changed: bool,
}

/// A table on its way to its owner.
#[derive(Debug)]
pub(crate) struct Granting {
    /// What is to be filled.
    pub(crate) generation: Generation,
    /// What is granted.
    pub(crate) granted: Granted,
    /// The descriptors beside it.
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// What has become of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Its packets come in and leave in another way.
    Placement(Generation, Placement),
    /// It has taken the place of the one before, as if that had been asked for.
    Settled(Generation),
}

impl NodeTables {
    /// Finds what agents before have left.
    ///
    /// # Errors
    /// The registry can't be used.
    pub(crate) fn open(
        kernel: Box<dyn NodeKernel>,
        registry: Registry,
        policy: Policy,
        lease: Duration,
        clock: Clock,
    ) -> Result<Self, RegistryError> {
        let mut tables = Self {
            kernel,
            registry,
            policy,
            lease,
            clock,
            known: BTreeSet::new(),
            gone_since: BTreeMap::new(),
            is_changed: false,
        };
        let locked = tables.registry.lock()?;
        tables.take_stock(&locked)?;
        tables.remove_unnamed(&locked)?;
        Ok(tables)
    }

    /// The kernel's part.
    pub(crate) fn kernel(&mut self) -> &mut dyn NodeKernel {
        self.kernel.as_mut()
    }

    /// There still is such a table, as far as is known.
    pub(crate) fn is_known(&self, generation: Generation) -> bool {
        self.known.contains(&generation)
    }

    fn now_ns(&self) -> u64 {
        (self.clock)()
    }

    /// Ends generations, then frees the number: nobody gets it while the kernel still has something of it.
    fn free_table(
        &mut self,
        locked: &Locked,
        table: u32,
        generations: impl IntoIterator<Item = Generation>,
    ) -> Result<(), RegistryError> {
        for generation in generations {
            self.end(generation);
        }
        self.gone_since.remove(&table);
        self.is_changed = true;
        locked.remove(table)
    }

    fn end(&mut self, generation: Generation) {
        self.kernel.remove(generation);
        self.known.remove(&generation);
    }
}

/// A refusal because the registry can't be used.
pub(crate) fn unusable(error: RegistryError) -> Refused {
    super::claims::refused(Refusal::Kernel, error.to_string())
}
