//! The spool directory, laid out as rtpengine's: `pcaps`, `metadata`, and `tmp`, where metadata is until its recording ends.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Where recordings are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spool(PathBuf);

/// A directory that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("recording-dir: {}: {source}", path.display())]
pub struct SpoolError {
    /// The directory.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

impl Spool {
    /// Makes what is missing. The spool directory itself is its owner's only, unless it is there already.
    ///
    /// # Errors
    /// [`SpoolError`] names the directory that cannot be made or is none.
    pub(super) fn prepare(directory: &Path) -> Result<Self, SpoolError> {
        make(directory, 0o700)?;
        for inner in ["pcaps", "metadata", "tmp"] {
            make(&directory.join(inner), 0o755)?;
        }
        Ok(Self(directory.to_owned()))
    }

    /// Where the packets of a recording go.
    pub(super) fn pcap(&self, name: &str) -> PathBuf {
        self.0.join("pcaps").join(format!("{name}.pcap"))
    }

    /// Where its metadata is while it lasts.
    pub(super) fn unfinished_metadata(&self, name: &str) -> PathBuf {
        self.0
            .join("tmp")
            .join(format!("rtpengine-meta-{name}.tmp"))
    }

    /// Where its metadata is afterwards.
    pub(super) fn metadata(&self, name: &str) -> PathBuf {
        let directory = self.0.join("metadata");
        directory.join(format!("rtpengine-meta-{name}.txt"))
    }
}

fn make(path: &Path, mode: u32) -> Result<(), SpoolError> {
    let made = DirBuilder::new().mode(mode).recursive(true).create(path);
    made.map_err(|source| SpoolError {
        path: path.to_owned(),
        source,
    })
}
