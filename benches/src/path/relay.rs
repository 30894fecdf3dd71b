//! Relay processes and their calls.

use std::net::SocketAddr;

use anyhow::Result;
use lab::{Engine, Relay, TwoNetworks};

use super::addresses::Addresses;
use super::cell::{Cell, Device, System};
use crate::calls;

/// Longer than a bench, in seconds: a call that waits for its turn is silent.
const PATIENCE: u32 = 36_000;

/// A relay process with calls up.
pub(super) struct Calls {
    relay: Relay,
    /// Whether its metrics tell what came up to user space.
    is_kernel: bool,
    /// Where the caller of each call sends to.
    pub(super) targets: Vec<SocketAddr>,
}

impl Calls {
    /// Starts the relay and sets the calls of `cell` up.
    ///
    /// # Errors
    /// An answer without an address to send to.
    pub(super) fn set_up(net: &TwoNetworks, cell: &Cell) -> Result<Self> {
        let launch = match (cell.system, cell.device) {
            (System::Rtpengine, _) => Relay::rtpengine(),
            (System::Null, _) => Relay::underpass().engine(Engine::Null).table("-1"),
            (_, Device::VethXdp) => Relay::underpass().engine(Engine::Xdp),
            _ => Relay::underpass().engine(Engine::Tc),
        };
        let relay = launch
            .option("--log-level=4")
            .option(&format!("--timeout={PATIENCE}"))
            .option(&format!("--silent-timeout={PATIENCE}"))
            .two_networks()
            .start(&net.relay);
        let targets = (0..cell.flows)
            .map(|n| {
                let Addresses { source, to, .. } = Addresses::of(n, cell.families);
                calls::set_up(&relay, net, n, [source, to])
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            relay,
            is_kernel: cell.system == System::KernelByCalls,
            targets,
        })
    }

    /// The process.
    pub(super) fn pid(&mut self) -> u32 {
        self.relay.process().pid()
    }

    /// Packets that came up to user space so far; `None` where all do.
    #[must_use]
    pub(super) fn user_space_packets(&self, net: &TwoNetworks) -> Option<u64> {
        self.is_kernel
            .then(|| self.relay.metrics(&net.relay).userspace_packets())
    }
}
