//! What the ng protocol costs: cycles of offer, answer and delete against rtpengine, in one run.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::{Engine, Family, Lab, Relay, Side, TwoNetworks, Wiring};
use serde::Serialize;

use crate::spread::Spread;

/// Clients of [`NgCost::many_clients`].
pub const CLIENTS: usize = 16;

/// Calls that are up while offers are timed and memory is weighed.
const CALLS_UP: usize = 1000;

/// One relay's figures.
#[derive(Clone, Serialize)]
pub struct NgCost {
    /// `underpass` or `rtpengine`.
    pub relay: &'static str,
    /// One client that waits for every reply.
    pub one_client: Cycles,
    /// As many at once as a proxy has workers.
    pub many_clients: Cycles,
    /// Median time of an offer with calls up, µs.
    pub offer_p50_us: f64,
    /// 99th percentile of the same, µs.
    pub offer_p99_us: f64,
    /// Resident memory per call up above the idle process, KiB.
    pub call_kib: f64,
}

/// Cycles of offer, answer and delete.
#[derive(Clone, Serialize)]
pub struct Cycles {
    /// All clients together.
    pub per_second: Spread,
    /// Processor time of the relay per cycle, µs.
    pub cpu_us: Spread,
}

struct Client {
    socket: UdpSocket,
    cookie: u64,
}

/// Measures underpass and rtpengine in turn.
///
/// # Errors
/// Where they can't be started, or answer with an error.
pub fn measure(
    rounds: usize,
    cycles: usize,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<NgCost>> {
    let mut relays = Vec::new();
    for name in ["underpass", "rtpengine"] {
        let lab = Lab::open().context("the relays need root for network namespaces")?;
        let net = TwoNetworks::build(&lab, Wiring::Veth);
        let launch = match name {
            "underpass" => Relay::underpass().engine(Engine::Tc),
            _ => Relay::rtpengine(),
        };
        let relay = launch
            .option("--log-level=4")
            .two_networks()
            .start(&net.relay);
        let clients: Vec<Client> = (0..CLIENTS)
            .map(|_| Client::connect(&net))
            .collect::<Result<_>>()?;
        relays.push((name, net, relay, clients));
    }
    let mut cycles_of = vec![[(Vec::new(), Vec::new()), (Vec::new(), Vec::new())]; 2];
    for round in 0..=rounds {
        for (index, (name, _, relay, clients)) in relays.iter_mut().enumerate() {
            progress(&format!("{name}: round {round} of {rounds}"));
            let pid = relay.process().pid();
            for (kind, count) in [1, CLIENTS].into_iter().enumerate() {
                let (rate, cpu) = drive(&mut clients[..count], pid, cycles, round)?;
                // The first round warms up.
                if round > 0 {
                    let (rates, cpus) = &mut cycles_of[index][kind];
                    rates.push(rate);
                    cpus.push(cpu);
                }
            }
        }
    }
    let mut costs = Vec::new();
    for ((name, _, relay, clients), of) in relays.iter_mut().zip(cycles_of) {
        progress(&format!("{name}: {CALLS_UP} calls up"));
        let client = &mut clients[0];
        let idle = relay.process().resident_kib();
        for n in 0..CALLS_UP {
            client.set_up(&format!("up-{n}"))?;
        }
        let call_kib = relay.process().resident_kib().saturating_sub(idle) as f64 / CALLS_UP as f64;
        let mut times = Vec::new();
        for n in 0..1000 {
            let id = format!("timed-{n}");
            let started = Instant::now();
            client.offer(&id)?;
            times.push(started.elapsed().as_nanos() as f64 / 1e3);
            client.delete(&id)?;
            std::thread::sleep(Duration::from_millis(1));
        }
        times.sort_by(f64::total_cmp);
        let [one_client, many_clients] = of.map(|(rates, cpus)| Cycles {
            per_second: Spread::of(rates),
            cpu_us: Spread::of(cpus),
        });
        costs.push(NgCost {
            relay: name,
            one_client,
            many_clients,
            offer_p50_us: times[times.len() / 2],
            offer_p99_us: times[times.len() * 99 / 100],
            call_kib,
        });
    }
    Ok(costs)
}

/// `cycles` of all clients together: cycles per second, and the relay's processor time per cycle in µs.
fn drive(clients: &mut [Client], pid: u32, cycles: usize, round: usize) -> Result<(f64, f64)> {
    let each = cycles / clients.len();
    let (cpu_before, started) = (cpu_ns(pid), Instant::now());
    std::thread::scope(|scope| -> Result<()> {
        let mut threads = Vec::new();
        for (number, client) in clients.iter_mut().enumerate() {
            threads.push(scope.spawn(move || -> Result<()> {
                for n in 0..each {
                    client.cycle(&format!("{round}-{number}-{n}"))?;
                }
                Ok(())
            }));
        }
        for thread in threads {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        Ok(())
    })?;
    let (seconds, done) = (
        started.elapsed().as_secs_f64(),
        (each * clients.len()) as f64,
    );
    Ok((
        done / seconds,
        (cpu_ns(pid) - cpu_before) as f64 / done / 1e3,
    ))
}

impl Client {
    fn connect(net: &TwoNetworks) -> Result<Self> {
        let socket = net.relay.run(|| UdpSocket::bind("127.0.0.1:0"))?;
        net.relay.run(|| socket.connect(lab::relay::NG))?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        let cookie = u64::from(socket.local_addr()?.port()) << 32;
        Ok(Self { socket, cookie })
    }

    fn cycle(&mut self, id: &str) -> Result<()> {
        self.set_up(id)?;
        self.delete(id)
    }

    fn set_up(&mut self, id: &str) -> Result<()> {
        self.offer(id)?;
        let sdp = lab::sdp::audio(SocketAddr::new(Side::B.far(Family::V4), 6000));
        self.request(&format!(
            "d3:sdp{}:{sdp}7:replacel6:origine7:call-id{}:{id}8:from-tag1:a6:to-tag1:b7:command6:answere",
            sdp.len(),
            id.len()
        ))
    }

    fn offer(&mut self, id: &str) -> Result<()> {
        let sdp = lab::sdp::audio(SocketAddr::new(Side::A.far(Family::V4), 6000));
        self.request(&format!(
            "d8:supportsl10:load limite3:sdp{}:{sdp}3:ICE6:remove9:directionl1:a1:be7:replacel6:origine7:call-id{}:{id}8:from-tag1:a7:command5:offere",
            sdp.len(),
            id.len()
        ))
    }

    fn delete(&mut self, id: &str) -> Result<()> {
        self.request(&format!(
            "d7:call-id{}:{id}8:from-tag1:a7:command6:deletee",
            id.len()
        ))
    }

    fn request(&mut self, dictionary: &str) -> Result<()> {
        self.cookie += 1;
        self.socket
            .send(format!("0_1_{} {dictionary}", self.cookie).as_bytes())?;
        let mut reply = [0; 65_536];
        let length = self.socket.recv(&mut reply)?;
        let reply = &reply[..length];
        anyhow::ensure!(
            reply.windows(12).any(|part| part == b"6:result2:ok"),
            "not ok: {}",
            String::from_utf8_lossy(reply)
        );
        Ok(())
    }
}

/// Processor time of all threads of a process, ns.
fn cpu_ns(pid: u32) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return 0;
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .sum()
}
