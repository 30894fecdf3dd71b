//! Where a table's maps are pinned, so that anyone can look at them with bpftool.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use underpass_abi::{HEADER, LAYOUT_VERSION, OUTCOMES, PORTS, RECORDS};

/// Every map of a table.
pub(super) const MAPS: [&str; 4] = [HEADER, PORTS, RECORDS, OUTCOMES];

/// The directory of a table's pins.
pub(super) fn directory(bpffs: &Path, table: u32) -> PathBuf {
    bpffs.join(format!("underpass/v{LAYOUT_VERSION}/tables/{table}"))
}

/// Makes a table's directory, free of what a dead owner left, and mounts bpffs if there is none.
///
/// # Errors
/// bpffs is not there and can't be mounted, or can't be written.
pub(super) fn prepare(bpffs: &Path, table: u32) -> io::Result<PathBuf> {
    if !is_bpffs(bpffs) {
        fs::create_dir_all(bpffs)?;
        mount(
            Some("bpffs"),
            bpffs,
            Some("bpf"),
            MsFlags::empty(),
            None::<&str>,
        )?;
    }
    remove(bpffs, table);
    let directory = directory(bpffs, table);
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// Removes a table's pins, if there are any, of whatever layout: its last owner may have been of another version. Only
/// for the table's owner, or who holds its lock.
pub(super) fn remove(bpffs: &Path, table: u32) {
    let Ok(layouts) = fs::read_dir(bpffs.join("underpass")) else {
        return;
    };
    for layout in layouts.flatten() {
        let directory = layout.path().join(format!("tables/{table}"));
        let Ok(pins) = fs::read_dir(&directory) else {
            continue;
        };
        for pin in pins.flatten() {
            let _ = fs::remove_file(pin.path());
        }
        let _ = fs::remove_dir(directory);
    }
}

fn is_bpffs(path: &Path) -> bool {
    statfs(path).is_ok_and(|at| at.filesystem_type() == BPF_FS_MAGIC)
}
