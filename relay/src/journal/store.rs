//! The file: opened, checked, set aside if it is damaged, written.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, params};

use super::lock::Lock;
use super::owner::Owner;
use super::row::{Row, seal, unseal};
use super::{JournalError, MAX_PAGES, PAGE, salvage};

/// The file's name.
pub(super) const NAME: &str = "journal.db";
/// The file that SQLite takes a broken-off transaction back with.
const ROLLBACK: &str = "journal.db-journal";
/// Where a damaged file is kept to be looked at: the latest one.
pub(super) const DAMAGED: &str = "journal.db.damaged";
/// The key of the owner's row; calls come after it.
const OWNER: i64 = 0;

/// An open journal; no other process can open it meanwhile.
#[derive(Debug)]
pub struct Journal {
    connection: Connection,
    /// The calls that are in the file.
    stored: BTreeSet<u64>,
    _lock: Lock,
}

/// What an earlier process left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Who it was; `None` if nobody was there, or that row is lost.
    pub owner: Option<Owner>,
    /// Its calls as far as they are intact, in the order of their keys.
    pub rows: Vec<Row>,
    /// What is wrong with the file, if anything is.
    pub damage: Option<String>,
}

/// What has changed: written together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Calls that have ended.
    pub ended: Vec<u64>,
    /// Calls as they are now.
    pub changed: Vec<Row>,
    /// The owner lives. The number of calls is filled in.
    pub owner: Option<Owner>,
}

/// Why a file could not be opened.
enum Trouble {
    /// It is there, and not what it should be.
    Damage(String),
    Other(JournalError),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(
                ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::OutOfMemory
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked,
            ) => Self::Other(error.into()),
            _ => Self::Damage(error.to_string()),
        }
    }
}

impl Journal {
    /// Opens the journal in `directory`, which is made if it is not there, and reads what is in it. Damage is no error: what is
    /// intact is found, the file set aside, and the new one is empty. What was found counts even if there is no journal now.
    pub fn open(directory: &Path) -> (Result<Self, JournalError>, Found) {
        let mut found = Found::default();
        let journal = Self::try_open(directory, &mut found);
        (journal, found)
    }

    fn try_open(directory: &Path, found: &mut Found) -> Result<Self, JournalError> {
        make_private(directory).map_err(JournalError::io(directory))?;
        let lock = Lock::take(directory)?;
        let path = directory.join(NAME);
        let (connection, stored) = match open_checked(&path) {
            Ok((connection, rows)) => {
                *found = Found::of(rows);
                (connection, found.rows.iter().map(|row| row.key).collect())
            }
            Err(Trouble::Other(error)) => return Err(error),
            Err(Trouble::Damage(damage)) => {
                let file = fs::read(&path).map_err(JournalError::io(&path))?;
                *found = Found::of(salvage::rows(&file));
                found.damage = Some(damage);
                set_aside(directory)?;
                (open(&path)?, BTreeSet::new())
            }
        };
        Ok(Self {
            connection,
            stored,
            _lock: lock,
        })
    }

    /// Writes a batch.
    ///
    /// # Errors
    /// [`JournalError`]; the journal is as before then. After [`JournalError::Full`] it may be tried again, after any other it
    /// is to be opened again.
    pub fn write(&mut self, batch: Batch) -> Result<(), JournalError> {
        let transaction = self.connection.transaction()?;
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        {
            let mut delete = transaction.prepare("DELETE FROM calls WHERE key = ?1")?;
            for key in batch.ended {
                if self.stored.contains(&key) {
                    delete.execute([place(key)])?;
                    gone.push(key);
                }
            }
            let replace = "INSERT OR REPLACE INTO calls (key, payload) VALUES (?1, ?2)";
            let mut replace = transaction.prepare(replace)?;
            for Row { key, payload } in batch.changed {
                let place = place(key);
                replace.execute(params![place, seal(place.cast_unsigned(), &payload)])?;
                come.push(key);
            }
            if let Some(mut owner) = batch.owner {
                let known = come.iter().filter(|key| self.stored.contains(key)).count();
                owner.calls = (self.stored.len() + come.len() - known - gone.len()) as u64;
                // A struct of numbers and text cannot fail to be written to memory.
                let payload = rmp_serde::to_vec_named(&owner).unwrap_or_default();
                replace.execute(params![OWNER, seal(OWNER.cast_unsigned(), &payload)])?;
            }
        }
        transaction.commit()?;
        for key in gone {
            self.stored.remove(&key);
        }
        self.stored.extend(come);
        Ok(())
    }

    /// Lets it grow to fewer pages than it may.
    #[cfg(test)]
    pub(super) fn limit(&self, pages: u32) {
        let pragma = format!("PRAGMA max_page_count = {pages}");
        let set = self.connection.query_row(&pragma, [], |_| Ok(()));
        assert_eq!(set, Ok(()));
    }

    /// Whether a call is in the file.
    #[must_use]
    pub fn holds(&self, key: u64) -> bool {
        self.stored.contains(&key)
    }

    /// The calls that are in the file.
    pub fn keys(&self) -> impl Iterator<Item = u64> {
        self.stored.iter().copied()
    }
}

impl Found {
    fn of(rows: Vec<Row>) -> Self {
        let (owners, calls): (Vec<Row>, _) = rows
            .into_iter()
            .partition(|row| row.key == OWNER.cast_unsigned());
        let owner = owners.first();
        let call = |row: Row| Row {
            key: row.key - 1,
            ..row
        };
        Self {
            owner: owner.and_then(|row| rmp_serde::from_slice(&row.payload).ok()),
            rows: calls.into_iter().map(call).collect(),
            damage: None,
        }
    }

    /// How many calls were there and are lost; at least this many, as calls may have begun since the owner last counted.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let calls = self.owner.as_ref().map_or(0, |owner| owner.calls);
        calls.saturating_sub(self.rows.len() as u64)
    }
}

/// Where a call is in the table. Keys are counted from zero, so that none comes near the end.
fn place(key: u64) -> i64 {
    key.cast_signed().saturating_add(1)
}

/// For this user alone: call-ids and addresses are nobody else's.
fn make_private(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

/// Opens the file, made if it is not there, and reads all of it.
fn open_checked(path: &Path) -> Result<(Connection, Vec<Row>), Trouble> {
    check_header(path)?;
    let connection = open(path)?;
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Trouble::Damage(verdict));
    }
    let mut rows = Vec::new();
    {
        let mut statement = connection.prepare("SELECT key, payload FROM calls ORDER BY key")?;
        let mut cursor = statement.query([])?;
        while let Some(row) = cursor.next()? {
            let key: i64 = row.get(0)?;
            let sealed = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let row = unseal(key.cast_unsigned(), sealed);
            rows.push(row.ok_or_else(|| Trouble::Damage("a row's checksum is wrong".into()))?);
        }
    }
    Ok((connection, rows))
}

/// SQLite takes a file for one of another kind if these bytes say so, and would read it but never write it, or otherwise than it was
/// written.
fn check_header(path: &Path) -> Result<(), Trouble> {
    let mut header = Vec::new();
    let read = File::open(path).and_then(|file| file.take(20).read_to_end(&mut header));
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Trouble::Other(JournalError::io(path)(error))),
        Ok(_) => {}
    }
    let [high, low] = (PAGE as u16).to_be_bytes();
    let ours = [high, low, 1, 1];
    if header.is_empty() || (header.starts_with(b"SQLite format 3\0") && header.ends_with(&ours)) {
        return Ok(());
    }
    Err(Trouble::Damage("its header is no journal's".to_owned()))
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    let set = |name, value: &dyn rusqlite::ToSql| connection.pragma_update(None, name, value);
    set("page_size", &(PAGE as i64))?;
    set("locking_mode", &"EXCLUSIVE")?;
    set("synchronous", &"OFF")?;
    set("temp_store", &"MEMORY")?;
    set("cell_size_check", &true)?;
    // What is deleted is overwritten: a call that has ended is not to be found by a salvage.
    set("secure_delete", &true)?;
    set("journal_mode", &"TRUNCATE")?;
    connection.query_row(&format!("PRAGMA max_page_count = {MAX_PAGES}"), [], |_| {
        Ok(())
    })?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS calls (key INTEGER PRIMARY KEY, payload BLOB NOT NULL)",
    )?;
    Ok(connection)
}

/// Gives the damaged file another name, in place of an earlier one.
fn set_aside(directory: &Path) -> Result<(), JournalError> {
    let path = directory.join(NAME);
    fs::rename(&path, directory.join(DAMAGED)).map_err(JournalError::io(&path))?;
    let rollback = directory.join(ROLLBACK);
    match fs::remove_file(&rollback) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(JournalError::io(rollback)(error)),
        _ => Ok(()),
    }
}
