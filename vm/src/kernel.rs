//! Which kernels there are, and where the files of one are.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A series of kernels that Debian 12 ships for virtual machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kernel {
    /// Linux 6.1, of Debian 12 itself.
    V6_1,
    /// Linux 6.12, of its backports.
    V6_12,
}

impl Kernel {
    /// All, oldest first.
    pub const ALL: [Self; 2] = [Self::V6_1, Self::V6_12];

    /// The series: `6.1`.
    #[must_use]
    pub fn series(self) -> &'static str {
        match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.series())
    }
}

impl FromStr for Kernel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kernel| kernel.series() == text);
        found.ok_or_else(|| {
            format!(
                "no kernel {text} here; there are {}",
                Self::ALL.map(Self::series).join(", ")
            )
        })
    }
}

/// A kernel's files on the host.
#[derive(Clone, Debug)]
pub struct KernelFiles {
    /// What it says of itself by `uname -r`: `6.1.0-56-cloud-amd64`.
    pub release: String,
    /// What is booted.
    pub image: PathBuf,
    /// Its directory of modules, `lib/modules/RELEASE`.
    pub modules: PathBuf,
}
