//! Instructions per relayed frame on Debian's kernels, in an emulated machine whose clock counts them.
//!
//! `docs/emulated-bench.md` says what is measured and how. The host's side is here; [`guest`] is what runs in the machine.

pub mod guest;
mod machine;
mod module;
mod protocol;
mod section;
mod traffic;
mod wiring;

use std::path::PathBuf;

pub use ::vm::Kernel;
use anyhow::Result;

use self::protocol::Job;
pub use self::protocol::System;
use crate::results::Section;

/// Measured on virtio-net.
pub const VIRTIO: [System; 9] = [
    System::Floor,
    System::Routing,
    System::BareXdp,
    System::BareTc,
    System::Xdp,
    System::Tc,
    System::Null,
    System::Module,
    System::Rtpengine,
];

/// Measured over veth.
pub const VETH: [System; 5] = [
    System::Floor,
    System::Routing,
    System::BareTc,
    System::Tc,
    System::Module,
];

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// On which kernel.
    pub kernel: Kernel,
    /// Where kernels, QEMU and rtpengine's module are kept: `target/vm`.
    pub directory: PathBuf,
    /// Measurements of each.
    pub rounds: usize,
    /// Calls up on virtio-net, one row each.
    pub calls: Vec<usize>,
    /// On virtio-net; empty for none.
    pub virtio: Vec<System>,
    /// Over veth; empty for none.
    pub veth: Vec<System>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            kernel: Kernel::V6_1,
            directory: PathBuf::from("target/vm"),
            rounds: 5,
            calls: vec![1, 100, 1000],
            virtio: VIRTIO.to_vec(),
            veth: VETH.to_vec(),
        }
    }
}

/// Calls over veth.
const VETH_CALLS: usize = 100;
const VETH_PACKETS: usize = 10_000;
/// What relays do every second is in every window once.
const WINDOW_MS: u64 = 1000;

/// Boots the machine, measures, and sums up.
///
/// # Errors
/// What is missing (QEMU, the network to fetch a kernel by), or what failed in the guest, with its console.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Section> {
    let all = Job {
        virtio: plan.virtio.clone(),
        virtio_calls: plan.calls.clone(),
        veth: plan.veth.clone(),
        veth_calls: VETH_CALLS,
        rounds: plan.rounds,
        window_ms: WINDOW_MS,
        veth_packets: VETH_PACKETS,
    };
    let virtio = Job {
        veth: Vec::new(),
        ..all.clone()
    };
    let veth = Job {
        virtio: Vec::new(),
        ..all
    };
    let mut samples = Vec::new();
    for (job, cpu) in [(veth, machine::WITHOUT_ERMS), (virtio, machine::WITH_ERMS)] {
        if !(job.virtio.is_empty() && job.veth.is_empty()) {
            samples.extend(machine::run(
                &plan.directory,
                plan.kernel,
                cpu,
                &job,
                progress,
            )?);
        }
    }
    Ok(section::of(plan, &samples))
}
