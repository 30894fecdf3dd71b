//! Who holds a table, as written into its lock file.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The record of a table's owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Process id, in the owner's pid namespace.
    pub pid: u32,
    /// The relay's name: the pod's UID or a configured one.
    pub name: String,
    /// When it claimed the table, seconds since 1970.
    pub since: u64,
    /// Its command line.
    pub command: String,
}

impl Owner {
    /// This process, under `name`, from now on.
    #[must_use]
    pub fn this_process(name: &str) -> Self {
        Self {
            pid: std::process::id(),
            name: name.to_owned(),
            since: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            command: std::env::args_os()
                .map(|argument| argument.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join(" "),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {}: {})", self.name, self.pid, self.command)
    }
}
