//! What operators see of the datapath: engines, outcomes, table use. Written by the engine, read by `ops`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use underpass_abi::OUTCOMES_LEN;

use super::Engine;
use crate::tables::protocol::Shape;

/// One interface and what forwards on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceSummary {
    /// Its name.
    pub name: String,
    /// The engine attached; `None`: user space.
    pub engine: Option<Engine>,
    /// Why this engine and not a better one, or why none; empty if there is nothing to say.
    pub note: String,
    /// How it is shared with other tables; `None` if it is not there.
    pub shape: Option<Shape>,
}

/// A shared view of the running datapath. Clones see the same datapath.
#[derive(Clone, Debug, Default)]
pub struct Monitor {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    table: Option<u32>,
    interfaces: Mutex<Vec<InterfaceSummary>>,
    outcomes: [AtomicU64; OUTCOMES_LEN as usize],
    kernel_bytes: AtomicU64,
    flows: AtomicU64,
    kernel_flows: AtomicU64,
}

impl Monitor {
    /// A view of a datapath that holds `table`; `None` for the null engine.
    #[must_use]
    pub fn new(table: Option<u32>) -> Self {
        Self {
            shared: Arc::new(Shared {
                table,
                ..Shared::default()
            }),
        }
    }

    /// The table's number; `None`: user space only.
    #[must_use]
    pub fn table(&self) -> Option<u32> {
        self.shared.table
    }

    /// The interfaces and their engines as they are now.
    #[must_use]
    pub fn interfaces(&self) -> Vec<InterfaceSummary> {
        self.shared
            .interfaces
            .lock()
            .map(|held| held.clone())
            .unwrap_or_default()
    }

    /// The program's counters as of the last refresh (at most a second old), indexed by [`underpass_abi::Outcome`].
    #[must_use]
    pub fn outcomes(&self) -> [u64; OUTCOMES_LEN as usize] {
        std::array::from_fn(|outcome| self.shared.outcomes[outcome].load(Ordering::Relaxed))
    }

    /// UDP payload bytes that the program has forwarded since start, as of the last refresh.
    #[must_use]
    pub fn kernel_bytes(&self) -> u64 {
        self.shared.kernel_bytes.load(Ordering::Relaxed)
    }

    /// Flows asked for: those in the kernel and those that wait.
    #[must_use]
    pub fn flows(&self) -> u64 {
        self.shared.flows.load(Ordering::Relaxed)
    }

    /// Flows in the kernel.
    #[must_use]
    pub fn kernel_flows(&self) -> u64 {
        self.shared.kernel_flows.load(Ordering::Relaxed)
    }

    #[cfg_attr(
        not(feature = "kernel"),
        expect(dead_code, reason = "only the kernel engine writes")
    )]
    pub(super) fn set_interfaces(&self, interfaces: Vec<InterfaceSummary>) {
        if let Ok(mut held) = self.shared.interfaces.lock() {
            *held = interfaces;
        }
    }

    #[cfg_attr(
        not(feature = "kernel"),
        expect(dead_code, reason = "only the kernel engine writes")
    )]
    pub(super) fn set_outcomes(&self, outcomes: [u64; OUTCOMES_LEN as usize]) {
        for (held, new) in self.shared.outcomes.iter().zip(outcomes) {
            held.store(new, Ordering::Relaxed);
        }
    }

    #[cfg_attr(
        not(feature = "kernel"),
        expect(dead_code, reason = "only the kernel engine writes")
    )]
    pub(super) fn set_flows(&self, flows: u64, kernel_flows: u64, kernel_bytes: u64) {
        self.shared
            .kernel_bytes
            .store(kernel_bytes, Ordering::Relaxed);
        self.shared.flows.store(flows, Ordering::Relaxed);
        self.shared
            .kernel_flows
            .store(kernel_flows, Ordering::Relaxed);
    }
}
