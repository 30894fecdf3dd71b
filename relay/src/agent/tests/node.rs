//! A node with an agent, for tests.

use std::fs::{self, Permissions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::agent::claims::sample;
use crate::agent::fake_kernel::FakeKernel;
use crate::agent::policy::Policy;
use crate::agent::registry::{Locked, Registry};
use crate::agent::server::{Listener, Server};
use crate::agent::tables::NodeTables;
use crate::agent::{ListenError, monotonic_ns};
use crate::tables::client::{self, AgentChoice, ClaimConfig, ClaimFailed, Operator, Table};
use crate::tables::protocol::{Claim, FromAgent, Ports, Refused};
use crate::tables::{TableRequest, TableState};

/// A node: its kernel and registry outlive its agents.
pub(super) struct Node {
    directory: tempfile::TempDir,
    pub(super) kernel: FakeKernel,
    pub(super) lease: Duration,
}

/// An agent that runs in a thread. Dropped, it ends as by SIGTERM.
pub(super) struct Running {
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Other users look into it, too.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        Self {
            directory,
            kernel: FakeKernel::with(&["192.0.2.1".parse().unwrap()]),
            lease: Duration::from_secs(60),
        }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.directory.path().join("agent.sock")
    }

    pub(super) fn registry(&self) -> PathBuf {
        self.directory.path().join("tables")
    }

    /// The registry, locked.
    pub(super) fn locked(&self) -> Locked {
        Registry::open(&self.registry()).unwrap().lock().unwrap()
    }

    pub(super) fn tables(&self) -> NodeTables {
        NodeTables::open(
            Box::new(self.kernel.clone()),
            Registry::open(&self.registry()).unwrap(),
            Policy::default(),
            self.lease,
            Box::new(monotonic_ns),
        )
        .unwrap()
    }

    /// The same, on another clock.
    pub(super) fn tables_at(&self, clock: Arc<AtomicU64>) -> (NodeTables, Arc<AtomicU64>) {
        let at = clock.clone();
        let tables = NodeTables::open(
            Box::new(self.kernel.clone()),
            Registry::open(&self.registry()).unwrap(),
            Policy::default(),
            self.lease,
            Box::new(move || at.load(Ordering::Relaxed)),
        );
        (tables.unwrap(), clock)
    }

    pub(super) fn agent(&self) -> Running {
        self.try_agent().unwrap()
    }

    pub(super) fn try_agent(&self) -> Result<Running, ListenError> {
        let (stopped, stop) = nix::unistd::pipe().unwrap();
        let (said, heard) = std::sync::mpsc::channel();
        let kernel = self.kernel.clone();
        let (registry, socket, lease) = (self.registry(), self.socket(), self.lease);
        // What the kernel's part is made of stays in its thread.
        let thread = thread::spawn(move || {
            let tables = NodeTables::open(
                Box::new(kernel),
                Registry::open(&registry).unwrap(),
                Policy::default(),
                lease,
                Box::new(monotonic_ns),
            );
            match Listener::bind(&socket) {
                Ok(listener) => {
                    said.send(Ok(())).unwrap();
                    Server::listen(tables.unwrap(), listener).run(Some(stopped.as_fd()));
                }
                Err(error) => said.send(Err(error)).unwrap(),
            }
        });
        heard.recv().unwrap().map(|()| Running {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(super) fn config(&self, claim: Claim) -> ClaimConfig {
        ClaimConfig {
            agent: AgentChoice::At(self.socket()),
            lease: self.lease,
            bpffs: self.directory.path().join("bpffs"),
            registry: self.registry(),
            claim,
        }
    }

    pub(super) fn try_claim(&self, claim: Claim) -> Result<Table, ClaimFailed> {
        client::claim(&self.config(claim)).map(Option::unwrap)
    }

    #[track_caller]
    pub(super) fn claim(&self, claim: Claim) -> Table {
        self.try_claim(claim).unwrap()
    }

    #[track_caller]
    pub(super) fn refused(&self, claim: Claim) -> Refused {
        match self.try_claim(claim) {
            Err(ClaimFailed::Refused(refused)) => refused,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(super) fn operator(&self) -> Operator {
        Operator {
            agent: AgentChoice::At(self.socket()),
            bpffs: self.directory.path().join("bpffs"),
            registry: self.registry(),
        }
    }

    #[track_caller]
    pub(super) fn list(&self) -> Vec<TableState> {
        self.operator().list().unwrap()
    }

    /// Whoever is behind `table` now is seen to live, or not.
    pub(super) fn is_alive(&self, table: u32) -> bool {
        self.locked().entry(table).unwrap().unwrap().is_alive
    }

    /// The last sign of life of every owner was that long ago.
    pub(super) fn last_alive(&self, ago: Duration) {
        let then = monotonic_ns() - u64::try_from(ago.as_nanos()).unwrap();
        for pinned in self.kernel.world().generations.values_mut() {
            pinned.alive_ns = Some(then);
        }
        let locked = self.locked();
        for entry in locked.entries().unwrap() {
            if let Some(mut record) = entry.record {
                record.claimed_ns = record.claimed_ns.min(then);
                locked.write(&record).unwrap();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

/// A claim of its own ports, so that it overlaps with no other number's.
pub(super) fn claim(number: u16) -> Claim {
    let first = 10_000 + 10 * number;
    Claim {
        ports: Ports {
            first,
            last: first + 9,
        }
        .into(),
        ..sample::claim(&format!("media-{number}"))
    }
}

/// The same for a table.
pub(super) fn claim_table(number: u16, table: u32) -> Claim {
    Claim {
        table: TableRequest::Number(table),
        ..claim(number)
    }
}

#[track_caller]
pub(super) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What the agent says next.
#[track_caller]
pub(super) fn next(table: &mut Table) -> FromAgent {
    let mut said = None;
    wait_until("the agent says something", || {
        said = table.connection.receive();
        said.is_some()
    });
    said.unwrap()
}
