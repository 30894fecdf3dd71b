//! Every table of the node, as operators see it.

use super::{NodeTables, unusable};
use crate::agent::claims::Life;
use crate::agent::registry::{Entry, Record};
use crate::tables::protocol::Refused;
use crate::tables::{Grant, TableState};

impl NodeTables {
    /// Every table that is not free.
    ///
    /// # Errors
    /// The registry can't be read.
    pub(crate) fn list(&mut self) -> Result<Vec<TableState>, Refused> {
        let locked = self.registry.lock().map_err(unusable)?;
        self.take_stock(&locked).map_err(unusable)?;
        let entries = locked.entries().map_err(unusable)?;
        Ok(entries.iter().map(|entry| self.state(entry)).collect())
    }

    fn state(&mut self, entry: &Entry) -> TableState {
        let lease_left_ms = match self.life(entry) {
            Life::Alive => None,
            Life::Lapsing { left_ms } => Some(left_ms),
        };
        let state = TableState {
            table: entry.table,
            alive: entry.is_alive,
            lease_left_ms,
            ..TableState::default()
        };
        let Some(record) = &entry.record else {
            return state;
        };
        let at_work = record.at_work();
        let usage = self.kernel.usage(at_work);
        TableState {
            interfaces: self.kernel.placement(at_work).interfaces,
            ..recorded(record, TableState { usage, ..state })
        }
    }
}

/// What stands in a record, beside what is found out.
pub(in crate::agent) fn recorded(record: &Record, found: TableState) -> TableState {
    TableState {
        generation: Some(record.current.generation),
        owner: Some(record.owner.clone()),
        identity: Some(record.identity.clone()),
        lease_ms: Some(record.current.lease_ms),
        grant: Some(Grant {
            addresses: record.current.addresses.clone(),
            ports: record.current.ports.clone(),
        }),
        interfaces: record.interfaces.clone(),
        ..found
    }
}
