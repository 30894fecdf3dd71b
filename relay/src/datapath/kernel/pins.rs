//! Where a table's maps are pinned.

use std::path::{Path, PathBuf};

use underpass_abi::LAYOUT_VERSION;

/// The directory of a table's pins.
pub(super) fn directory(bpffs: &Path, table: u32) -> PathBuf {
    bpffs.join(format!("underpass/v{LAYOUT_VERSION}/tables/{table}"))
}
