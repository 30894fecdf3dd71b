//! What tables there are on this node, in files, so that it outlives every agent.
//!
//! For each table `N.json`, its record, and `N.lock`, which its owner holds while it lives. `node.lock` is held around every
//! change, by whichever agent makes it.

mod lock;
mod record;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};

use crate::tables::TABLES;
pub(crate) use record::{Contents, NamespaceId, Record};

/// How long another agent may be busy with a change: it may be loading programs.
const PATIENCE: Duration = Duration::from_secs(15);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(5);
/// Bytes of the longest record that is read.
const MAX_RECORD: u64 = 1 << 20;

/// The registry of a node.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    directory: PathBuf,
}

/// What is wrong with the registry.
#[derive(Debug, thiserror::Error)]
#[error("table registry {path}: {source}; all agents of a node must be able to write it")]
pub struct RegistryError {
    path: PathBuf,
    source: io::Error,
}

/// A table in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its number.
    pub(crate) table: u32,
    /// What is known of it; `None` if that can't be read.
    pub(crate) record: Option<Record>,
    /// Its owner lives.
    pub(crate) is_alive: bool,
}

impl Registry {
    /// The registry in `directory`, which is made if need be.
    pub(crate) fn open(directory: &Path) -> Result<Self, RegistryError> {
        let registry = Self::at(directory);
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(directory)
            .map_err(|source| registry.error(directory, source))?;
        Ok(registry)
    }

    /// The registry in `directory`, to be looked at; without it there is no table.
    pub(crate) fn at(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Waits for other agents' changes to end, and keeps them from making others.
    pub(crate) fn lock(&self) -> Result<Locked, RegistryError> {
        let path = self.directory.join("node.lock");
        self.lock_file(&path)
            .map_err(|source| self.error(&path, source))
    }

    fn lock_file(&self, path: &Path) -> io::Result<Locked> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let until = Instant::now() + PATIENCE;
        loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => {
                    return Ok(Locked {
                        registry: self.clone(),
                        _lock: lock,
                    });
                }
                Err((file, nix::Error::EWOULDBLOCK | nix::Error::EINTR)) => file,
                Err((_, error)) => return Err(error.into()),
            };
            if Instant::now() > until {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "held by another agent for too long",
                ));
            }
            thread::sleep(BETWEEN_ATTEMPTS);
        }
    }

    /// Every table there is.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, RegistryError> {
        (0..TABLES)
            .filter_map(|table| self.entry(table).transpose())
            .collect()
    }

    /// One table; `None` if it is free.
    pub(crate) fn entry(&self, table: u32) -> Result<Option<Entry>, RegistryError> {
        let path = self.path(table, "json");
        let record = match read(&path) {
            Ok(record) => record,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.error(&path, error)),
        };
        let record: Option<Record> = serde_json::from_slice(&record).ok();
        let record = record.filter(|record| record.table == table);
        let is_alive = self.is_alive(table, record.as_ref())?;
        Ok(Some(Entry {
            table,
            record,
            is_alive,
        }))
    }

    fn is_alive(&self, table: u32, record: Option<&Record>) -> Result<bool, RegistryError> {
        let path = self.path(table, "lock");
        match File::open(&path).and_then(|file| lock::is_held(&file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            // Only agents may ask the lock. To others, who just look, a process of that number is as good as the owner.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Ok(record.is_some_and(|record| is_process(record.owner.pid)))
            }
            other => other.map_err(|source| self.error(&path, source)),
        }
    }

    fn path(&self, table: u32, kind: &str) -> PathBuf {
        self.directory.join(format!("{table}.{kind}"))
    }

    fn error(&self, path: &Path, source: io::Error) -> RegistryError {
        RegistryError {
            path: path.to_owned(),
            source,
        }
    }
}

/// The registry while nobody else changes it.
#[derive(Debug)]
pub(crate) struct Locked {
    registry: Registry,
    _lock: Flock<File>,
}

impl Deref for Locked {
    type Target = Registry;

    fn deref(&self) -> &Registry {
        &self.registry
    }
}

impl Locked {
    /// Writes a table's record, all of it or nothing.
    pub(crate) fn write(&self, record: &Record) -> Result<(), RegistryError> {
        let path = self.registry.path(record.table, "json");
        let new = self.registry.path(record.table, "json.new");
        serde_json::to_vec_pretty(record)
            .map_err(io::Error::from)
            .and_then(|bytes| write(&new, 0o644, &bytes))
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|source| self.registry.error(&path, source))
    }

    /// Frees a table's number.
    pub(crate) fn remove(&self, table: u32) -> Result<(), RegistryError> {
        for kind in ["json", "lock"] {
            let path = self.registry.path(table, kind);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.registry.error(&path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A lock for a new owner of `table`, held already: whoever gets the descriptor is the owner for as long as it is open.
    /// Each has a file of its own, so that whoever still has an earlier one's has nothing.
    pub(crate) fn new_owner(&self, table: u32) -> Result<OwnedFd, RegistryError> {
        let path = self.registry.path(table, "lock");
        let new = self.registry.path(table, "lock.new");
        write(&new, 0o600, &[])
            .and_then(|()| File::open(&new))
            .and_then(|file| {
                if !lock::hold(&file)? {
                    return Err(io::Error::from(io::ErrorKind::WouldBlock));
                }
                fs::rename(&new, &path)?;
                Ok(file.into())
            })
            .map_err(|source| self.registry.error(&path, source))
    }

    /// The descriptor is `table`'s lock, and holds it.
    pub(crate) fn is_owners(&self, table: u32, descriptor: BorrowedFd<'_>) -> bool {
        let same_file = || -> io::Result<bool> {
            let theirs = File::from(descriptor.try_clone_to_owned()?).metadata()?;
            let ours = fs::metadata(self.registry.path(table, "lock"))?;
            Ok((theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino()))
        };
        same_file().unwrap_or(false) && lock::hold(descriptor.as_fd()).unwrap_or(false)
    }

    /// A number that no generation has had since the node booted, whatever became of the registry meanwhile: `now_ns` is
    /// CLOCK_MONOTONIC's.
    pub(crate) fn next_generation(&self, now_ns: u64) -> Result<u64, RegistryError> {
        let path = self.registry.directory.join("generation");
        let last = fs::read_to_string(&path)
            .ok()
            .and_then(|text| text.trim().parse::<u64>().ok())
            .unwrap_or_default();
        let next = now_ns.max(last.saturating_add(1));
        let new = self.registry.directory.join("generation.new");
        write(&new, 0o644, format!("{next}\n").as_bytes())
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|source| self.registry.error(&path, source))?;
        Ok(next)
    }
}

fn is_process(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_RECORD).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    // The mode is what is said, whatever the umask.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
