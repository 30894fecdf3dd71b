//! What a relayed packet costs on the whole path: caller, relay and callee in namespaces, RTP one way over veth.
//!
//! Every system gets the same sender, the same wires and the same receiver, in turn, so that the machine's mood meets all
//! alike. Processor time is what the idle spinner no longer gets, softirq included.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};
use aya::programs::SchedClassifier;
use aya::programs::tc::{SchedClassifierLinkId, TcAttachType};
use lab::{Engine, Family, Lab, Netns, Relay, Side, TwoNetworks, Wiring};
use serde::Serialize;
use serde_json::json;

use crate::limit;
use crate::load::{Flow, Load};
use crate::spinner::Spinner;
use crate::spread::Spread;

/// What carries the packets from the caller's network to the callee's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum System {
    /// Plain IP forwarding: no relay.
    Routing,
    /// The bare redirect program on tc: the limit.
    Limit,
    /// Underpass, kernel path on tc.
    Kernel,
    /// Underpass, null engine.
    Null,
    /// Debian's rtpengine in user space.
    Rtpengine,
}

/// All of them, in the order of the table.
pub const SYSTEMS: [System; 5] = [
    System::Routing,
    System::Limit,
    System::Kernel,
    System::Null,
    System::Rtpengine,
];

/// One system's figures.
#[derive(Clone, Serialize)]
pub struct PathCost {
    /// Which.
    pub system: System,
    /// Flows the packets are spread over.
    pub flows: usize,
    /// Processor time per packet received, ns, all of the path.
    pub cpu_ns: Spread,
    /// The same less what plain routing took in the same round, ns: what the relay adds. Below zero it takes less, or the
    /// machine's noise is larger than it: the spread tells.
    pub own_ns: Spread,
    /// Packets per second that arrive when the sender does not hold back.
    pub saturation_pps: Spread,
    /// Packets that did not arrive at the steady rate, of all sent.
    pub loss: f64,
    /// Packets that user space handled while measured (the relays' own counters).
    pub user_space_packets: u64,
}

/// How it is measured.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Calls, each with one flow from caller to callee.
    pub flows: usize,
    /// The steady rate, packets per second of all flows.
    pub rate: u64,
    /// Rounds; each measures every system once.
    pub rounds: usize,
    /// How long one measurement lasts.
    pub window: Duration,
}

struct Setup {
    system: System,
    net: TwoNetworks,
    relay: Option<Relay>,
    senders: Vec<Flow>,
    _receivers: Vec<UdpSocket>,
    _program: Option<Bare>,
}

struct Bare {
    _ebpf: aya::Ebpf,
    _link: SchedClassifierLinkId,
}

/// Measures every system.
///
/// # Errors
/// Where a system can't be set up (not root, a peer not installed).
pub fn measure(plan: Plan, progress: &mut dyn FnMut(&str)) -> Result<Vec<PathCost>> {
    let mut setups = Vec::new();
    for system in SYSTEMS {
        progress(&format!("{system:?}: setting up {} flows", plan.flows));
        setups.push(set_up(system, plan.flows)?);
    }
    let spinner = Spinner::start();
    for setup in &mut setups {
        progress(&format!("{:?}: warming up", setup.system));
        drive(setup, &spinner, Some(plan.rate), plan.window);
    }
    let mut costs = vec![Vec::new(); setups.len()];
    let mut rates = vec![Vec::new(); setups.len()];
    let mut counts = vec![(0u64, 0u64, 0u64); setups.len()];
    for round in 1..=plan.rounds {
        progress(&format!("round {round} of {}", plan.rounds));
        for (index, setup) in setups.iter_mut().enumerate() {
            let idle = spinner.rate_for(plan.window / 2);
            let user_before = user_packets(setup);
            let (sent, received, left, seconds) =
                drive(setup, &spinner, Some(plan.rate), plan.window);
            let busy = (1.0 - left / idle).max(0.0) * spinner.processors() as f64;
            costs[index].push(busy * seconds / received.max(1) as f64 * 1e9);
            counts[index].0 += sent;
            counts[index].1 += received;
            counts[index].2 += user_packets(setup) - user_before;
        }
    }
    // Last, because rtpengine gives a socket up for good once it has found it full five times.
    for round in 1..=plan.rounds {
        progress(&format!("saturation, round {round} of {}", plan.rounds));
        for (index, setup) in setups.iter_mut().enumerate() {
            let (_, received, _, seconds) = drive(setup, &spinner, None, plan.window);
            rates[index].push(received as f64 / seconds);
        }
    }
    // The first of the systems.
    let routing = costs[0].clone();
    Ok(setups
        .iter()
        .zip(costs.into_iter().zip(rates))
        .zip(counts)
        .map(|((setup, (cost, rate)), (sent, received, user))| PathCost {
            own_ns: Spread::of(less(&cost, &routing)),
            system: setup.system,
            flows: plan.flows,
            cpu_ns: Spread::of(cost),
            saturation_pps: Spread::of(rate),
            loss: sent.saturating_sub(received) as f64 / sent.max(1) as f64,
            user_space_packets: user,
        })
        .collect())
}

/// Round by round.
fn less(cost: &[f64], routing: &[f64]) -> Vec<f64> {
    cost.iter()
        .zip(routing)
        .map(|(cost, routing)| cost - routing)
        .collect()
}

/// Sends for one window: packets sent, received, spins per second left over, seconds.
fn drive(
    setup: &mut Setup,
    spinner: &Spinner,
    rate: Option<u64>,
    window: Duration,
) -> (u64, u64, f64, f64) {
    let load = Load::start(std::mem::take(&mut setup.senders), rate);
    std::thread::sleep(Duration::from_millis(200));
    let (sent, received, mark) = (load.sent(), arrived(&setup.net.callee), spinner.mark());
    let started = std::time::Instant::now();
    std::thread::sleep(window);
    let left = spinner.rate_since(&mark);
    let seconds = started.elapsed().as_secs_f64();
    let (sent, received) = (load.sent() - sent, arrived(&setup.net.callee) - received);
    setup.senders = load.stop();
    std::thread::sleep(Duration::from_millis(200));
    (sent, received, left, seconds)
}

/// Packets the callee's interface has received.
fn arrived(callee: &Netns) -> u64 {
    callee.run(|| {
        fs::read_to_string("/proc/thread-self/net/dev")
            .unwrap_or_default()
            .lines()
            .find_map(|line| {
                let counters = line.trim().strip_prefix("eth0:")?;
                counters.split_whitespace().nth(1)?.parse().ok()
            })
            .unwrap_or(0)
    })
}

fn user_packets(setup: &Setup) -> u64 {
    match (&setup.relay, setup.system) {
        (Some(relay), System::Kernel | System::Null) => {
            relay.metrics(&setup.net.relay).userspace_packets()
        }
        _ => 0,
    }
}

fn set_up(system: System, flows: usize) -> Result<Setup> {
    let lab = Lab::open().context("the path needs root for network namespaces")?;
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    if system == System::Routing {
        route(&net);
    }
    let launch = match system {
        System::Routing | System::Limit => None,
        System::Kernel => Some(Relay::underpass().engine(Engine::Tc)),
        System::Null => Some(Relay::underpass().engine(Engine::Null).table("-1")),
        System::Rtpengine => Some(Relay::rtpengine()),
    };
    let relay = launch.map(|launch| launch.two_networks().start(&net.relay));
    let mut senders = Vec::new();
    let mut receivers = Vec::new();
    let mut bare = Vec::new();
    for n in 0..flows {
        let source = SocketAddr::new(Side::A.far(Family::V4), 20_000 + 2 * n as u16);
        let sink = SocketAddr::new(Side::B.far(Family::V4), 20_000 + 2 * n as u16);
        receivers.push(receiver(&net.callee, sink)?);
        let sender = Flow::bind(&net.caller, source, n as u32 + 1)?;
        let to = match &relay {
            None if system == System::Routing => sink,
            None => {
                let local = SocketAddr::new(Side::A.relay(Family::V4), 30_000 + 2 * n as u16);
                let from = SocketAddr::new(Side::B.relay(Family::V4), 30_000 + 2 * n as u16);
                bare.push((local, source, from, sink));
                local
            }
            Some(relay) => call(relay, &net, n, source, sink)?,
        };
        sender.connect(&net.caller, to)?;
        senders.push(sender);
    }
    let program = (system == System::Limit)
        .then(|| attach(&net, &bare))
        .transpose()?;
    Ok(Setup {
        system,
        net,
        relay,
        senders,
        _receivers: receivers,
        _program: program,
    })
}

fn route(net: &TwoNetworks) {
    net.relay.sysctl("net/ipv4/ip_forward", "1");
    net.caller.ip(&format!(
        "route add 10.2.0.0/24 via {}",
        Side::A.relay(Family::V4)
    ));
    net.callee.ip(&format!(
        "route add 10.1.0.0/24 via {}",
        Side::B.relay(Family::V4)
    ));
}

/// A socket that is never read: the kernel drops what does not fit its small buffer, which costs all systems the same.
fn receiver(callee: &Netns, address: SocketAddr) -> Result<UdpSocket> {
    let socket = callee.run(|| UdpSocket::bind(address))?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(4096)?;
    Ok(socket)
}

fn call(
    relay: &Relay,
    net: &TwoNetworks,
    n: usize,
    source: SocketAddr,
    sink: SocketAddr,
) -> Result<SocketAddr> {
    let client = relay.client(&net.relay);
    let id = format!("bench-{n}");
    let reply = client.ok(&json!({
        "command": "offer", "call-id": id, "from-tag": "a", "direction": ["a", "b"],
        "sdp": lab::sdp::audio(source),
    }));
    lab::sdp::media(reply["sdp"].as_str().unwrap_or_default())
        .context("no media in the offer's SDP")?;
    let reply = client.ok(&json!({
        "command": "answer", "call-id": id, "from-tag": "a", "to-tag": "b",
        "sdp": lab::sdp::audio(sink),
    }));
    lab::sdp::media(reply["sdp"].as_str().unwrap_or_default())
        .context("no media in the answer's SDP")
}

fn attach(
    net: &TwoNetworks,
    flows: &[(SocketAddr, SocketAddr, SocketAddr, SocketAddr)],
) -> Result<Bare> {
    let mut ebpf = limit::load(131_072)?;
    let mac = |text: String| -> Result<[u8; 6]> {
        let bytes: Vec<u8> = text
            .split(':')
            .map(|byte| u8::from_str_radix(byte, 16))
            .collect::<Result<_, _>>()?;
        bytes.try_into().ok().context("not a MAC address")
    };
    {
        let mut map = limit::flows(&mut ebpf)?;
        for (local, source, from, to) in flows {
            let mut value = limit::Flow::default();
            value.source_address[..4].copy_from_slice(&limit::v4(*source)?.ip().octets());
            value.source_port = source.port().to_be_bytes();
            value.from_address[..4].copy_from_slice(&limit::v4(*from)?.ip().octets());
            value.from_port = from.port().to_be_bytes();
            value.to_address[..4].copy_from_slice(&limit::v4(*to)?.ip().octets());
            value.to_port = to.port().to_be_bytes();
            value.egress_ifindex = net.relay.index(Side::B.interface());
            value.from_mac = mac(net.relay.mac(Side::B.interface()))?;
            value.to_mac = mac(net.callee.mac("eth0"))?;
            limit::insert(&mut map, limit::v4(*local)?, &value)?;
        }
    }
    let program: &mut SchedClassifier = ebpf
        .program_mut(limit::TC)
        .context("no limit_tc")?
        .try_into()?;
    program.load()?;
    let link = net
        .relay
        .run(|| program.attach(Side::A.interface(), TcAttachType::Ingress))?;
    Ok(Bare {
        _ebpf: ebpf,
        _link: link,
    })
}
