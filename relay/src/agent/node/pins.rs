//! Where everything is pinned, below `underpass/vLAYOUT` in bpffs: what one agent leaves there the next one finds.
//!
//! `tables/TABLE/GENERATION/` has the maps of a generation, its programs and [`SPEC`]; `interfaces/NAMESPACE-IFINDEX/`
//! what is attached to an interface (see [`super::hook`]).

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use underpass_abi::LAYOUT_VERSION;

use crate::agent::kernel::Generation;

/// An interface, by its namespace's inode and its index there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    /// See [`super::namespace::inode`].
    pub(super) namespace: u64,
    /// Its index.
    pub(super) ifindex: u32,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.namespace, self.ifindex)
    }
}

impl FromStr for At {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (namespace, ifindex) = text.split_once('-').ok_or(())?;
        Ok(Self {
            namespace: namespace.parse().map_err(drop)?,
            ifindex: ifindex.parse().map_err(drop)?,
        })
    }
}

/// The pins of one node.
#[derive(Debug)]
pub(super) struct Pins {
    root: PathBuf,
}

impl Pins {
    /// Those below `bpffs`, which is mounted if it is not.
    ///
    /// # Errors
    /// It can't be, or not be written to.
    pub(super) fn open(bpffs: &Path) -> io::Result<Self> {
        fs::create_dir_all(bpffs)?;
        if !is_bpffs(bpffs) {
            let nothing: Option<&str> = None;
            mount(Some("bpffs"), bpffs, Some("bpf"), MsFlags::empty(), nothing)?;
        }
        let root = bpffs.join("underpass");
        fs::create_dir_all(&root)?;
        Ok(Self { root })
    }

    /// Those below `bpffs`, to be looked at.
    pub(super) fn at(bpffs: &Path) -> Self {
        Self {
            root: bpffs.join("underpass"),
        }
    }

    /// The directory of a generation.
    pub(super) fn generation(&self, generation: Generation) -> PathBuf {
        let Generation {
            table,
            number,
            layout,
        } = generation;
        self.root.join(format!("v{layout}/tables/{table}/{number}"))
    }

    /// Every generation that has a directory.
    pub(super) fn generations(&self) -> Vec<Generation> {
        let mut found = Vec::new();
        for (layout, directory) in self.layouts() {
            for (table, directory) in numbered::<u32>(&directory.join("tables")) {
                for (number, _) in numbered::<u64>(&directory) {
                    found.push(Generation {
                        table,
                        number,
                        layout,
                    });
                }
            }
        }
        found
    }

    /// The directory of an interface, of this build's layout.
    pub(super) fn interface(&self, at: At) -> PathBuf {
        self.root.join(format!("v{LAYOUT_VERSION}/interfaces/{at}"))
    }

    /// The directory that an interface has, of whatever layout.
    pub(super) fn existing_interface(&self, at: At) -> Option<PathBuf> {
        let mut layouts = self.layouts().into_iter();
        layouts.find_map(|(_, directory)| {
            let directory = directory.join(format!("interfaces/{at}"));
            directory.is_dir().then_some(directory)
        })
    }

    /// Every interface that has a directory.
    pub(super) fn interfaces(&self) -> Vec<At> {
        let layouts = self.layouts().into_iter();
        layouts
            .flat_map(|(_, directory)| numbered(&directory.join("interfaces")))
            .map(|(at, _)| at)
            .collect()
    }

    fn layouts(&self) -> Vec<(u32, PathBuf)> {
        let Ok(entries) = fs::read_dir(&self.root) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                Some((name.strip_prefix('v')?.parse().ok()?, entry.path()))
            })
            .collect()
    }
}

/// The names in a directory; none if there is no such.
pub(super) fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// Removes a directory of pins with all that is in it.
pub(super) fn remove(directory: &Path) {
    for name in names(directory) {
        let path = directory.join(name);
        if fs::remove_file(&path).is_err() {
            remove(&path);
        }
    }
    let _ = fs::remove_dir(directory);
}

/// The entries of a directory whose names are `T`s.
fn numbered<T: FromStr>(directory: &Path) -> Vec<(T, PathBuf)> {
    names(directory)
        .into_iter()
        .filter_map(|name| Some((name.parse().ok()?, directory.join(name))))
        .collect()
}

fn is_bpffs(path: &Path) -> bool {
    statfs(path).is_ok_and(|at| at.filesystem_type() == BPF_FS_MAGIC)
}
