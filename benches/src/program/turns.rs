//! Packets one by one: a run for each, timed by the kernel, and the system call for the next one in between.
//!
//! So the instances of many interfaces can take turns, as they do on a node, with nothing in front of them that an own
//! interface has not. The kernel reads its clock within what it times; that is the same for all, and differences are free
//! of it.

use anyhow::{Context, Result, ensure};
use aya::Ebpf;
use aya::programs::{TestRun, TestRunOptions, Xdp};

use super::ring::Ring;
use super::{instance, share};
use crate::packet::rtp_frame;

/// Packets of a run.
const PACKETS: usize = 20_000;
/// What redirects a packet returns.
const XDP_REDIRECT: u32 = 4;

/// Where so many tables are.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Interfaces {
    /// Each at one of its own.
    Own(u32),
    /// All at one.
    Shared(u32),
}

impl Interfaces {
    pub(super) fn name(self) -> String {
        match self {
            Self::Own(1) => "1 own interface".into(),
            Self::Own(tables) => format!("{tables} own interfaces"),
            Self::Shared(1) => "shared interface, 1 table".into(),
            Self::Shared(tables) => format!("shared interface, {tables} tables"),
        }
    }
}

/// Programs at so many interfaces, and the packets that come to them.
pub(super) struct Turns {
    programs: Vec<Ebpf>,
    /// Held by the program of a shared interface.
    _instances: Vec<Ebpf>,
    symbol: &'static str,
    /// One of each flow. The flow `n` comes to the program `n % programs`.
    frames: Vec<Vec<u8>>,
}

impl Turns {
    pub(super) fn new(ring: &Ring, interfaces: Interfaces) -> Result<Self> {
        match interfaces {
            Interfaces::Own(tables) => {
                let mut programs = Vec::new();
                for table in 0..tables {
                    let its_own = ring.scattered().filter(|n| n % tables == table);
                    programs.push(instance::load(ring, its_own)?);
                }
                Self::with(ring, programs, Vec::new(), underpass_object::XDP)
            }
            Interfaces::Shared(tables) => {
                let (share, instances) = share::load(ring, tables, |ebpf| {
                    let program = xdp(ebpf, underpass_object::XDP)?;
                    program.load()?;
                    Ok(program.fd()?.try_clone()?)
                })?;
                Self::with(ring, vec![share], instances, underpass_object::SHARE_XDP)
            }
        }
    }

    fn with(
        ring: &Ring,
        mut programs: Vec<Ebpf>,
        instances: Vec<Ebpf>,
        symbol: &'static str,
    ) -> Result<Self> {
        for ebpf in &mut programs {
            xdp(ebpf, symbol)?.load()?;
        }
        let frame = |n| rtp_frame(ring.source(n), ring.local(n), ring.mac());
        Ok(Self {
            programs,
            _instances: instances,
            symbol,
            frames: (0..ring.length()).map(frame).collect(),
        })
    }

    /// ns per packet: the mean of the middle half, since what the machine does beside is timed, too.
    pub(super) fn run(&mut self) -> Result<f64> {
        let programs = self.programs.len();
        let mut times = Vec::with_capacity(PACKETS);
        for (n, frame) in self.frames.iter().enumerate().cycle().take(PACKETS) {
            let options = TestRunOptions {
                data_in: Some(frame),
                ..TestRunOptions::new()
            };
            let result = xdp(&mut self.programs[n % programs], self.symbol)?.test_run(options)?;
            let returned = result.return_value;
            ensure!(returned == XDP_REDIRECT, "flow {n} returned {returned}");
            times.push(result.duration.as_nanos() as f64);
        }
        times.sort_unstable_by(f64::total_cmp);
        let middle = &times[PACKETS / 4..PACKETS * 3 / 4];
        Ok(middle.iter().sum::<f64>() / middle.len() as f64)
    }
}

fn xdp<'a>(ebpf: &'a mut Ebpf, symbol: &str) -> Result<&'a mut Xdp> {
    let found = ebpf.program_mut(symbol);
    Ok(found.context("no XDP program in the object")?.try_into()?)
}
