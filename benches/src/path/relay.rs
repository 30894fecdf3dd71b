//! Relay processes and their calls.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use lab::{Engine, Family, Relay, TwoNetworks};
use serde_json::json;

use super::addresses::Addresses;
use super::cell::{Cell, Device, System};

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
            .map(|n| call(&relay, net, n, cell))
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

fn call(relay: &Relay, net: &TwoNetworks, n: usize, cell: &Cell) -> Result<SocketAddr> {
    let client = relay.client(&net.relay);
    let addresses = Addresses::of(n, cell.families);
    let id = format!("bench-{n}");
    let command = |name: &str, media: SocketAddr, family: Family| {
        let family = match family {
            Family::V4 => "IP4",
            Family::V6 => "IP6",
        };
        json!({
            "command": name, "call-id": id, "from-tag": "a", "to-tag": "b", "direction": ["a", "b"],
            "address family": family, "sdp": lab::sdp::audio(media),
        })
    };
    let mut offer = command("offer", addresses.source, cell.families.egress);
    if let Some(offer) = offer.as_object_mut() {
        offer.remove("to-tag");
    }
    client.ok(&offer);
    let reply = client.ok(&command("answer", addresses.to, cell.families.ingress));
    let target = lab::sdp::media(reply["sdp"].as_str().unwrap_or_default())
        .context("no media in the answer's SDP")?;
    ensure!(
        target.is_ipv4() == (cell.families.ingress == Family::V4),
        "the caller is told to send to {target}"
    );
    Ok(target)
}
