//! A loaded program with its flows, and the packet that goes round.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use aya::Ebpf;
use aya::programs::{ProgramInfo, SchedClassifier, TestRun, TestRunOptions, Xdp};
use nix::time::{ClockId, clock_gettime};

use super::ring::Ring;
use super::{instance, share};
use crate::limit;
use crate::packet::rtp_frame;

const REPEAT: u32 = 200_000;

/// A program that is measured.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Program {
    Xdp,
    Tc,
    BareXdp,
    BareTc,
    /// Behind the program of a shared interface, in turns one of so many tables' instances.
    SharedXdp(u32),
    /// The same.
    SharedTc(u32),
}

impl Program {
    pub(super) const ALL: [Self; 4] = [Self::Xdp, Self::BareXdp, Self::Tc, Self::BareTc];

    pub(super) fn name(self) -> String {
        let shared = |hook, tables| match tables {
            1 => format!("{hook}, shared interface, 1 table"),
            _ => format!("{hook}, shared interface, {tables} tables"),
        };
        match self {
            Self::Xdp => "XDP".into(),
            Self::Tc => "tc".into(),
            Self::BareXdp => "bare XDP".into(),
            Self::BareTc => "bare tc".into(),
            Self::SharedXdp(tables) => shared("XDP", tables),
            Self::SharedTc(tables) => shared("tc", tables),
        }
    }

    pub(super) fn is_bare(self) -> bool {
        matches!(self, Self::BareXdp | Self::BareTc)
    }

    fn is_xdp(self) -> bool {
        matches!(self, Self::Xdp | Self::BareXdp | Self::SharedXdp(_))
    }

    /// The address that frames come to: test runs let tc packets arrive at the loopback device.
    pub(super) fn mac(self) -> [u8; 6] {
        if self.is_xdp() {
            [2, 0, 0, 0, 0, 1]
        } else {
            [0; 6]
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::Xdp => underpass_object::XDP,
            Self::Tc => underpass_object::TC,
            Self::BareXdp => limit::XDP,
            Self::BareTc => limit::TC,
            Self::SharedXdp(_) => underpass_object::SHARE_XDP,
            Self::SharedTc(_) => underpass_object::SHARE_TC,
        }
    }
}

/// A program, loaded, with its flows.
pub(super) struct Runner {
    ebpf: Ebpf,
    /// Held by the programs of a shared interface.
    _instances: Vec<Ebpf>,
    program: Program,
    frame: Vec<u8>,
    returns: u32,
}

impl Runner {
    /// With all flows of the ring, and a packet for the first.
    pub(super) fn hitting(program: Program, ring: &Ring) -> Result<Self> {
        let local = ring.local(0);
        Self::new(program, ring, local, if program.is_xdp() { 4 } else { 7 })
    }

    /// The same, with a packet to a port that no flow has.
    pub(super) fn missing(program: Program, ring: &Ring) -> Result<Self> {
        let local = SocketAddr::new(ring.local(0).ip(), 1);
        let returns = if program.is_xdp() { 2 } else { u32::MAX };
        Self::new(program, ring, local, returns)
    }

    fn new(program: Program, ring: &Ring, local: SocketAddr, returns: u32) -> Result<Self> {
        let (mut ebpf, instances) = match program {
            Program::Xdp | Program::Tc => (instance::load(ring, ring.scattered())?, vec![]),
            Program::BareXdp | Program::BareTc => (bare(ring)?, vec![]),
            Program::SharedXdp(tables) => share::load(ring, tables, |ebpf| {
                let program = xdp(ebpf, Program::Xdp)?;
                program.load()?;
                Ok(program.fd()?.try_clone()?)
            })?,
            Program::SharedTc(tables) => share::load(ring, tables, |ebpf| {
                let program = tc(ebpf, Program::Tc)?;
                program.load()?;
                Ok(program.fd()?.try_clone()?)
            })?,
        };
        if program.is_xdp() {
            xdp(&mut ebpf, program)?.load()?;
        } else {
            tc(&mut ebpf, program)?.load()?;
        }
        let mut runner = Self {
            ebpf,
            _instances: instances,
            program,
            frame: rtp_frame(ring.source(0), local, ring.mac()),
            returns,
        };
        runner.run()?;
        let info = runner.info()?;
        ensure!(
            info.run_count() == 0,
            "the kernel times each run of a program, which costs more than what is measured here (50 ns): turn \
             kernel.bpf_stats_enabled off, or wait for the tool that asked for it"
        );
        Ok(runner)
    }

    /// ns of processor time per packet.
    pub(super) fn run(&mut self) -> Result<f64> {
        let mut out = vec![0; 2048];
        let options = TestRunOptions {
            data_in: Some(&self.frame),
            data_out: Some(&mut out),
            repeat: REPEAT,
            ..TestRunOptions::new()
        };
        // The kernel's own figure is in whole nanoseconds.
        let before = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
        let result = if self.program.is_xdp() {
            xdp(&mut self.ebpf, self.program)?.test_run(options)?
        } else {
            tc(&mut self.ebpf, self.program)?.test_run(options)?
        };
        let after = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
        ensure!(
            result.return_value == self.returns,
            "{} returned {} instead of {}",
            self.program.name(),
            result.return_value,
            self.returns
        );
        let spent = std::time::Duration::from(after).saturating_sub(before.into());
        Ok(spent.as_nanos() as f64 / f64::from(REPEAT))
    }

    fn info(&mut self) -> Result<ProgramInfo> {
        Ok(if self.program.is_xdp() {
            xdp(&mut self.ebpf, self.program)?.info()?
        } else {
            tc(&mut self.ebpf, self.program)?.info()?
        })
    }
}

fn xdp(ebpf: &mut Ebpf, program: Program) -> Result<&mut Xdp> {
    let found = ebpf.program_mut(program.symbol());
    Ok(found.context("no XDP program in the object")?.try_into()?)
}

fn tc(ebpf: &mut Ebpf, program: Program) -> Result<&mut SchedClassifier> {
    let found = ebpf.program_mut(program.symbol());
    Ok(found.context("no tc program in the object")?.try_into()?)
}

fn bare(ring: &Ring) -> Result<Ebpf> {
    let mut ebpf = limit::load(ring.length() + 8)?;
    let mut flows = limit::flows(&mut ebpf)?;
    for n in ring.scattered() {
        limit::insert(&mut flows, limit::v4(ring.local(n))?, &ring.bare(n))?;
    }
    Ok(ebpf)
}
