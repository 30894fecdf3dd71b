//! What the relays and agents of one node share: the registry of tables, the pins, the agent's socket. Scenarios run
//! beside one another on one machine, so each has such a node to itself.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::relay::underpass_binary;

/// Where bpffs is mounted.
const BPFFS: &str = "/sys/fs/bpf";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A node's directories; removed, with every pin, when the last relay and agent on it is dropped.
#[derive(Debug)]
pub struct Node {
    directory: TempDir,
    bpffs: PathBuf,
    states: AtomicU32,
}

impl Node {
    /// A node without tables.
    #[must_use]
    #[track_caller]
    pub fn new() -> Arc<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = tempfile::tempdir().unwrap();
        // Relays without privilege reach the agent's socket and their state in it.
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), open).unwrap();
        let bpffs = Path::new(BPFFS).join(format!("lab-{}-{number}", std::process::id()));
        make_below_bpffs(&bpffs);
        Arc::new(Self {
            directory,
            bpffs,
            states: AtomicU32::new(0),
        })
    }

    /// Where its agents keep what tables there are: `--registry`.
    #[must_use]
    pub fn registry(&self) -> PathBuf {
        self.directory.path().join("tables")
    }

    /// Where its agents pin: `--bpffs`.
    #[must_use]
    pub fn bpffs(&self) -> &Path {
        &self.bpffs
    }

    /// Its agent's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("agent.sock")
    }

    /// A directory that no relay has kept state in yet, writable for everybody.
    #[must_use]
    #[track_caller]
    pub fn new_state(&self) -> PathBuf {
        let number = self.states.fetch_add(1, Ordering::Relaxed);
        let state = self.directory.path().join(format!("state-{number}"));
        fs::create_dir(&state).unwrap();
        fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).unwrap();
        state
    }

    /// A copy of `binary` that an unprivileged user can reach, wherever the workspace is.
    #[must_use]
    #[track_caller]
    pub fn binary_for_everyone(&self, binary: &Path) -> PathBuf {
        let name = binary.to_string_lossy().replace('/', "-");
        let copy = self.directory.path().join(name);
        if !copy.exists() {
            // By another process: a child that another test starts meanwhile must not inherit a descriptor to write it.
            let copied = Command::new("cp").arg(binary).arg(&copy).status();
            assert!(copied.unwrap().success(), "{}", copy.display());
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        }
        copy
    }

    /// What `underpass tables` with these arguments says of this node: whether it succeeded, stdout, stderr.
    #[must_use]
    #[track_caller]
    pub fn tables_command(&self, arguments: &[&str]) -> (bool, String, String) {
        let mut command = Command::new(underpass_binary());
        let output = command
            .arg("tables")
            .args(arguments)
            .arg("--config-file=none")
            .arg(format!("--registry={}", self.registry().display()))
            .arg(format!("--bpffs={}", self.bpffs.display()))
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.success(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    /// Every table of the node, as `underpass tables --json` lists them.
    #[must_use]
    #[track_caller]
    pub fn tables(&self) -> Vec<Value> {
        let (_, stdout, stderr) = self.tables_command(&["--json"]);
        serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}: {stdout}\n{stderr}"))
    }

    /// The table that the process owns, or owned last.
    #[must_use]
    #[track_caller]
    pub fn table_of(&self, pid: u32) -> Option<Value> {
        let mut tables = self.tables().into_iter();
        tables.find(|table| table["owner"]["pid"] == pid)
    }

    /// Every pinned map, program and link of the node.
    #[must_use]
    pub fn pins(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        files_below(&self.bpffs, &mut found);
        found
    }

    /// Every table's record in the registry.
    #[must_use]
    pub fn records(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        files_below(&self.registry(), &mut found);
        found.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        });
        found
    }

    /// Asserts that no table has left anything: no record, no pin.
    #[track_caller]
    pub fn assert_empty(&self) {
        let (records, pins) = (self.records(), self.pins());
        let is_empty = records.is_empty() && pins.is_empty();
        assert!(is_empty, "left: records {records:?}, pins {pins:?}");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.bpffs);
    }
}

/// Removes the pins of runs whose process is gone.
pub(crate) fn sweep(is_gone: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(BPFFS).into_iter().flatten().flatten() {
        if is_gone(&entry.file_name().to_string_lossy()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Makes a directory for pins, and mounts bpffs if there is none. Without privilege there will be no pins either.
fn make_below_bpffs(directory: &Path) {
    if fs::create_dir(directory).is_ok() {
        return;
    }
    let flags = nix::mount::MsFlags::empty();
    let mounted = nix::mount::mount(Some("bpffs"), BPFFS, Some("bpf"), flags, None::<&str>);
    if mounted.is_ok() {
        let _ = fs::create_dir(directory);
    }
}

fn files_below(directory: &Path, found: &mut Vec<PathBuf>) {
    let entries: io::Result<Vec<_>> = fs::read_dir(directory).and_then(Iterator::collect);
    for entry in entries.unwrap_or_default() {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}
