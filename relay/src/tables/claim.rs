//! Taking a table, and who has which.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};

use super::{Owner, TABLES, TableRequest, TableState};
use crate::datapath::table_usage;

/// Where the lock files of a node's tables are, unless told otherwise.
const DIRECTORY: &str = "/run/underpass/tables";
/// How often a table that was asked for by number is tried, and how long lies between.
const ATTEMPTS: u32 = 25;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);

/// The tables of this node.
#[derive(Clone, Debug)]
pub struct Tables {
    directory: PathBuf,
}

impl Default for Tables {
    fn default() -> Self {
        Self::at(DIRECTORY)
    }
}

impl Tables {
    /// Tables whose lock files are in `directory`; it is made when first needed. All relays of a node must use the same.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// Takes a table for as long as the returned claim, or this process, lives. `None` if none was asked for.
    ///
    /// # Errors
    /// [`ClaimError`]: the table, or every one, is taken, or the directory can't be used.
    pub fn claim(&self, request: TableRequest, owner: &Owner) -> Result<Option<Claim>, ClaimError> {
        match request {
            TableRequest::None => Ok(None),
            TableRequest::Number(table) if table >= TABLES => {
                Err(ClaimError::NoSuchTable { table })
            }
            TableRequest::Number(table) => self.claim_number(table, owner).map(Some),
            TableRequest::Auto => {
                for table in 0..TABLES {
                    if let Some(claim) = self.try_table(table, owner)? {
                        return Ok(Some(claim));
                    }
                }
                Err(ClaimError::AllTaken)
            }
        }
    }

    /// Every table that is owned, or whose owner died without giving it back. Takes no lock: it never gets into the
    /// way of a claim.
    ///
    /// # Errors
    /// The lock files can't be read. A directory that does not exist holds no tables.
    pub fn list(&self) -> io::Result<Vec<TableState>> {
        let mut states = Vec::new();
        for table in 0..TABLES {
            let file = match File::open(self.path(table)) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let alive = is_locked(&file)?;
            let owner = read_record(file);
            if alive || owner.is_some() {
                states.push(TableState {
                    table,
                    owner,
                    alive,
                    ..TableState::default()
                });
            }
        }
        Ok(states)
    }

    /// The same with what is in each table, as its maps pinned below `bpffs` tell.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub fn overview(&self, bpffs: &Path) -> io::Result<Vec<TableState>> {
        let mut states = self.list()?;
        for state in &mut states {
            state.usage = table_usage(bpffs, state.table);
        }
        Ok(states)
    }

    /// Tries for a moment: whoever holds the table may only be clearing it of a dead owner's things, or be on its way
    /// out, or not have written its name yet.
    fn claim_number(&self, table: u32, owner: &Owner) -> Result<Claim, ClaimError> {
        for _ in 0..ATTEMPTS {
            if let Some(claim) = self.try_table(table, owner)? {
                return Ok(claim);
            }
            thread::sleep(BETWEEN_ATTEMPTS);
        }
        let owner = self.read_owner(table).map_or_else(
            || "a relay that left no record".to_owned(),
            |owner| owner.to_string(),
        );
        Err(ClaimError::Taken { table, owner })
    }

    fn try_table(&self, table: u32, owner: &Owner) -> Result<Option<Claim>, ClaimError> {
        let path = self.path(table);
        self.lock_and_record(&path, owner)
            .map(|file| {
                file.map(|file| Claim {
                    table,
                    file,
                    tables: self.clone(),
                    owner: owner.clone(),
                })
            })
            .map_err(|source| ClaimError::Unusable { path, source })
    }

    fn lock_and_record(&self, path: &Path, owner: &Owner) -> io::Result<Option<File>> {
        fs::create_dir_all(&self.directory)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        if !try_lock(&file)? {
            return Ok(None);
        }
        file.set_len(0)?;
        serde_json::to_writer(&mut file, owner)?;
        file.flush()?;
        Ok(Some(file))
    }

    fn read_owner(&self, table: u32) -> Option<Owner> {
        read_record(File::open(self.path(table)).ok()?)
    }

    fn path(&self, table: u32) -> PathBuf {
        self.directory.join(format!("{table}.lock"))
    }
}

/// A table held by this process. Dropping it gives the table back.
#[derive(Debug)]
pub struct Claim {
    table: u32,
    file: File,
    tables: Tables,
    owner: Owner,
}

impl Claim {
    /// The table's number.
    #[must_use]
    pub fn table(&self) -> u32 {
        self.table
    }

    /// The tables it is one of.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Who holds it.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // An empty record tells `list` that the table was given back, not lost by a crash.
        let _ = self.file.rewind().and_then(|()| self.file.set_len(0));
        // Closing is not enough while a child that is being spawned has the descriptor, too.
        let _ = fcntl(
            &self.file,
            FcntlArg::F_OFD_SETLK(&whole_file(libc::F_UNLCK)),
        );
    }
}

/// Why a table could not be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Held by another relay.
    #[error("table {table} is taken by {owner}; choose another, or 'auto'")]
    Taken {
        /// The table asked for.
        table: u32,
        /// Its owner.
        owner: String,
    },
    /// Held by other relays, all of them.
    #[error("all {TABLES} tables of this node are taken; see `underpass tables`")]
    AllTaken,
    /// Out of range.
    #[error("there is no table {table}: tables are 0 to {last}", last = TABLES - 1)]
    NoSuchTable {
        /// The table asked for.
        table: u32,
    },
    /// The lock file can't be made or written.
    #[error(
        "table lock {path}: {source}; it must be writable, and the same for all relays of the node"
    )]
    Unusable {
        /// The lock file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// Locks the open file itself, not the process: such a lock can be asked about without taking it, and it ends with the
/// last descriptor.
fn try_lock(file: &File) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_WRLCK))) {
        Ok(_) => Ok(true),
        Err(nix::Error::EAGAIN | nix::Error::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn is_locked(file: &File) -> io::Result<bool> {
    let mut lock = whole_file(libc::F_WRLCK);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(lock.l_type != libc::F_UNLCK as libc::c_short)
}

fn whole_file(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

fn read_record(mut file: File) -> Option<Owner> {
    let mut record = String::new();
    file.read_to_string(&mut record).ok()?;
    serde_json::from_str(&record).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn owner(name: &str) -> Owner {
        Owner::this_process(name)
    }

    fn number(claim: Option<Claim>) -> (u32, Claim) {
        let claim = claim.unwrap();
        (claim.table(), claim)
    }

    #[test]
    fn auto_takes_the_first_free_table() {
        let directory = tempfile::tempdir().unwrap();
        let tables = Tables::at(directory.path());
        let (first, _held) = number(tables.claim(TableRequest::Auto, &owner("a")).unwrap());
        let (second, _held) = number(tables.claim(TableRequest::Auto, &owner("b")).unwrap());
        assert_eq!((first, second), (0, 1));
    }

    #[test]
    fn claims_at_the_same_time_get_different_tables() {
        let directory = tempfile::tempdir().unwrap();
        let tables = Tables::at(directory.path());
        let claims: Vec<Claim> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| tables.claim(TableRequest::Auto, &owner("x")).unwrap()))
                .collect();
            threads
                .into_iter()
                .filter_map(|thread| thread.join().unwrap())
                .collect()
        });
        let numbers: BTreeSet<u32> = claims.iter().map(Claim::table).collect();
        assert_eq!(numbers, (0..16).collect());
    }

    #[test]
    fn a_taken_number_is_refused_naming_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let tables = Tables::at(directory.path());
        let _held = tables
            .claim(TableRequest::Number(7), &owner("media-1"))
            .unwrap();
        let error = tables
            .claim(TableRequest::Number(7), &owner("media-2"))
            .unwrap_err();
        assert!(error.to_string().contains("table 7 is taken by media-1"));
        assert!(error.to_string().contains(&std::process::id().to_string()));
    }

    #[test]
    fn a_table_held_for_a_moment_only_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let tables = Tables::at(directory.path());
        let request = TableRequest::Number(7);
        let held = tables.claim(request, &owner("cleaner")).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| tables.claim(request, &owner("a")));
            // Whether it has tried by now or not, it gets the table.
            drop(held);
            assert!(waiting.join().unwrap().is_ok());
        });
    }

    #[test]
    fn a_table_given_back_can_be_claimed_again() {
        let directory = tempfile::tempdir().unwrap();
        let tables = Tables::at(directory.path());
        drop(tables.claim(TableRequest::Number(3), &owner("a")).unwrap());
        assert_eq!(tables.list().unwrap(), []);
        assert!(tables.claim(TableRequest::Number(3), &owner("b")).is_ok());
    }

    #[test]
    fn a_table_is_given_back_even_if_the_descriptor_has_been_inherited() {
        let directory = tempfile::tempdir().unwrap();
        let tables = Tables::at(directory.path());
        let claim = tables
            .claim(TableRequest::Number(3), &owner("a"))
            .unwrap()
            .unwrap();
        let _inherited = claim.file.try_clone().unwrap();
        drop(claim);
        assert!(tables.claim(TableRequest::Number(3), &owner("b")).is_ok());
    }

    #[test]
    fn all_taken_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let tables = Tables::at(directory.path());
        let _held: Vec<_> = (0..TABLES)
            .map(|_| tables.claim(TableRequest::Auto, &owner("a")).unwrap())
            .collect();
        let error = tables.claim(TableRequest::Auto, &owner("b")).unwrap_err();
        assert!(matches!(error, ClaimError::AllTaken));
    }

    #[test]
    fn a_number_that_does_not_exist_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let error = Tables::at(directory.path())
            .claim(TableRequest::Number(64), &owner("a"))
            .unwrap_err();
        assert!(matches!(error, ClaimError::NoSuchTable { table: 64 }));
    }

    #[test]
    fn no_table_asked_for_is_none_taken() {
        let directory = tempfile::tempdir().unwrap();
        let tables = Tables::at(directory.path().join("never made"));
        assert!(
            tables
                .claim(TableRequest::None, &owner("a"))
                .unwrap()
                .is_none()
        );
        assert_eq!(tables.list().unwrap(), []);
    }

    #[test]
    fn the_list_tells_the_living_from_the_dead() {
        let directory = tempfile::tempdir().unwrap();
        let tables = Tables::at(directory.path());
        let _held = tables
            .claim(TableRequest::Number(1), &owner("alive"))
            .unwrap();
        let record = serde_json::to_string(&owner("crashed")).unwrap();
        fs::write(directory.path().join("2.lock"), record).unwrap();

        let listed: Vec<_> = tables
            .list()
            .unwrap()
            .into_iter()
            .map(|state| (state.table, state.owner.unwrap().name, state.alive))
            .collect();

        assert_eq!(
            listed,
            [
                (1, "alive".to_owned(), true),
                (2, "crashed".to_owned(), false)
            ]
        );
    }

    /// Not a test by itself: the process that the next one kills.
    #[test]
    fn holder() {
        let Ok(directory) = std::env::var("UNDERPASS_TEST_HOLDER") else {
            return;
        };
        let _held = Tables::at(directory)
            .claim(TableRequest::Number(5), &owner("victim"))
            .unwrap();
        println!("held");
        loop {
            std::thread::park();
        }
    }

    #[test]
    fn the_table_of_a_killed_owner_is_free() {
        let directory = tempfile::tempdir().unwrap();
        let tables = Tables::at(directory.path());
        let mut victim = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tables::claim::tests::holder", "--nocapture"])
            .env("UNDERPASS_TEST_HOLDER", directory.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = io::BufRead::lines(io::BufReader::new(victim.stdout.take().unwrap()));
        assert!(lines.any(|line| line.unwrap().contains("held")));
        let refused = tables
            .claim(TableRequest::Number(5), &owner("next"))
            .unwrap_err();
        assert!(refused.to_string().contains(&victim.id().to_string()));

        victim.kill().unwrap();
        victim.wait().unwrap();

        let listed = tables.list().unwrap();
        assert_eq!((listed[0].table, listed[0].alive), (5, false));
        assert!(
            tables
                .claim(TableRequest::Number(5), &owner("next"))
                .is_ok()
        );
    }
}
