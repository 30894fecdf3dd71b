//! A node's tables, looked at without an agent: nothing is changed, locked or taken care of.

use std::path::Path;

use super::registry::{Entry, Record, Registry, RegistryError};
use super::tables::{left, recorded};
use super::{monotonic_ns, node};
use crate::tables::TableState;

/// Every table that stands in the registry, with what an agent has last seen of its interfaces. `bpffs` is where their maps
/// are pinned; who may not read those, or the locks, is told less.
///
/// # Errors
/// The registry can't be read.
pub fn look(registry: &Path, bpffs: &Path) -> Result<Vec<TableState>, RegistryError> {
    let entries = Registry::at(registry).entries()?;
    Ok(entries.iter().map(|entry| state(entry, bpffs)).collect())
}

fn state(entry: &Entry, bpffs: &Path) -> TableState {
    let state = TableState {
        table: entry.table,
        alive: entry.is_alive,
        ..TableState::default()
    };
    let Some(record) = &entry.record else {
        return state;
    };
    let found = TableState {
        lease_left_ms: left_ms(record, bpffs).filter(|_| !entry.is_alive),
        usage: node::look::usage(bpffs, record.at_work()),
        ..state
    };
    recorded(record, found)
}

fn left_ms(record: &Record, bpffs: &Path) -> Option<u64> {
    let now = monotonic_ns();
    let last = record
        .generations()
        .filter_map(|generation| node::look::last_alive_ns(bpffs, generation))
        .filter(|sign| *sign <= now)
        .max()?;
    Some(left(last, record.lease_ms(), now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::registry::sample;

    #[test]
    fn without_a_registry_there_are_no_tables_and_none_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let registry = directory.path().join("tables");
        assert_eq!(look(&registry, directory.path()).unwrap(), []);
        assert!(!registry.exists());
    }

    #[test]
    fn tables_are_told_as_they_stand_there() {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::open(directory.path()).unwrap();
        let locked = registry.lock().unwrap();
        let _lock = locked.new_owner(3).unwrap();
        locked.write(&sample::record(3)).unwrap();
        locked.write(&sample::record(5)).unwrap();
        // Whoever looks waits for nobody.
        let states = look(directory.path(), directory.path()).unwrap();
        let told: Vec<_> = states
            .iter()
            .map(|state| (state.table, state.alive))
            .collect();
        assert_eq!(told, [(3, true), (5, false)]);
        assert_eq!(states[0].identity.as_deref(), Some("media-1"));
        assert_eq!(states[1].lease_left_ms, None);
    }
}
