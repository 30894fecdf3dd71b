//! The receiver: `benches/limit/src/bin/sink.rs` on the callee's interface.

use anyhow::{Context, Result};
use aya::Ebpf;
use aya::maps::PerCpuArray;
use aya::programs::SchedClassifier;
use aya::programs::tc::{SchedClassifierLinkId, TcAttachType};
use lab::Netns;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sink.bpf.o"));

/// Counts and drops the UDP packets that an interface receives; detached when dropped.
pub struct Sink {
    ebpf: Ebpf,
    _link: SchedClassifierLinkId,
}

impl Sink {
    /// Attaches it to `interface` of `ns`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn attach(ns: &Netns, interface: &str) -> Result<Self> {
        let mut ebpf = Ebpf::load(OBJECT)?;
        let program: &mut SchedClassifier = ebpf
            .program_mut("sink")
            .context("no program 'sink'")?
            .try_into()?;
        program.load()?;
        let link = ns.run(|| program.attach(interface, TcAttachType::Ingress))?;
        Ok(Self { ebpf, _link: link })
    }

    /// Packets so far.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn received(&self) -> Result<u64> {
        let map = self.ebpf.map("RECEIVED").context("no map 'RECEIVED'")?;
        let counters: PerCpuArray<_, u64> = PerCpuArray::try_from(map)?;
        Ok(counters.get(&0, 0)?.iter().sum())
    }
}
