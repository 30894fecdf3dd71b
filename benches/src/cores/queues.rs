//! The path over veth with one and with several receive queues, and with one and with all processors sending.
//!
//! With GRO on, a veth device has a ring and a NAPI instance for each of its queues, as a network card has; the sender's
//! hash of a flow chooses between them. RPS is off. What can't be had is an interrupt that belongs to a processor: a
//! queue is served where the packet came from.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::{Engine, Family, Lab, Netns, Relay, Side, TwoNetworks, Wiring};

use super::pinned;
use super::sockets::{Flow, Load};
use crate::calls;
use crate::effort::Effort;
use crate::results::{Point, Question, Series};
use crate::sections::Progress;
use crate::spread::Spread;

/// Of all senders together.
const FLOWS: usize = 64;

struct Setup {
    queues: usize,
    net: TwoNetworks,
    _relay: Relay,
    _receivers: Vec<UdpSocket>,
    /// A share for each processor.
    senders: Vec<Vec<Flow>>,
}

/// Packets per second by queues, and how the flows fell on them.
///
/// # Errors
/// Where the networks can't be set up, or nothing arrives.
pub(super) fn questions(effort: Effort, progress: Progress) -> Result<Vec<Question>> {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let window = Duration::from_millis(effort.pick(500, 1000, 2000));
    let mut setups = Vec::new();
    for queues in [1, cpus] {
        progress(&format!(
            "veth with {queues} queues: setting up {FLOWS} flows"
        ));
        setups.push(set_up(queues, cpus)?);
    }
    let senders = [1, cpus];
    let mut rates = vec![vec![Vec::new(); senders.len()]; setups.len()];
    let mut shares = vec![Vec::new(); cpus];
    // The first round warms up: the flows go into the kernel.
    for round in 0..=effort.rounds {
        progress(&format!("veth queues: round {round} of {}", effort.rounds));
        for (setup, rates) in setups.iter_mut().zip(&mut rates) {
            for (&senders, rates) in senders.iter().zip(rates) {
                let (rate, by_queue) = drive(setup, senders, window)?;
                if round == 0 {
                    continue;
                }
                rates.push(rate);
                if setup.queues == cpus && senders == cpus {
                    let mean = by_queue.iter().sum::<u64>() as f64 / cpus as f64;
                    for (share, packets) in shares.iter_mut().zip(by_queue) {
                        share.push(packets as f64 / mean);
                    }
                }
            }
        }
    }
    Ok(vec![rate(cpus, rates), share(shares)])
}

/// From `[queues][senders]`.
fn rate(cpus: usize, rates: Vec<Vec<Vec<f64>>>) -> Question {
    let mut series = [1, cpus].map(|senders| Series {
        name: match senders {
            1 => "1 processor sending".to_owned(),
            _ => format!("{senders} processors sending"),
        },
        points: Vec::new(),
    });
    for (queues, rates) in [1, cpus].into_iter().zip(rates) {
        for (series, rates) in series.iter_mut().zip(rates) {
            series.points.push(Point {
                at: queues as f64,
                value: Spread::of(rates),
            });
        }
    }
    Question {
        id: "cores-veth-rate".to_owned(),
        title: "How many packets pass the relay over veth, by processors that send and queues?"
            .to_owned(),
        unit: "packets/s".to_owned(),
        axis: "receive queues".to_owned(),
        series: series.into(),
        notes: vec![format!(
            "Kernel path on tc, {FLOWS} flows, GRO on so that veth has NAPI queues, RPS off. Senders, relay and receiver \
             share {cpus} processors: more queues cannot make it faster than the processors are."
        )],
    }
}

fn share(shares: Vec<Vec<f64>>) -> Question {
    let points = shares.into_iter().enumerate().map(|(queue, shares)| Point {
        at: queue as f64,
        value: Spread::of(shares),
    });
    Question {
        id: "cores-veth-share".to_owned(),
        title: "How evenly do flows fall on the relay's veth queues?".to_owned(),
        unit: "x of the mean".to_owned(),
        axis: "queue".to_owned(),
        series: vec![Series {
            name: format!("{FLOWS} flows"),
            points: points.collect(),
        }],
        notes: vec!["By the device's own counters (ethtool -S); the sender's hash of addresses and ports chooses.".to_owned()],
    }
}

fn set_up(queues: usize, cpus: usize) -> Result<Setup> {
    let lab = Lab::open().context("the path needs root for network namespaces")?;
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let (a, b) = (Side::A.interface(), Side::B.interface());
    for (ns, device) in [
        (&net.caller, "eth0"),
        (&net.relay, a),
        (&net.relay, b),
        (&net.callee, "eth0"),
    ] {
        let count = queues.to_string();
        let mut ethtool = ns.command("ethtool");
        let status = ethtool
            .args(["-L", device, "rx", &count, "tx", &count])
            .output()?;
        // Fails where the number is what it was.
        ensure!(
            status.status.success() || by_queue(ns, device)?.len() == queues,
            "veth can't be given {queues} queues: {}",
            String::from_utf8_lossy(&status.stderr).trim()
        );
        // Without TSO at the sender, veth takes its datagrams through NAPI, too.
        ns.offload(device, "gro", true);
        ns.offload(device, "tso", false);
    }
    let relay = Relay::underpass()
        .engine(Engine::Tc)
        .two_networks()
        .start(&net.relay);
    let mut senders: Vec<Vec<Flow>> = (0..cpus).map(|_| Vec::new()).collect();
    let mut receivers = Vec::new();
    for n in 0..FLOWS {
        let port = 20_000 + 2 * n as u16;
        let source = SocketAddr::new(Side::A.far(Family::V4), port);
        let sink = SocketAddr::new(Side::B.far(Family::V4), port);
        let receiver = net.callee.run(|| UdpSocket::bind(sink))?;
        socket2::SockRef::from(&receiver).set_recv_buffer_size(4096)?;
        receivers.push(receiver);
        let sender = Flow::bind(&net.caller, source, n as u32 + 1)?;
        sender.connect(&net.caller, calls::set_up(&relay, &net, n, [source, sink])?)?;
        senders[n % cpus].push(sender);
    }
    Ok(Setup {
        queues,
        net,
        _relay: relay,
        _receivers: receivers,
        senders,
    })
}

/// Packets per second that arrive, and packets by queue of the relay's first interface.
fn drive(setup: &mut Setup, senders: usize, window: Duration) -> Result<(f64, Vec<u64>)> {
    let counted = |setup: &Setup| by_queue(&setup.net.relay, Side::A.interface());
    let mut loads = Vec::new();
    for cpu in 0..senders {
        let flows = std::mem::take(&mut setup.senders[cpu]);
        let sender = std::thread::spawn(move || pinned::stay_on(cpu).map(|()| Load::start(flows)));
        let started = sender.join();
        loads.push(started.map_err(|_| anyhow::anyhow!("a sender panicked"))??);
    }
    std::thread::sleep(Duration::from_millis(200));
    let (before, queues, started) = (arrived(&setup.net.callee), counted(setup)?, Instant::now());
    std::thread::sleep(window);
    let (after, seconds) = (arrived(&setup.net.callee), started.elapsed().as_secs_f64());
    let by_queue = counted(setup)?
        .iter()
        .zip(queues)
        .map(|(now, then)| now - then)
        .collect();
    for (cpu, load) in loads.into_iter().enumerate() {
        setup.senders[cpu] = load.stop();
    }
    ensure!(
        after > before,
        "no packet arrives over veth with {} queues",
        setup.queues
    );
    Ok(((after - before) as f64 / seconds, by_queue))
}

/// Packets the callee's interface has received.
fn arrived(callee: &Netns) -> u64 {
    let counters = callee.run(|| fs::read_to_string("/proc/thread-self/net/dev"));
    let counters = counters.unwrap_or_default();
    let mut lines = counters.lines();
    let packets = lines.find_map(|line| {
        let counters = line.trim().strip_prefix("eth0:")?;
        counters.split_whitespace().nth(1)?.parse().ok()
    });
    packets.unwrap_or(0)
}

/// Packets each receive queue of a veth device has taken.
fn by_queue(ns: &Netns, device: &str) -> Result<Vec<u64>> {
    let output = ns.command("ethtool").args(["-S", device]).output()?;
    Ok(packets(&String::from_utf8_lossy(&output.stdout)))
}

/// `rx_queue_0_xdp_packets: 12`, which counts packets without XDP, too.
fn packets(statistics: &str) -> Vec<u64> {
    let lines = statistics.lines().filter_map(|line| {
        let (name, value) = line.trim().split_once(": ")?;
        let counts = name.starts_with("rx_queue_") && name.ends_with("_xdp_packets");
        counts.then(|| value.parse().ok()).flatten()
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queues_packets_are_read_from_the_drivers_statistics() {
        let statistics = "NIC statistics:\n     peer_ifindex: 2\n     rx_queue_0_xdp_packets: 12\n     \
                          rx_queue_0_xdp_bytes: 900\n     rx_queue_1_xdp_packets: 7\n     tx_queue_0_xdp_xmit: 3\n";
        assert_eq!(packets(statistics), [12, 7]);
    }
}
