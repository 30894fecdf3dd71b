//! A relay in a lab of its own, with room for many calls, and calls that are up at it.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Engine, Lab, Relay, TwoNetworks, Wiring};

use super::client::Client;

/// The relays, in the order of every table: whose ratios are told first.
pub const NAMES: [&str; 2] = ["underpass", "rtpengine"];

/// Cycles before anything is measured.
pub const WARM_UP: usize = 200;

/// After each of the first cycles, and after so many calls that are set up.
const BREATH: Duration = Duration::from_millis(3);
const PER_BREATH: usize = 5;

/// A relay that is measured.
pub struct Contender {
    /// Of [`NAMES`].
    pub name: &'static str,
    /// It and its process.
    pub relay: Relay,
    /// Its networks; they go after it.
    pub net: TwoNetworks,
    up: usize,
}

impl Contender {
    /// Starts it: on tc if it is underpass, in user space if it is rtpengine.
    ///
    /// # Errors
    /// No root, so no namespaces.
    pub fn start(name: &'static str) -> Result<Self> {
        let lab = Lab::open().context("the relays need root for network namespaces")?;
        let net = TwoNetworks::build(&lab, Wiring::Veth);
        let launch = match name {
            "underpass" => Relay::underpass().engine(Engine::Tc),
            _ => Relay::rtpengine(),
        };
        // 27,000 pairs an address; and calls without media stay up for as long as this takes.
        let relay = launch
            .option("--log-level=4")
            .option("--port-min=10000")
            .option("--port-max=64000")
            .option("--timeout=7200")
            .option("--silent-timeout=7200")
            .interface(&format!("a/{}", lab::Side::A.relay(lab::Family::V4)))
            .interface(&format!("b/{}", lab::Side::B.relay(lab::Family::V4)))
            .start(&net.relay);
        let up = 0;
        Ok(Self {
            name,
            relay,
            net,
            up,
        })
    }

    /// Another client of it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn client(&self) -> Result<Client> {
        Client::connect(&self.net.relay)
    }

    /// Some cycles at an easy pace: code is paged in, allocators have their arenas, and ports are in stock.
    ///
    /// # Errors
    /// The relay refuses one.
    pub fn warm_up(&mut self) -> Result<()> {
        let mut client = self.client()?;
        for n in 0..WARM_UP {
            let warmed = client.cycle(&format!("warm-{n}"));
            warmed.with_context(|| format!("{}, warming up", self.name))?;
            thread::sleep(BREATH);
        }
        Ok(())
    }

    /// Sets calls up until `calls` are, no faster than ports can be had that have rested.
    ///
    /// # Errors
    /// The relay refuses one.
    pub fn bring_up(&mut self, calls: usize) -> Result<()> {
        let mut client = self.client()?;
        while self.up < calls {
            client
                .set_up(&format!("up-{}", self.up))
                .with_context(|| format!("{}, with {} calls up", self.name, self.up))?;
            self.up += 1;
            if self.up.is_multiple_of(PER_BREATH) {
                thread::sleep(BREATH);
            }
        }
        Ok(())
    }

    /// Its process id.
    pub fn pid(&mut self) -> u32 {
        self.relay.process().pid()
    }
}
