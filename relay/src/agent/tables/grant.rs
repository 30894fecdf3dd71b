//! Granting a table.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

use underpass_abi::LAYOUT_VERSION;

use super::{Granting, NodeTables, unusable};
use crate::agent::caller::Caller;
use crate::agent::claims::{self, refused};
use crate::agent::kernel::KernelError;
use crate::agent::registry::{Contents, Locked, NamespaceId, Record};
use crate::tables::Owner;
use crate::tables::protocol::{Claim, Granted, Placement, Refusal, Refused, VERSION};

/// Characters of a command line that are kept.
const MAX_COMMAND: usize = 256;

/// Who asks for a table, and where it lives.
#[derive(Debug)]
pub(crate) struct Applicant {
    /// The process.
    pub(crate) caller: Caller,
    /// Its network namespace's numbers…
    pub(crate) id: NamespaceId,
    /// …and the namespace.
    pub(crate) namespace: OwnedFd,
}

impl NodeTables {
    /// Grants a table. It is at work at once, unless its owner has one from before: then that forwards on until
    /// [`Self::settled`].
    ///
    /// # Errors
    /// Why not; then all is as it was.
    pub(crate) fn claim(
        &mut self,
        claim: &Claim,
        applicant: Applicant,
    ) -> Result<Granting, Refused> {
        check_version(claim.version)?;
        if claim.layout != LAYOUT_VERSION {
            return Err(refused(
                Refusal::Version,
                format!(
                    "the relay knows tables of layout {}, the agent makes layout {LAYOUT_VERSION}; run the same version of \
                     both",
                    claim.layout
                ),
            ));
        }
        claims::check(claim)?;
        let own = self
            .kernel
            .addresses(applicant.namespace.as_fd())
            .map_err(by_kernel)?;
        let limit = self.policy.check(claim, &applicant.caller, &own)?;
        let locked = self.registry.lock().map_err(unusable)?;
        let mut standings = self.standings(&locked).map_err(unusable)?;
        let decision = claims::decide(claim, &applicant.caller, applicant.id, &standings, limit)?;
        let mut record_of = |table| {
            standings
                .remove(&table)
                .and_then(|standing| standing.record)
        };
        let mut before = record_of(decision.table);
        let given_up = decision.gives_up.and_then(record_of);
        if let Some(before) = &mut before {
            self.finish_settling(&locked, before, &applicant)?;
        }

        let now = self.now_ns();
        let generation = locked.next_generation(now).map_err(unusable)?;
        let mut record = Record {
            table: decision.table,
            identity: claim.identity.clone(),
            owner: owner(claim, &applicant.caller),
            uid: applicant.caller.uid,
            pod: applicant.caller.pod.clone(),
            cgroup: applicant.caller.cgroup.clone(),
            namespace: applicant.id,
            claimed_ns: now,
            current: self.contents(claim, &applicant.caller, generation),
            previous: before.as_ref().map(|before| {
                let at_work = before.previous.as_ref().unwrap_or(&before.current);
                at_work.clone()
            }),
            interfaces: before
                .as_ref()
                .map_or_else(Vec::new, |before| before.interfaces.clone()),
        };
        let mut granting = self
            .make(&locked, &record, applicant.namespace)
            .and_then(|granting| {
                let interfaces = self.kernel.placement(record.current()).interfaces;
                claims::check_uplinks(claim, &interfaces, &standings).map(|()| granting)
            })
            .inspect_err(|_| self.undo(&locked, &record, before.as_ref()))?;

        // An earlier restart of the owner that came to nothing.
        if let Some(unsettled) = before.filter(|before| before.previous.is_some()) {
            self.end(unsettled.current());
        }
        if let Some(given_up) = given_up {
            self.free_table(&locked, given_up.table, given_up.generations())
                .map_err(unusable)?;
        }
        self.is_changed = true;
        if record.previous.is_none() {
            let placement = self.kernel.attach(record.current(), None);
            record.interfaces.clone_from(&placement.interfaces);
            locked.write(&record).map_err(unusable)?;
            granting.granted.placement = placement;
        } else {
            granting.granted.placement = self.kernel.placement(record.current());
        }
        tracing::info!(
            table = record.table,
            owner = %record.owner,
            takes_over = granting.granted.takes_over,
            "table granted"
        );
        Ok(granting)
    }

    fn contents(&self, claim: &Claim, caller: &Caller, generation: u64) -> Contents {
        Contents {
            generation,
            layout: LAYOUT_VERSION,
            addresses: claim.addresses.clone(),
            ports: claim.ports.clone(),
            max_flows: claim.max_flows,
            lease_ms: u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX),
            engine: claim.engine,
            interface_engines: claim.interface_engines.clone(),
            is_trusted: caller.is_root,
        }
    }

    /// First the record, then the maps: so whatever there is can be found by the record.
    fn make(
        &mut self,
        locked: &Locked,
        record: &Record,
        namespace: OwnedFd,
    ) -> Result<Granting, Refused> {
        let generation = record.current();
        let lock = locked.new_owner(record.table).map_err(unusable)?;
        locked.write(record).map_err(unusable)?;
        self.kernel
            .create(generation, &record.current.spec(), namespace)
            .map_err(by_kernel)?;
        self.known.insert(generation);
        let maps = self.kernel.maps(generation, true).map_err(by_kernel)?;
        let mut descriptors = vec![maps.header, maps.ports, maps.records, maps.outcomes, lock];
        let previous = record
            .previous()
            .filter(|previous| previous.layout == LAYOUT_VERSION)
            .and_then(|previous| self.kernel.maps(previous, false).ok());
        let has_previous = previous.is_some();
        if let Some(previous) = previous {
            descriptors.extend([previous.header, previous.ports, previous.records]);
        }
        let sockets = self.kernel.node_sockets(generation).map_err(by_kernel)?;
        let has_node_sockets = sockets.is_some();
        if let Some((ask, watch)) = sockets {
            descriptors.extend([ask, watch]);
        }
        Ok(Granting {
            generation,
            granted: Granted {
                has_previous,
                has_node_sockets,
                ..granted(record, Placement::default())
            },
            descriptors,
        })
    }

    fn undo(&mut self, locked: &Locked, record: &Record, before: Option<&Record>) {
        self.end(record.current());
        let undone = match before {
            Some(before) => locked.write(before),
            None => locked.remove(record.table),
        };
        if let Err(error) = undone {
            tracing::error!(table = record.table, "a refused claim stays in the {error}");
        }
    }
}

/// What a record grants, as far as it says.
pub(super) fn granted(record: &Record, placement: Placement) -> Granted {
    let contents = &record.current;
    Granted {
        version: VERSION,
        table: record.table,
        generation: contents.generation,
        lease_ms: contents.lease_ms,
        max_flows: contents.max_flows,
        addresses: contents.addresses.clone(),
        ports: contents.ports.clone(),
        takes_over: record.previous.is_some(),
        has_previous: false,
        has_node_sockets: false,
        placement,
    }
}

pub(super) fn check_version(version: u32) -> Result<(), Refused> {
    if version == VERSION {
        return Ok(());
    }
    Err(refused(
        Refusal::Version,
        format!(
            "the relay speaks version {version} of the claim protocol, the agent version {VERSION}; run the same version of \
             both"
        ),
    ))
}

pub(super) fn by_kernel(error: KernelError) -> Refused {
    refused(Refusal::Kernel, error.to_string())
}

fn owner(claim: &Claim, caller: &Caller) -> Owner {
    let command = claim.command.chars().take(MAX_COMMAND);
    Owner {
        pid: caller.pid,
        name: claim.name.clone(),
        since: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()),
        // It goes to terminals.
        command: command
            .map(|c| if c.is_control() { '?' } else { c })
            .collect(),
    }
}
