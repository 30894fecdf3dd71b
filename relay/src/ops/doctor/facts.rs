//! What is known of a machine. `Err` says why something could not be looked at.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::config::Config;
use crate::datapath::{Engine, EngineChoice};
use crate::media::{MediaPorts, PortRange};
use crate::tables::protocol::Shape;
use crate::tables::{AgentChoice, TableRequest};

/// All facts.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Why the configuration cannot be run with; `None`: it can.
    pub configuration: Option<String>,
    /// What the configuration asks for.
    pub wanted: Wanted,
    /// The kernel.
    pub kernel: Kernel,
    /// This process.
    pub process: Process,
    /// The node's agent.
    pub agent: Agent,
    /// The BPF file system.
    pub bpffs: Bpffs,
    /// Interfaces that media comes in by.
    pub interfaces: Vec<Interface>,
    /// Media addresses that no interface carries.
    pub homeless: Vec<IpAddr>,
    /// Rules that change the source of packets.
    pub nat: Result<Vec<NatRule>, String>,
    /// Connection tracking, where it is at work.
    pub conntrack: Option<Conntrack>,
    /// Sysctls about ports and buffers.
    pub sysctls: Sysctls,
    /// The state directory can be made or written; `None`: none is wanted.
    pub state_is_writable: Option<bool>,
}

/// What the configuration asks for, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The kernel is to forward.
    pub kernel: bool,
    /// Whom to turn to.
    pub agent: AgentChoice,
    /// Media addresses.
    pub addresses: Vec<IpAddr>,
    /// Media ports of all addresses.
    pub ports: MediaPorts,
    /// Sockets that media may need: every port at every address.
    pub sockets: u64,
    /// The engine for every interface…
    pub engine: EngineChoice,
    /// …except these.
    pub device_engines: BTreeMap<String, EngineChoice>,
    /// Interfaces of the node that relays are reached through.
    pub uplinks: Vec<String>,
    /// bpffs.
    pub bpffs: PathBuf,
    /// Where the node's tables are registered.
    pub registry: PathBuf,
    /// The state directory.
    pub state_dir: Option<PathBuf>,
}

impl Wanted {
    /// What a relay of this configuration wants.
    #[must_use]
    pub fn by(config: &Config, uplinks: Vec<String>) -> Self {
        Self {
            kernel: config.table != TableRequest::None && config.agent != AgentChoice::None,
            agent: config.agent.clone(),
            addresses: config.media_ports.keys().copied().collect(),
            ports: MediaPorts::union(config.media_ports.values()),
            sockets: config.media_ports.values().map(MediaPorts::count).sum(),
            engine: config.engine,
            device_engines: config.device_engines.clone(),
            uplinks,
            bpffs: config.bpffs.clone(),
            registry: config.registry.clone(),
            state_dir: config.state_dir.clone(),
        }
    }

    /// What is wanted where the configuration does not say, being wrong: the kernel, and no address.
    #[must_use]
    pub fn unknown() -> Self {
        let range = PortRange {
            first: 30_000,
            last: 39_999,
        };
        Self {
            kernel: true,
            agent: AgentChoice::Auto,
            addresses: Vec::new(),
            ports: MediaPorts::new(range, &[]),
            sockets: 0,
            engine: EngineChoice::Auto,
            device_engines: BTreeMap::new(),
            uplinks: Vec::new(),
            bpffs: PathBuf::from("/sys/fs/bpf"),
            registry: PathBuf::from("/run/underpass/tables"),
            state_dir: None,
        }
    }
}

/// The kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// As uname(1) has it.
    pub release: String,
    /// It tells its types.
    pub btf: bool,
    /// `kernel.unprivileged_bpf_disabled`.
    pub unprivileged_bpf_disabled: Option<u8>,
    /// `net.core.bpf_jit_enable`; only root may read it.
    pub jit: Option<u8>,
}

/// This process.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// Effective capabilities, a bit each.
    pub capabilities: u64,
    /// Files it may have open at most.
    pub open_files: u64,
}

/// The node's agent.
#[derive(Clone, Debug)]
pub enum Agent {
    /// None is wanted: the relay is its own, or there is none.
    NotAsked,
    /// No socket there.
    Missing(PathBuf),
    /// A socket that nobody listens on.
    Gone(PathBuf),
    /// A socket, but no answer of an agent, and what comes instead.
    Broken(PathBuf, String),
    /// It answers; so many tables are claimed.
    Answers(PathBuf, usize),
}

/// The BPF file system.
#[derive(Clone, Copy, Debug)]
pub struct Bpffs {
    /// There.
    pub mounted: bool,
    /// This process may write it.
    pub writable: bool,
}

/// An interface that media comes in by.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// `IFLA_INFO_KIND` of virtual devices.
    pub kind: Option<String>,
    /// The driver of others.
    pub driver: Option<String>,
    /// Carries addresses whose packets come in elsewhere.
    pub is_anchor: bool,
    /// Another interface here that media comes in by sits on this one.
    pub is_parent: bool,
    /// Relays of the node are reached through it.
    pub is_uplink: bool,
    /// Has Ethernet addresses.
    pub is_ethernet: bool,
    /// Up, and the layer below is.
    pub up: bool,
    /// Largest IP packet.
    pub mtu: u32,
    /// The engine that is asked for.
    pub choice: EngineChoice,
    /// What the node's tables say of it.
    pub at_work: Vec<AtWork>,
    /// Engines that programs of ours are there for, by their names; whose they are, [`Self::at_work`] may tell.
    pub attached: Vec<Engine>,
    /// XDP programs on it that are not ours.
    pub foreign_xdp: Result<Vec<Program>, String>,
    /// TCX programs at its ingress that are not ours and come before ours, or before where ours would.
    pub foreign_tcx: Result<Vec<Program>, String>,
    /// Filters of its clsact qdisc that are not ours.
    pub foreign_filters: Result<Vec<Program>, String>,
    /// Receive queues.
    pub queues: usize,
    /// What its queues are chosen by for UDP over IPv4, as ethtool(8) says; `None`: nothing to choose.
    pub hashes_ports: Result<Option<bool>, String>,
    /// Large receive offload is on.
    pub lro: Option<bool>,
    /// The strictest `rp_filter` that holds there.
    pub rp_filter: Option<u8>,
}

/// An engine at work on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtWork {
    /// For which table.
    pub table: u32,
    /// What forwards; `None`: user space.
    pub engine: Option<Engine>,
    /// How the interface is shared.
    pub shape: Shape,
    /// Why this and nothing better.
    pub note: String,
}

/// A program, or a filter that runs one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The kernel's number for it, or the filter's priority.
    pub id: u32,
    /// Its name, where it can be read.
    pub name: String,
}

/// A rule that changes the source of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatRule {
    /// Table, chain and rule, for people.
    pub place: String,
}

/// Connection tracking.
#[derive(Clone, Copy, Debug)]
pub struct Conntrack {
    /// Connections known.
    pub count: u64,
    /// Connections that fit.
    pub max: u64,
}

/// Sysctls about ports and buffers, as they are written.
#[derive(Clone, Debug, Default)]
pub struct Sysctls {
    /// `net.ipv4.ip_local_port_range`.
    pub local_port_range: Option<String>,
    /// `net.ipv4.ip_local_reserved_ports`.
    pub reserved_ports: Option<String>,
    /// `net.core.rmem_max`, bytes; network namespaces before 6.15 do not show it.
    pub rmem_max: Option<u64>,
}

#[cfg(test)]
impl Facts {
    /// A machine with nothing to say about: one physical interface, no agent, all privilege.
    pub(super) fn healthy() -> Self {
        let mut wanted = Wanted::unknown();
        wanted.addresses = vec!["192.0.2.1".parse().unwrap()];
        wanted.sockets = 10_000;
        wanted.state_dir = Some("/run/underpass/state".into());
        Self {
            configuration: None,
            wanted,
            kernel: Kernel {
                release: "6.12.9".to_owned(),
                btf: true,
                unprivileged_bpf_disabled: Some(2),
                jit: Some(1),
            },
            process: Process {
                capabilities: u64::MAX,
                open_files: 1 << 20,
            },
            agent: Agent::Missing("/run/underpass/agent.sock".into()),
            bpffs: Bpffs {
                mounted: true,
                writable: true,
            },
            interfaces: vec![Interface::physical()],
            homeless: vec![],
            nat: Ok(vec![]),
            conntrack: None,
            sysctls: Sysctls {
                local_port_range: Some("40000\t60999\n".to_owned()),
                reserved_ports: Some("\n".to_owned()),
                rmem_max: Some(4 << 20),
            },
            state_is_writable: Some(true),
        }
    }
}

#[cfg(test)]
impl Interface {
    pub(super) fn physical() -> Self {
        Self {
            name: "eth0".to_owned(),
            kind: None,
            driver: Some("ixgbe".to_owned()),
            is_anchor: false,
            is_parent: false,
            is_uplink: false,
            is_ethernet: true,
            up: true,
            mtu: 1500,
            choice: EngineChoice::Auto,
            at_work: vec![],
            attached: vec![],
            foreign_xdp: Ok(vec![]),
            foreign_tcx: Ok(vec![]),
            foreign_filters: Ok(vec![]),
            queues: 4,
            hashes_ports: Ok(Some(true)),
            lro: Some(false),
            rp_filter: Some(0),
        }
    }

    pub(super) fn veth() -> Self {
        Self {
            kind: Some("veth".to_owned()),
            driver: None,
            queues: 1,
            hashes_ports: Ok(None),
            ..Self::physical()
        }
    }
}
