//! What owners ask of tables that they have, and operators of any.

use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};

use underpass_abi::LAYOUT_VERSION;

use super::grant::{by_kernel, check_version, granted};
use super::{Applicant, Granting, NodeTables, unusable};
use crate::agent::claims::refused;
use crate::agent::kernel::{Generation, KernelError, NodeKernel};
use crate::agent::registry::{Locked, NamespaceId, Record, RegistryError};
use crate::tables::protocol::{Granted, Place, Placement, Refusal, Refused};

impl NodeTables {
    /// Goes on with a table for its owner, who has lost the agent it claimed it from.
    ///
    /// # Errors
    /// It is not, or no longer, the owner's: the lock tells. Or its maps are of another build's layout.
    pub(crate) fn resume(
        &mut self,
        version: u32,
        table: u32,
        number: u64,
        lock: &OwnedFd,
        (id, namespace): (NamespaceId, OwnedFd),
    ) -> Result<Granting, Refused> {
        check_version(version)?;
        let locked = self.registry.lock().map_err(unusable)?;
        self.take_stock(&locked).map_err(unusable)?;
        let record = locked
            .entry(table)
            .map_err(unusable)?
            .and_then(|entry| entry.record)
            .filter(|record| record.current.generation == number)
            .filter(|_| locked.is_owners(table, lock.as_fd()))
            .ok_or_else(|| not_yours(table))?;
        // Agents that did not see it claimed may not have found its namespace by the process alone.
        if id == record.namespace {
            self.readopt(&record, &namespace).map_err(by_kernel)?;
        }
        let current = record.current();
        if current.layout != LAYOUT_VERSION {
            // What can't be read has no placement here, and an empty one would take every flow out of the kernel.
            return Err(refused(
                Refusal::Version,
                format!(
                    "its layout is {}, the agent's {LAYOUT_VERSION}: it is left alone; restart the relay, of the same version",
                    current.layout
                ),
            ));
        }
        let sockets = self.kernel.node_sockets(current).map_err(by_kernel)?;
        let has_node_sockets = sockets.is_some();
        tracing::info!(table, owner = %record.owner, "table resumed");
        Ok(Granting {
            generation: current,
            granted: Granted {
                has_node_sockets,
                ..granted(&record, self.kernel.placement(current))
            },
            descriptors: sockets.map_or_else(Vec::new, |(ask, watch)| vec![ask, watch]),
        })
    }

    /// Finishes what an agent died over: if it had put the current generation to work already, that is what forwards, has
    /// counted since, and is to be gone on from.
    pub(super) fn finish_settling(
        &mut self,
        locked: &Locked,
        record: &mut Record,
        applicant: &Applicant,
    ) -> Result<(), Refused> {
        if record.previous.is_none() || !self.kernel.is_at_work(record.current()) {
            return Ok(());
        }
        if applicant.id == record.namespace {
            self.readopt(record, &applicant.namespace)
                .map_err(by_kernel)?;
        }
        self.settle(locked, record).map(drop).map_err(unusable)
    }

    fn readopt(&mut self, record: &Record, namespace: &OwnedFd) -> Result<(), KernelError> {
        for contents in record.contents() {
            let namespace = namespace.try_clone().map_err(KernelError::Namespace)?;
            let generation = contents.of(record.table);
            match self
                .kernel
                .adopt(generation, &contents.spec(), Some(namespace))
            {
                Ok(()) | Err(KernelError::NotThere(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The owner has restored its calls: what it fills takes the place of what forwarded on.
    ///
    /// # Errors
    /// The table is its no more.
    pub(crate) fn settled(&mut self, generation: Generation) -> Result<Placement, Refused> {
        let locked = self.registry.lock().map_err(unusable)?;
        let mut record = self.owned(&locked, generation)?;
        if record.previous.is_none() {
            return Ok(self.kernel.placement(generation));
        }
        self.settle(&locked, &mut record).map_err(unusable)
    }

    /// The record is changed last: an agent that dies in between is told again to settle, by the owner that resumes; or
    /// [`Self::finish_settling`] does it for an owner that comes back.
    pub(super) fn settle(
        &mut self,
        locked: &Locked,
        record: &mut Record,
    ) -> Result<Placement, RegistryError> {
        let previous = record.previous();
        let placement = self.kernel.attach(record.current(), previous);
        if let Some(previous) = previous {
            self.known.remove(&previous);
        }
        record.previous = None;
        record.interfaces.clone_from(&placement.interfaces);
        self.is_changed = true;
        locked.write(record)?;
        Ok(placement)
    }

    /// The owner gives its table back.
    ///
    /// # Errors
    /// It is its no more.
    pub(crate) fn release(&mut self, generation: Generation) -> Result<(), Refused> {
        let locked = self.registry.lock().map_err(unusable)?;
        let record = self.owned(&locked, generation)?;
        tracing::info!(table = record.table, owner = %record.owner, "table given back");
        self.free_table(&locked, record.table, record.generations())
            .map_err(unusable)
    }

    /// Frees a table for an operator.
    ///
    /// # Errors
    /// There is none, or its owner lives and `force` is not said.
    pub(crate) fn free(&mut self, table: u32, force: bool) -> Result<(), Refused> {
        let locked = self.registry.lock().map_err(unusable)?;
        self.take_stock(&locked).map_err(unusable)?;
        let entry = locked.entry(table).map_err(unusable)?.ok_or_else(|| {
            refused(
                Refusal::NoSuchTable,
                format!("table {table} is free already; see `underpass tables`"),
            )
        })?;
        let owner = entry.record.as_ref().map(|record| record.owner.to_string());
        if entry.is_alive && !force {
            let name = owner
                .as_deref()
                .unwrap_or("a relay without a readable record");
            return Err(Refused {
                reason: Refusal::Taken,
                text: format!(
                    "table {table} is in use by {name}; stop that relay, or use --force, which leaves it to user space"
                ),
                owner,
            });
        }
        tracing::info!(table, owner, force, "table freed by hand");
        let generations = self.generations_of(&entry);
        self.free_table(&locked, table, generations)
            .map_err(unusable)
    }

    /// Something that a table's owner wants of the kernel and that changes what is attached or granted.
    ///
    /// # Errors
    /// The table is its no more.
    pub(crate) fn change(
        &mut self,
        generation: Generation,
        ask: impl FnOnce(&mut dyn NodeKernel),
    ) -> Result<(), Refused> {
        let locked = self.registry.lock().map_err(unusable)?;
        self.owned(&locked, generation)?;
        ask(self.kernel.as_mut());
        self.is_changed = true;
        Ok(())
    }

    /// A table's owner sends to this neighbour. Said often, and changes nothing that another agent would know of.
    pub(crate) fn use_neighbour(
        &mut self,
        generation: Generation,
        (place, ifindex, address): (Place, u32, IpAddr),
    ) {
        if self.known.contains(&generation) {
            self.kernel
                .use_neighbour(generation, place, ifindex, address);
        }
    }

    fn owned(&mut self, locked: &Locked, generation: Generation) -> Result<Record, Refused> {
        locked
            .entry(generation.table)
            .map_err(unusable)?
            .and_then(|entry| entry.record)
            .filter(|record| record.current() == generation)
            .ok_or_else(|| not_yours(generation.table))
    }
}

fn not_yours(table: u32) -> Refused {
    refused(
        Refusal::NoSuchTable,
        format!(
            "table {table} is not the caller's, or no more: its lease was over, or it was freed; restart the relay to claim \
             one"
        ),
    )
}
