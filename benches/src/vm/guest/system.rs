//! A system under measurement: set up with its calls, and taken down again.

use std::net::{SocketAddr, SocketAddrV4};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use lab::{Engine, Family, Netns, Relay, Side};
use nix::sys::signal::Signal;
use serde_json::json;

use super::bare::{self, Bare, BareFlow};
use crate::vm::protocol::{System, Wire};

/// A system that is up with its calls.
pub(super) struct Running {
    system: System,
    relay: Option<Relay>,
    bare: Option<Bare>,
    /// What the caller sends, a flow a call.
    pub(super) wires: Vec<Wire>,
}

/// Sets a system up between the relay's interfaces a and b, with `calls` calls.
pub(super) fn set_up(
    system: System,
    ns: &Netns,
    callee_mac: [u8; 6],
    calls: usize,
) -> Result<Running> {
    let flows: Vec<BareFlow> = (0..calls)
        .map(|n| BareFlow {
            source: bare::address(Side::A.far(Family::V4), n, 20_000),
            local: bare::local(n),
            sink: bare::address(Side::B.far(Family::V4), n, 20_000),
        })
        .collect();
    let bare = match system {
        System::Floor => Some(bare::floor(ns)?),
        System::BareXdp => Some(bare::xdp(ns, callee_mac, &flows)?),
        System::BareTc => Some(bare::tc(ns, callee_mac, &flows)?),
        _ => None,
    };
    if system == System::Routing {
        ns.sysctl("net/ipv4/ip_forward", "1");
    }
    if system == System::Module {
        run(ns, "iptables -I INPUT -p udp -j RTPENGINE --id 0")?;
    }
    let relay = launch(system).map(|launch| launch.start(ns));
    let mut wires = Vec::with_capacity(calls);
    for (n, flow) in flows.iter().enumerate() {
        let to = match &relay {
            Some(relay) => call(relay, ns, n, flow.source, flow.sink)?,
            None if system == System::Routing => flow.sink,
            None => flow.local,
        };
        wires.push(Wire {
            from: flow.source,
            to,
        });
    }
    let mut running = Running {
        system,
        relay,
        bare,
        wires,
    };
    running.check_engine(ns)?;
    Ok(running)
}

impl Running {
    /// Frames that have come up to the relay's user space so far.
    pub(super) fn user_space(&self, ns: &Netns) -> u64 {
        let metrics = self.relay.as_ref().map(|relay| relay.metrics(ns));
        metrics.map_or(0, |metrics| metrics.userspace_packets())
    }

    /// What the relay says of its first call, and what it has logged.
    pub(super) fn account(&mut self, ns: &Netns) -> String {
        let Some(relay) = &mut self.relay else {
            return String::new();
        };
        let query = json!({"command": "query", "call-id": "bench-0"});
        let said = relay.client(ns).request(&query);
        format!("{said}\n{}", relay.process().log())
    }

    /// Whether it is meant to forward in the kernel and has a user space that could do it instead.
    pub(super) fn has_two_paths(&self) -> bool {
        matches!(self.system, System::Xdp | System::Tc | System::Module)
    }

    /// A relay may fall back on another engine than it was asked for; that would be measured under the wrong name.
    fn check_engine(&mut self, ns: &Netns) -> Result<()> {
        let engine = match self.system {
            System::Xdp => "xdp",
            System::Tc => "tc",
            _ => return Ok(()),
        };
        let metrics = self.relay.as_ref().map(|relay| relay.metrics(ns));
        let is_there = metrics.is_some_and(|metrics| {
            [Side::A, Side::B]
                .iter()
                .all(|side| metrics.has_engine(side.interface(), engine))
        });
        ensure!(is_there, "not on {engine}: {}", self.account(ns));
        Ok(())
    }

    /// Ends it and leaves the interfaces as they were.
    pub(super) fn take_down(mut self, ns: &Netns) -> Result<()> {
        if let Some(relay) = &mut self.relay {
            relay.process().signal(Signal::SIGTERM);
            relay.process().wait();
        }
        drop(self.bare.take());
        match self.system {
            System::Routing => ns.sysctl("net/ipv4/ip_forward", "0"),
            System::Module => run(ns, "iptables -F INPUT")?,
            // The filter's own end looks for it in another namespace.
            System::BareTc => {
                let _ = run(ns, "tc qdisc del dev a clsact");
            }
            _ => {}
        }
        Ok(())
    }
}

fn launch(system: System) -> Option<lab::relay::Launch> {
    let launch = match system {
        System::Xdp => Relay::underpass().engine(Engine::Xdp),
        System::Tc => Relay::underpass().engine(Engine::Tc),
        System::Null => Relay::underpass().engine(Engine::Null).table("-1"),
        System::Module => Relay::rtpengine()
            .option("--table=0")
            .option("--no-fallback"),
        System::Rtpengine => Relay::rtpengine(),
        System::Floor | System::Routing | System::BareXdp | System::BareTc => return None,
    };
    Some(launch.option("--log-level=4").two_networks())
}

fn call(
    relay: &Relay,
    ns: &Netns,
    n: usize,
    source: SocketAddrV4,
    sink: SocketAddrV4,
) -> Result<SocketAddrV4> {
    let client = relay.client(ns);
    let id = format!("bench-{n}");
    client.ok(&json!({
        "command": "offer", "call-id": id, "from-tag": "a", "direction": ["a", "b"],
        "sdp": lab::sdp::audio(SocketAddr::V4(source)),
    }));
    let reply = client.ok(&json!({
        "command": "answer", "call-id": id, "from-tag": "a", "to-tag": "b",
        "sdp": lab::sdp::audio(SocketAddr::V4(sink)),
    }));
    let sdp = reply["sdp"].as_str().unwrap_or_default();
    match lab::sdp::media(sdp).context("no media in the answer's SDP")? {
        SocketAddr::V4(local) => Ok(local),
        SocketAddr::V6(local) => anyhow::bail!("asked for IPv4 and got {local}"),
    }
}

fn run(ns: &Netns, words: &str) -> Result<()> {
    let mut words = words.split_whitespace();
    let mut command: Command = ns.command(words.next().unwrap_or_default());
    let output = command.args(words).output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
