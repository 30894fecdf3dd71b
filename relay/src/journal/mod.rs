//! The journal: what a relay must remember to take its calls up again after a crash or an upgrade.
//!
//! One SQLite file in a directory of the relay's own, a row a call. Rows are opaque here: a key, and a payload with a checksum.
//! Nothing is ever synced to the disk: what a process has written outlives it, whichever way it ends, and a crash of the machine ends
//! every flow and socket that the journal could be good for.
//!
//! A rollback journal, not a write-ahead log: with a log one flipped bit silently takes back everything written after it, calls
//! that have ended come back, and there is a second file to mend. This way what a page says is what holds, and a damaged page costs
//! the calls on it alone.

mod lock;
mod owner;
mod row;
mod salvage;
mod store;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

pub use owner::{Owner, boot_id};
pub use row::Row;
pub use store::{Batch, Found, Journal};

/// Bytes of a page: a call in a usual SDP exchange takes two to three thousand, so that few calls need pages of their own.
const PAGE: usize = 8192;
/// Pages at most: 256 MiB, about 80,000 usual calls. Calls beyond that are not journaled until others end.
const MAX_PAGES: usize = 32_768;

/// Why there is no journal, or why it does not take what it is given.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The directory or a file in it cannot be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process keeps its calls there.
    #[error("{} is another process's: give this relay an identity or a state directory of its own", .0.display())]
    Locked(PathBuf),
    /// No room in it, or on its disk.
    #[error("no room: {0}")]
    Full(rusqlite::Error),
    /// SQLite refuses.
    #[error("{0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full(error),
            _ => Self::Sqlite(error),
        }
    }
}

impl JournalError {
    fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
