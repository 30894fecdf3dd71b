//! What a packet costs a relay in user space: its own processor time and its wake-ups.
//!
//! Flows send one packet at a time, as phones do, where the section `path` sends eight. A process's own time leaves out
//! the softirq work that is done on the sender's side, and contains what its own sending causes on the receiver's; the same
//! for all. In return the machine's other load disturbs it little. Systems take turns in short windows.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::process::Process;
use lab::{Engine, Family, Lab, Netns, Relay, Side, TwoNetworks, Wiring};

use crate::packet::PAYLOAD;
use crate::results::{Figure, Point, Question, Section, Series};
use crate::spread::Spread;
use crate::{bare_relay, calls};

/// What relays.
#[derive(Clone, Debug)]
enum System {
    /// Underpass with the null engine, this binary or the workspace's.
    Null(Option<PathBuf>),
    /// Debian's rtpengine.
    Rtpengine,
    /// [`bare_relay`], by this way.
    Bare(&'static str),
}

/// How it is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Calls, each with one flow from caller to callee; measured with each of these numbers.
    pub flows: Vec<usize>,
    /// Packets per second, all flows.
    pub rate: u64,
    /// Packets sent before the sender sleeps, each on another flow.
    pub gather: usize,
    /// Rounds; each measures every system once.
    pub rounds: usize,
    /// How long one measurement lasts.
    pub window: Duration,
    /// Another underpass to compare with.
    pub other: Option<PathBuf>,
}

impl Default for Plan {
    /// Two minutes with ten rounds for each of the other sections' one.
    fn default() -> Self {
        Self {
            flows: vec![100, 1000],
            rate: 40_000,
            gather: 8,
            rounds: 50,
            window: Duration::from_millis(100),
            other: None,
        }
    }
}

struct Setup {
    net: TwoNetworks,
    running: Running,
    sockets: Vec<UdpSocket>,
    packet: Vec<u8>,
    sequence: u16,
    _receivers: Vec<UdpSocket>,
}

enum Running {
    Relay(Relay),
    Bare(Process),
}

#[derive(Default)]
struct Cost {
    cpu_ns: Vec<f64>,
    sleeps: Vec<f64>,
}

/// Measures all systems.
///
/// # Errors
/// Where one can't be set up (not root, a peer not installed).
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Section> {
    let mut systems = vec![System::Null(None), System::Rtpengine];
    systems.extend(plan.other.clone().map(|other| System::Null(Some(other))));
    systems.extend(bare_relay::WAYS.map(System::Bare));
    let mut cpu = series(&systems);
    let mut sleeps = series(&systems);
    let mut figures = Vec::new();
    for &flows in &plan.flows {
        let costs = measure_all(&systems, flows, plan, progress)?;
        for (index, cost) in costs.into_iter().enumerate() {
            let at = flows as f64;
            let (own, slept) = (Spread::of(cost.cpu_ns), Spread::of(cost.sleeps));
            cpu[index].points.push(Point { at, value: own });
            sleeps[index].points.push(Point { at, value: slept });
        }
        let own = |index: usize| cpu[index].points.last().map(|point| &point.value);
        if let (Some(ours), Some(theirs)) = (own(0), own(1)) {
            figures.push(Figure {
                id: format!("userspace-against-rtpengine-{flows}"),
                what: format!("own time in user space against rtpengine, {flows} flows"),
                unit: "x".to_owned(),
                value: ours.over(theirs),
                target: Some(0.7),
            });
        }
    }
    let questions = vec![
        Question {
            id: "userspace-cpu".to_owned(),
            title: "A relay's own processor time per packet in user space".to_owned(),
            unit: "ns".to_owned(),
            axis: "flows".to_owned(),
            series: cpu,
            notes: vec![
                format!(
                    "{} packets/s, {} at a time, each on another flow; the bare relay looks at nothing",
                    plan.rate, plan.gather
                ),
                "where the machine has other work, the lowest of many windows says most".to_owned(),
            ],
        },
        Question {
            id: "userspace-sleeps".to_owned(),
            title: "How often a relay's threads go to sleep per packet".to_owned(),
            unit: "sleeps".to_owned(),
            axis: "flows".to_owned(),
            series: sleeps,
            notes: Vec::new(),
        },
    ];
    Ok(Section { questions, figures })
}

fn series(systems: &[System]) -> Vec<Series> {
    let named = systems.iter().map(|system| Series {
        name: match system {
            System::Null(None) => "underpass, null engine".to_owned(),
            System::Null(Some(other)) => format!("underpass, {}", other.display()),
            System::Rtpengine => "rtpengine".to_owned(),
            System::Bare(way) => format!("bare relay, {way}"),
        },
        points: Vec::new(),
    });
    named.collect()
}

fn measure_all(
    systems: &[System],
    flows: usize,
    plan: &Plan,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Cost>> {
    let mut setups = Vec::new();
    for system in systems {
        progress(&format!("{system:?}: setting up {flows} flows"));
        setups.push(Setup::new(system, flows)?);
    }
    for setup in &mut setups {
        setup.drive(plan);
    }
    let mut costs: Vec<Cost> = systems.iter().map(|_| Cost::default()).collect();
    for round in 1..=plan.rounds {
        progress(&format!("{flows} flows, round {round} of {}", plan.rounds));
        for (setup, cost) in setups.iter_mut().zip(&mut costs) {
            let pid = setup.running.pid();
            let (before, arrived_before) = (used(pid)?, arrived(&setup.net.callee));
            setup.drive(plan);
            let (after, arrived_after) = (used(pid)?, arrived(&setup.net.callee));
            let packets = (arrived_after - arrived_before).max(1) as f64;
            cost.cpu_ns.push((after.0 - before.0) as f64 / packets);
            // Threads may have ended meanwhile.
            let slept = after.1.saturating_sub(before.1);
            cost.sleeps.push(slept as f64 / packets);
        }
    }
    Ok(costs)
}

impl Running {
    fn pid(&mut self) -> u32 {
        match self {
            Self::Relay(relay) => relay.process().pid(),
            Self::Bare(process) => process.pid(),
        }
    }
}

impl Setup {
    fn new(system: &System, flows: usize) -> Result<Self> {
        let lab = Lab::open().context("this needs root for network namespaces")?;
        let net = TwoNetworks::build(&lab, Wiring::Veth);
        let running = match system {
            System::Null(binary) => {
                let launch = Relay::underpass().engine(Engine::Null).table("-1");
                let launch = match binary {
                    Some(binary) => launch.binary(binary.clone()),
                    None => launch,
                };
                Running::Relay(launch.two_networks().start(&net.relay))
            }
            System::Rtpengine => {
                Running::Relay(Relay::rtpengine().two_networks().start(&net.relay))
            }
            System::Bare(way) => {
                let program = std::env::current_exe()?;
                let flows = flows.to_string();
                Running::Bare(Process::start(
                    &net.relay,
                    &program.to_string_lossy(),
                    |command| {
                        command.args([bare_relay::MODE, way, &flows]);
                    },
                ))
            }
        };
        let mut sockets = Vec::new();
        let mut receivers = Vec::new();
        for n in 0..flows {
            let offset = 2 * n as u16;
            let source = SocketAddr::new(Side::A.far(Family::V4), 20_000 + offset);
            let sink = SocketAddr::new(Side::B.far(Family::V4), 20_000 + offset);
            receivers.push(receiver(&net.callee, sink)?);
            let port = bare_relay::PORT + offset;
            let to = match &running {
                Running::Relay(relay) => calls::set_up(relay, &net, n, [source, sink])?,
                Running::Bare(_) => SocketAddr::new(Side::A.relay(Family::V4), port),
            };
            let socket = net.caller.run(|| UdpSocket::bind(source))?;
            net.caller.run(|| socket.connect(to))?;
            sockets.push(socket);
        }
        let mut packet = vec![0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4];
        packet.resize(12 + PAYLOAD, 0xd5);
        Ok(Self {
            net,
            running,
            sockets,
            packet,
            sequence: 0,
            _receivers: receivers,
        })
    }

    /// Sends for one window, and waits until everything has arrived.
    fn drive(&mut self, plan: &Plan) {
        let pause = Duration::from_nanos(plan.gather as u64 * 1_000_000_000 / plan.rate.max(1));
        let started = Instant::now();
        let mut next = started;
        let mut flow = 0;
        while started.elapsed() < plan.window {
            for _ in 0..plan.gather {
                self.sequence = self.sequence.wrapping_add(1);
                self.packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
                // What a full queue refuses does not arrive, and is not counted.
                let _ = self.sockets[flow].send(&self.packet);
                flow = (flow + 1) % self.sockets.len();
            }
            // Never catching up in a burst: a late start only lowers the rate.
            next = (next + pause).max(Instant::now());
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        let mut before = None;
        while before != Some(arrived(&self.net.callee)) {
            before = Some(arrived(&self.net.callee));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Processor time, ns, and voluntary context switches of all threads of a process.
fn used(pid: u32) -> Result<(u64, u64)> {
    let (mut time, mut switches) = (0, 0);
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        let (Ok(stat), Ok(status)) = (
            fs::read_to_string(task.join("schedstat")),
            fs::read_to_string(task.join("status")),
        ) else {
            continue;
        };
        let own = stat.split_whitespace().next();
        time += own.context("schedstat is empty")?.parse::<u64>()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let count = line.context("no context switches in a thread's status")?;
        switches += count.trim().parse::<u64>()?;
    }
    Ok((time, switches))
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

/// A socket that is never read: the kernel drops what does not fit its small buffer, which costs all systems the same.
fn receiver(callee: &Netns, address: SocketAddr) -> Result<UdpSocket> {
    let socket = callee.run(|| UdpSocket::bind(address))?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(4096)?;
    Ok(socket)
}
