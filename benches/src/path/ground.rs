//! One cell set up: two networks, the system between them, a sender at the caller's and the sink at the callee's.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::{Family, Lab, Netns, Side, TwoNetworks};

use super::addresses::{Addresses, relay_addresses};
use super::bare::Bare;
use super::cell::{Cell, System};
use super::kernel::Kernel;
use super::relay::Calls;
use crate::frames::Stream;
use crate::load::{Pace, Sender, Sent};
use crate::processor::Clock;
use crate::shuffle::shuffle;
use crate::sink::Sink;
use crate::spinner::Spinner;

/// What is still on its way when the sender has ended arrives within this time, or not at all.
const DRAIN: Duration = Duration::from_millis(20);
/// A system whose packets are fewer than this part of what was sent while warming up is not set up right.
const ARRIVING: f64 = 0.9;
/// A part of warming up.
const WARM_UP: Duration = Duration::from_millis(100);
/// Flows that do not all get a packet in a short while at a steady rate.
const MANY: usize = 4_000;

/// A cell, ready to be driven. Its network ends last.
pub(crate) struct Ground {
    /// What it is.
    pub(crate) cell: Cell,
    sender: Sender,
    sink: Sink,
    system: Running,
    net: TwoNetworks,
}

enum Running {
    Routing,
    Bare(#[expect(dead_code, reason = "held to stay attached")] Bare),
    Kernel(Kernel),
    Calls(Calls),
}

/// Spins of the idle threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    /// How many.
    pub(crate) per_second: f64,
    /// For how long.
    pub(crate) seconds: f64,
}

/// What one window gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Driven {
    /// What the sender did.
    pub(crate) sent: Sent,
    /// Packets that arrived.
    pub(crate) received: u64,
    /// Processor time of all the path.
    pub(crate) cpu: Duration,
    /// What it left over.
    pub(crate) left: Left,
    /// Packets that came up to the relay process; `None` where all do, or there is none.
    pub(crate) user_space: Option<u64>,
}

impl Ground {
    /// Sets a cell up and warms it up.
    ///
    /// # Errors
    /// Where the system can't be set up (not root, a peer not installed), or does not forward.
    pub(crate) fn set_up(cell: Cell, rate: f64, spinner: &Spinner) -> Result<Self> {
        let lab = Lab::open().context("the path needs root for network namespaces")?;
        let net = TwoNetworks::build(&lab, cell.device.wiring());
        give_addresses(&net, &cell);
        let mut system = match cell.system {
            System::Routing => {
                route(&net);
                Running::Routing
            }
            System::Bare => Running::Bare(Bare::attach(&net, &cell)?),
            System::Kernel => Running::Kernel(Kernel::start(&net, &cell)?),
            _ => Running::Calls(Calls::set_up(&net, &cell)?),
        };
        let sink = Sink::attach(&net.callee, "eth0")?;
        let to_mac = mac(&net.relay, Side::A.interface())?;
        let streams = streams(&cell, &mut system);
        let sender = Sender::open(&net.caller, "eth0", to_mac, &streams)?;
        let mut ground = Self {
            cell,
            sender,
            sink,
            system,
            net,
        };
        ground.warm_up(rate, spinner)?;
        Ok(ground)
    }

    /// Sends for `window` and waits for what is on its way.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn drive(
        &mut self,
        pace: Pace,
        window: Duration,
        spinner: &Spinner,
    ) -> Result<Driven> {
        let user_space = self.user_space_packets();
        let clock = self.clock()?;
        let received = self.sink.received()?;
        let before = clock.now()?;
        let (mark, begun) = (spinner.mark(), Instant::now());
        let sent = self.sender.send(pace, window)?;
        std::thread::sleep(DRAIN);
        let left = Left {
            per_second: spinner.rate_since(&mark),
            seconds: begun.elapsed().as_secs_f64(),
        };
        let cpu = sent.cpu + clock.now()?.saturating_sub(before);
        let received = self.sink.received()? - received;
        let user_space = user_space
            .zip(self.user_space_packets())
            .map(|(before, after)| after - before);
        Ok(Driven {
            sent,
            received,
            cpu,
            left,
            user_space,
        })
    }

    /// The callee's namespace.
    #[must_use]
    pub(crate) fn callee(&self) -> &Netns {
        &self.net.callee
    }

    /// That the system still is what was set up.
    ///
    /// # Errors
    /// It is not, and why.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.system {
            Running::Kernel(kernel) => kernel.check().with_context(|| self.cell.to_string()),
            _ => Ok(()),
        }
    }

    /// Every flow gets some packets, so that neighbours are resolved, sources learned and flows handed over.
    fn warm_up(&mut self, rate: f64, spinner: &Spinner) -> Result<()> {
        self.drive(Pace::Steady(rate), WARM_UP, spinner)?;
        if self.cell.flows > MANY {
            self.drive(Pace::Saturating, WARM_UP * 10, spinner)?;
        }
        // A relay hands a flow over a moment after its first packets.
        std::thread::sleep(WARM_UP);
        let driven = self.drive(Pace::Steady(rate), WARM_UP, spinner)?;
        let (sent, received) = (driven.sent.packets, driven.received);
        ensure!(
            received as f64 >= sent as f64 * ARRIVING,
            "{}: {received} of {sent} packets arrive",
            self.cell
        );
        Ok(())
    }

    fn user_space_packets(&self) -> Option<u64> {
        match &self.system {
            Running::Calls(calls) => calls.user_space_packets(&self.net),
            _ => None,
        }
    }

    /// Of what works on the path beside the sender.
    fn clock(&mut self) -> Result<Clock> {
        let relay = match &mut self.system {
            Running::Calls(calls) => Some(calls.pid()),
            _ => None,
        };
        Clock::of(relay)
    }
}

fn streams(cell: &Cell, system: &mut Running) -> Vec<Stream> {
    let mut streams: Vec<Stream> = (0..cell.flows)
        .map(|n| {
            let addresses = Addresses::of(n, cell.families);
            let destination = match &system {
                Running::Routing => addresses.to,
                Running::Calls(calls) => calls.targets[n],
                Running::Bare(_) | Running::Kernel(_) => addresses.local,
            };
            Stream {
                source: addresses.source,
                destination,
                ssrc: n as u32,
            }
        })
        .collect();
    shuffle(&mut streams);
    streams
}

/// The addresses of many flows beside those that the lab gives.
fn give_addresses(net: &TwoNetworks, cell: &Cell) {
    let sides = [
        (Side::A, cell.families.ingress),
        (Side::B, cell.families.egress),
    ];
    for (side, family) in sides {
        let length = if family == Family::V4 { 24 } else { 64 };
        for address in relay_addresses(side, family, cell.flows)
            .into_iter()
            .skip(1)
        {
            net.relay
                .address(side.interface(), &format!("{address}/{length}"));
        }
    }
}

/// Plain routing between the two networks.
fn route(net: &TwoNetworks) {
    net.relay.sysctl("net/ipv4/ip_forward", "1");
    net.relay.sysctl("net/ipv6/conf/all/forwarding", "1");
}

/// The Ethernet address of an interface.
pub(super) fn mac(ns: &Netns, interface: &str) -> Result<[u8; 6]> {
    let text = ns.mac(interface);
    let bytes: Vec<u8> = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16))
        .collect::<Result<_, _>>()?;
    bytes.try_into().ok().context("not an Ethernet address")
}
