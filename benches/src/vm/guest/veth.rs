//! Over veth, all in the guest: the caller sends a packet, the callee takes it, and only then comes the next. The processor
//! is never idle, so the clock says how many instructions a packet took: sending, relaying, receiving.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::{Family, Lab, Side, TwoNetworks, Wiring};

use super::bare;
use super::host::Host;
use super::system;
use crate::packet::PAYLOAD;
use crate::vm::protocol::{FromGuest, Job, Sample, System};

/// Packets that a relay may let come up to user space before it forwards in the kernel.
const PATIENCE: usize = 40;

struct Call {
    sender: UdpSocket,
    receiver: UdpSocket,
}

/// Measures every system.
pub(super) fn measure(host: &Host, job: &Job) -> Result<()> {
    for &system in &job.veth {
        host.progress(&format!("veth, {system:?}, {} calls", job.veth_calls))?;
        let lab = Lab::open().context("the guest is root")?;
        let net = TwoNetworks::build(&lab, Wiring::Veth);
        if system == System::Floor {
            one_hop(host, job, &net)?;
        } else {
            relayed(host, job, system, &net)?;
        }
    }
    Ok(())
}

fn relayed(host: &Host, job: &Job, system: System, net: &TwoNetworks) -> Result<()> {
    if system == System::Routing {
        for (far, side, other) in [(&net.caller, Side::A, 2), (&net.callee, Side::B, 1)] {
            let via = side.relay(Family::V4);
            far.ip(&format!("route add 10.{other}.0.0/24 via {via}"));
        }
    }
    let mac = bare::mac(&net.callee.mac("eth0"))?;
    let running = system::set_up(system, &net.relay, mac, job.veth_calls)?;
    let mut calls = Vec::new();
    for (n, wire) in running.wires.iter().enumerate() {
        let sender = net.caller.run(|| UdpSocket::bind(wire.from))?;
        net.caller.run(|| sender.connect(wire.to))?;
        let sink = bare::address(Side::B.far(Family::V4), n, 20_000);
        calls.push(Call {
            sender,
            receiver: receiver(net, SocketAddr::V4(sink))?,
        });
    }
    let mut traffic = Traffic::new(calls);
    for _ in 0..PATIENCE {
        let before = running.user_space(&net.relay);
        traffic.exchange(job.veth_calls)?;
        if !running.has_two_paths() || running.user_space(&net.relay) == before {
            break;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    let user_space = || running.user_space(&net.relay);
    rounds(host, job, system, &mut traffic, &user_space)?;
    running.take_down(&net.relay)
}

/// The caller's interface and the callee's are two ends of one pair.
fn one_hop(host: &Host, job: &Job, net: &TwoNetworks) -> Result<()> {
    net.caller.veth("direct", &net.callee, "direct");
    net.caller.address("direct", "10.3.0.1/24");
    net.callee.address("direct", "10.3.0.2/24");
    let mut calls = Vec::new();
    for n in 0..job.veth_calls {
        let port = 20_000 + 2 * n as u16;
        let sink = SocketAddr::from(([10, 3, 0, 2], port));
        let sender = net.caller.run(|| UdpSocket::bind(("10.3.0.1", port)))?;
        net.caller.run(|| sender.connect(sink))?;
        calls.push(Call {
            sender,
            receiver: receiver(net, sink)?,
        });
    }
    let mut traffic = Traffic::new(calls);
    rounds(host, job, System::Floor, &mut traffic, &|| 0)
}

fn receiver(net: &TwoNetworks, at: SocketAddr) -> Result<UdpSocket> {
    let socket = net.callee.run(|| UdpSocket::bind(at))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(socket)
}

fn rounds(
    host: &Host,
    job: &Job,
    system: System,
    traffic: &mut Traffic,
    user_space: &dyn Fn() -> u64,
) -> Result<()> {
    // Caches of routes and neighbours fill, lazily allocated memory is touched.
    traffic.exchange(job.veth_packets / 4)?;
    for _ in 0..job.rounds {
        let before = user_space();
        let started = Instant::now();
        traffic.exchange(job.veth_packets)?;
        let took = started.elapsed();
        host.say(&FromGuest::Sample(Sample {
            system,
            veth: true,
            calls: traffic.calls.len(),
            instructions: took.as_nanos() as f64 / job.veth_packets as f64,
            frames: job.veth_packets as u64,
            rate: job.veth_packets as f64 / took.as_secs_f64(),
            lost: 0,
            interrupts: 0.0,
            user_space: user_space() - before,
        }))?;
    }
    Ok(())
}

struct Traffic {
    calls: Vec<Call>,
    packet: Vec<u8>,
    sequence: u16,
    next: usize,
}

impl Traffic {
    fn new(calls: Vec<Call>) -> Self {
        let mut packet = vec![0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 1];
        packet.resize(12 + PAYLOAD, 0xd5);
        Self {
            calls,
            packet,
            sequence: 0,
            next: 0,
        }
    }

    /// So many packets, each received before the next is sent, call after call.
    fn exchange(&mut self, packets: usize) -> Result<()> {
        let mut received = [0; 2048];
        for _ in 0..packets {
            let call = &self.calls[self.next];
            self.packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
            call.sender.send(&self.packet)?;
            let length = call.receiver.recv(&mut received);
            let length = length.with_context(|| format!("call {} got no packet", self.next))?;
            anyhow::ensure!(length == self.packet.len(), "{length} bytes arrived");
            self.next += 1;
            if self.next == self.calls.len() {
                self.next = 0;
                self.sequence = self.sequence.wrapping_add(1);
            }
        }
        Ok(())
    }
}
