//! Leases: who lives, what is over, and what is left of those who are gone.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Change, NodeTables};
use crate::agent::caller::open_namespace;
use crate::agent::claims::{Life, Standing};
use crate::agent::kernel::{Generation, KernelError};
use crate::agent::registry::{Entry, Locked, Record, RegistryError};
use crate::tables::protocol::Placement;

/// What a lease has on top: an owner gives a sign of life once a second, so its last may be older than its end.
pub(super) const SLACK: Duration = Duration::from_secs(2);
/// How long an owner may take to restore its calls, while what its predecessor had forwards on.
const RESTORING: Duration = Duration::from_secs(60);

const NS_PER_MS: u64 = 1_000_000;

impl NodeTables {
    /// Due about once a second: tables whose leases are over are freed, owners that restore their calls are helped over that
    /// time, and what other agents have changed is learned of.
    ///
    /// # Errors
    /// The registry can't be used; nothing is freed then.
    pub(crate) fn tick(&mut self) -> Result<Vec<Change>, RegistryError> {
        let locked = self.registry.lock()?;
        self.take_stock(&locked)?;
        let mut changes = Vec::new();
        for entry in locked.entries()? {
            if let Some(record) = entry.record {
                changes.extend(self.restoring(&locked, record, entry.is_alive)?);
            }
        }
        changes.extend(self.changed_placements(&locked)?);
        Ok(changes)
    }

    /// What has changed of links and addresses, and by what was done for others.
    ///
    /// # Errors
    /// The registry can't be used.
    pub(crate) fn follow(&mut self) -> Result<Vec<Change>, RegistryError> {
        let locked = self.registry.lock()?;
        self.take_stock(&locked)?;
        self.changed_placements(&locked)
    }

    /// There is something for [`Self::follow`] that no descriptor tells of.
    pub(crate) fn is_changed(&self) -> bool {
        self.is_changed
    }

    fn changed_placements(&mut self, locked: &Locked) -> Result<Vec<Change>, RegistryError> {
        self.is_changed = false;
        let mut changes = Vec::new();
        for generation in self.kernel.follow() {
            let placement = self.kernel.placement(generation);
            note(locked, generation, &placement)?;
            changes.push(Change::Placement(generation, placement));
        }
        Ok(changes)
    }

    /// The tables that are not free, for a claim.
    pub(super) fn standings(
        &mut self,
        locked: &Locked,
    ) -> Result<BTreeMap<u32, Standing>, RegistryError> {
        self.take_stock(locked)?;
        let entries = locked.entries()?;
        Ok(entries
            .into_iter()
            .map(|entry| {
                let life = self.life(&entry);
                let record = entry.record;
                (entry.table, Standing { record, life })
            })
            .collect())
    }

    /// Frees what is over, adopts what other agents have made, forgets what they have ended.
    pub(super) fn take_stock(&mut self, locked: &Locked) -> Result<(), RegistryError> {
        let mut named = Vec::new();
        for entry in locked.entries()? {
            if let Some(record) = &entry.record {
                self.adopt(record, entry.is_alive);
            }
            let generations = self.generations_of(&entry);
            if self.is_over(&entry) {
                tracing::info!(
                    table = entry.table,
                    "the owner is gone and the lease over: the table is free"
                );
                self.free_table(locked, entry.table, generations)?;
            } else {
                named.extend(generations);
            }
        }
        let ended: Vec<Generation> = self
            .known
            .iter()
            .filter(|generation| !named.contains(generation))
            .copied()
            .collect();
        for generation in ended {
            self.end(generation);
        }
        Ok(())
    }

    /// Ends what is pinned and in no record: an agent died before it could.
    pub(super) fn remove_unnamed(&mut self, locked: &Locked) -> Result<(), RegistryError> {
        let mut kept = Vec::new();
        for entry in locked.entries()? {
            kept.extend(self.generations_of(&entry));
        }
        for generation in self.kernel.pinned() {
            if !kept.contains(&generation) {
                self.end(generation);
            }
        }
        Ok(())
    }

    /// Everything the kernel may have of a table; where the record can't be read, whatever is pinned.
    pub(super) fn generations_of(&mut self, entry: &Entry) -> Vec<Generation> {
        match &entry.record {
            Some(record) => record.generations().collect(),
            None => {
                let mut pinned = self.kernel.pinned();
                pinned.retain(|generation| generation.table == entry.table);
                pinned
            }
        }
    }

    pub(super) fn life(&mut self, entry: &Entry) -> Life {
        if entry.is_alive {
            self.gone_since.remove(&entry.table);
            return Life::Alive;
        }
        let left_ms = match &entry.record {
            Some(record) => self.left_ms(record),
            None => self.unreadable_left_ms(entry),
        };
        Life::Lapsing { left_ms }
    }

    fn is_over(&mut self, entry: &Entry) -> bool {
        self.life(entry) == Life::Lapsing { left_ms: 0 }
    }

    /// What is left of the lease of an owner that is gone, ms. A sign of life in the future is none: else its owner, which
    /// writes it, could keep its table for ever.
    fn left_ms(&mut self, record: &Record) -> u64 {
        let pinned = self.kernel.pinned();
        if !record
            .generations()
            .any(|generation| pinned.contains(&generation))
        {
            return 0;
        }
        let now = self.now_ns();
        let signs: Vec<Option<u64>> = record
            .generations()
            .map(|generation| self.kernel.last_alive_ns(generation))
            .collect();
        let last = signs
            .iter()
            .flatten()
            .chain([&record.claimed_ns])
            .filter(|sign| **sign <= now)
            .max()
            .copied();
        // A map that can't be read may still be forwarded by: its lease began when the owner was last seen at the latest.
        let seen = signs
            .contains(&None)
            .then(|| *self.gone_since.entry(record.table).or_insert(now));
        let from = last.max(seen).unwrap_or_default();
        left(from, record.lease_ms(), now)
    }

    fn unreadable_left_ms(&mut self, entry: &Entry) -> u64 {
        if self.generations_of(entry).is_empty() {
            return 0;
        }
        let now = self.now_ns();
        let from = *self.gone_since.entry(entry.table).or_insert_with(|| {
            tracing::warn!(
                table = entry.table,
                "the table's record is damaged; it is freed once no lease can be running any more"
            );
            now
        });
        let lease_ms = u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX);
        left(from, lease_ms, now)
    }

    fn adopt(&mut self, record: &Record, is_alive: bool) {
        for contents in record.contents() {
            let generation = contents.of(record.table);
            if !self.known.insert(generation) {
                continue;
            }
            let namespace = is_alive
                .then(|| open_namespace(record.owner.pid, record.namespace))
                .flatten();
            match self.kernel.adopt(generation, &contents.spec(), namespace) {
                // Not made yet, or ended already, by an agent that died over it.
                Ok(()) | Err(KernelError::NotThere(_)) => {}
                Err(error) => tracing::warn!(
                    table = record.table,
                    "the table forwards on, but can't be looked after: {error}"
                ),
            }
        }
    }

    /// While an owner restores its calls nobody gives signs of life for what forwards on, so the agent does. An owner that
    /// never comes to an end has what it has put to work once the old has come to its own.
    fn restoring(
        &mut self,
        locked: &Locked,
        mut record: Record,
        is_alive: bool,
    ) -> Result<Option<Change>, RegistryError> {
        let Some(previous) = record.previous().filter(|_| is_alive) else {
            return Ok(None);
        };
        let now = self.now_ns();
        let since = Duration::from_nanos(now.saturating_sub(record.claimed_ns));
        if since <= RESTORING {
            self.kernel.keep_alive(previous);
            return Ok(None);
        }
        if since <= RESTORING + Duration::from_millis(record.lease_ms()) + SLACK {
            return Ok(None);
        }
        tracing::warn!(
            table = record.table,
            "the owner has not restored its calls in time; what was forwarded before is ended"
        );
        let current = record.current();
        self.settle(locked, &mut record)?;
        Ok(Some(Change::Settled(current)))
    }
}

/// Keeps what has changed for those who only look.
fn note(
    locked: &Locked,
    generation: Generation,
    placement: &Placement,
) -> Result<(), RegistryError> {
    let record = locked
        .entry(generation.table)?
        .and_then(|entry| entry.record);
    match record.filter(|record| record.at_work() == generation) {
        Some(mut record) if record.interfaces != placement.interfaces => {
            record.interfaces.clone_from(&placement.interfaces);
            locked.write(&record)
        }
        _ => Ok(()),
    }
}

/// What is left of a lease that began then, ms.
pub(in crate::agent) fn left(from_ns: u64, lease_ms: u64, now_ns: u64) -> u64 {
    let slack = u64::try_from(SLACK.as_nanos()).unwrap_or_default();
    let end = lease_ms
        .saturating_mul(NS_PER_MS)
        .saturating_add(from_ns)
        .saturating_add(slack);
    end.saturating_sub(now_ns).div_ceil(NS_PER_MS)
}
