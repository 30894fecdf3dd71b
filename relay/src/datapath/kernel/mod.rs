//! The kernel engines: one loaded program and its maps, attached to every media interface.

use std::path::Path;

use super::{DatapathConfig, StartError, Started, TableUsage};

/// See [`super::start`].
pub(super) fn start(_config: DatapathConfig) -> Result<Started, StartError> {
    Err(StartError::NotBuilt)
}

/// See [`super::table_usage`].
pub(super) fn table_usage(_bpffs: &Path, _table: u32) -> Option<TableUsage> {
    None
}
