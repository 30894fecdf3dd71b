//! QEMU.

use std::path::PathBuf;

/// Where QEMU and its firmware are.
#[derive(Clone, Debug)]
pub struct Emulator {
    /// The directory its packages are unpacked in.
    pub(crate) root: PathBuf,
}

impl Emulator {
    pub(crate) const PACKAGES: [&str; 4] = [
        "qemu-system-x86",
        "qemu-system-common",
        "qemu-system-data",
        "seabios",
    ];

    /// The program.
    #[must_use]
    pub fn program(&self) -> PathBuf {
        self.root.join("usr/bin/qemu-system-x86_64")
    }

    /// Where it looks for firmware.
    pub(crate) fn firmware(&self) -> [PathBuf; 2] {
        ["usr/share/seabios", "usr/share/qemu"].map(|path| self.root.join(path))
    }
}
