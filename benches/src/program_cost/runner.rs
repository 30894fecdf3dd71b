//! A loaded program with its flows, and the packet that goes round.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use aya::maps::{Array, MapData};
use aya::programs::{ProgramInfo, SchedClassifier, TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use nix::time::{ClockId, clock_gettime};
use underpass_abi::{
    HEADER, Header, LocalV4, LocalV6, MAX_LOCALS, PORT_LINES, PORTS, PORTS_PER_LINE, PortLine,
    RECORDS, Record,
};

use super::ring::Ring;
use crate::bytes::bytes_of;
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
}

impl Program {
    pub(super) const ALL: [Self; 4] = [Self::Xdp, Self::BareXdp, Self::Tc, Self::BareTc];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Xdp => "XDP",
            Self::Tc => "tc",
            Self::BareXdp => "bare XDP",
            Self::BareTc => "bare tc",
        }
    }

    pub(super) fn is_bare(self) -> bool {
        matches!(self, Self::BareXdp | Self::BareTc)
    }

    fn is_xdp(self) -> bool {
        matches!(self, Self::Xdp | Self::BareXdp)
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
            Self::Xdp => "underpass_xdp",
            Self::Tc => "underpass_tc",
            Self::BareXdp => limit::XDP,
            Self::BareTc => limit::TC,
        }
    }
}

/// A program, loaded, with its flows.
pub(super) struct Runner {
    ebpf: Ebpf,
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
        let mut ebpf = if program.is_bare() {
            bare(ring)?
        } else {
            ours(ring)?
        };
        if program.is_xdp() {
            xdp(&mut ebpf, program)?.load()?;
        } else {
            tc(&mut ebpf, program)?.load()?;
        }
        let mut runner = Self {
            ebpf,
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

fn ours(ring: &Ring) -> Result<Ebpf> {
    let mut locals: Vec<IpAddr> = (0..ring.length()).map(|n| ring.local(n).ip()).collect();
    locals.sort_unstable();
    locals.dedup();
    let mut ebpf = EbpfLoader::new()
        .map_max_entries(PORTS, locals.len() as u32 * PORT_LINES)
        .map_max_entries(RECORDS, ring.length())
        .load(underpass::datapath::object::BYTES)?;
    let mut lines = vec![PortLine::default(); locals.len() * PORT_LINES as usize];
    let mut records = array::<{ size_of::<Record>() }>(&mut ebpf, RECORDS)?;
    for (number, n) in (0..).zip(ring.scattered()) {
        let record = Record {
            flow: ring.flow(n, number),
            ..Record::default()
        };
        records.set(number, bytes_of(&record), 0)?;
        let local = ring.local(n);
        let block = locals.partition_point(|address| *address < local.ip());
        let port = usize::from(local.port());
        let line = block * PORT_LINES as usize + port / PORTS_PER_LINE;
        lines[line].0[port % PORTS_PER_LINE] = number + 1;
    }
    let mut ports = array::<{ size_of::<PortLine>() }>(&mut ebpf, PORTS)?;
    for (number, line) in (0..).zip(&lines) {
        ports.set(number, bytes_of(line), 0)?;
    }
    let mut header = array::<{ size_of::<Header>() }>(&mut ebpf, HEADER)?;
    header.set(0, bytes_of(&header_of(&locals)), 0)?;
    Ok(ebpf)
}

fn array<'a, const N: usize>(
    ebpf: &'a mut Ebpf,
    name: &str,
) -> Result<Array<&'a mut MapData, [u8; N]>> {
    let map = ebpf.map_mut(name).with_context(|| format!("no {name}"))?;
    Ok(Array::try_from(map)?)
}

fn header_of(locals: &[IpAddr]) -> Header {
    let mut header = Header {
        v4_count: 0,
        v6_count: 0,
        v4: [LocalV4::default(); MAX_LOCALS],
        v6: [LocalV6::default(); MAX_LOCALS],
        flows: 0,
        past_packets: 0,
        past_bytes: 0,
    };
    for (block, local) in (0..).zip(locals) {
        match local {
            IpAddr::V4(address) => {
                header.v4[header.v4_count as usize] = LocalV4 {
                    address: address.octets(),
                    block,
                };
                header.v4_count += 1;
            }
            IpAddr::V6(address) => {
                header.v6[header.v6_count as usize] = LocalV6 {
                    address: address.octets(),
                    block,
                };
                header.v6_count += 1;
            }
        }
    }
    header
}
