//! What the program itself costs per packet, by BPF_PROG_TEST_RUN.
//!
//! The flows form a ring: each rewrites the packet into one that the next flow expects. So `repeat` runs the true path of
//! a known flow every time, rewrite included, and with many flows each run meets another map entry, at another place in
//! memory than the processor would foresee.
//!
//! The RTP header stays the same from run to run. A sequence number that stands still takes the way of one that advances
//! (`underpass_packet::observe`), and every eighth packet is timed, as always: nothing is left out for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result};
use aya::maps::HashMap;
use aya::programs::{SchedClassifier, TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use serde::Serialize;
use underpass_abi::{ANY_SSRC, FLOWS_V4, FLOWS_V6, Flow, FlowKeyV4, FlowKeyV6, STATS};

use crate::bytes::bytes_of;
use crate::packet::rtp_frame;
use crate::spread::Spread;

const RUNS: usize = 9;
const REPEAT: u32 = 200_000;
/// Flows that follow one another in the ring lie this far apart in the maps; a prime, so that each gets its place.
const STRIDE: u64 = 7919;
/// The loopback device's, on which BPF_PROG_TEST_RUN lets tc packets arrive.
const MAC: [u8; 6] = [0; 6];

/// One line of the table.
#[derive(Clone, Serialize)]
pub struct Cost {
    /// `xdp` or `tc`, or the bare program's.
    pub program: &'static str,
    /// What the packet meets.
    pub case: &'static str,
    /// Flows in the table.
    pub flows: u32,
    /// ns per packet.
    pub ns: Spread,
}

/// A ring's address families, alternating: equal ones rewrite without a change of family.
#[derive(Clone, Copy)]
struct Ring {
    case: &'static str,
    even: Kind,
    odd: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    V4,
    V6,
}

const RINGS: [Ring; 3] = [
    Ring {
        case: "known flow, IPv4",
        even: Kind::V4,
        odd: Kind::V4,
    },
    Ring {
        case: "known flow, IPv6",
        even: Kind::V6,
        odd: Kind::V6,
    },
    Ring {
        case: "known flow, IPv4 to IPv6 and back",
        even: Kind::V4,
        odd: Kind::V6,
    },
];

/// Measures every case.
///
/// # Errors
/// Where the programs do not load or do not forward what they should.
pub fn measure(progress: &mut dyn FnMut(&str)) -> Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for flows in [1, 100_000] {
        for ring in RINGS {
            for program in ["xdp", "tc"] {
                progress(&format!("{program}, {}, {flows} flows", ring.case));
                costs.push(hit(program, ring, flows)?);
            }
        }
    }
    for program in ["limit xdp", "limit tc"] {
        progress(program);
        for flows in [1, 100_000] {
            costs.push(hit(program, RINGS[0], flows)?);
        }
    }
    for program in ["xdp", "tc"] {
        progress(&format!("{program}, no flow"));
        costs.push(miss(program)?);
    }
    Ok(costs)
}

fn hit(program: &'static str, ring: Ring, flows: u32) -> Result<Cost> {
    // A ring of two families needs a second flow to come back.
    let members = if ring.even == ring.odd {
        flows
    } else {
        flows.max(2)
    };
    let mut ebpf = load(program, members + 8)?;
    install(&mut ebpf, ring, members)?;
    let frame = rtp_frame(source(ring, 0), local(ring, 0), MAC);
    let returned = if program.ends_with("xdp") { 4 } else { 7 };
    let ns = run(&mut ebpf, program, &frame, returned)
        .with_context(|| format!("{program}, {}, {flows} flows", ring.case))?;
    Ok(Cost {
        program,
        case: ring.case,
        flows,
        ns,
    })
}

fn miss(program: &'static str) -> Result<Cost> {
    let ring = RINGS[0];
    let mut ebpf = load(program, 8)?;
    let frame = rtp_frame(source(ring, 0), local(ring, 0), MAC);
    let returned = if program == "xdp" { 2 } else { u32::MAX };
    let ns = run(&mut ebpf, program, &frame, returned)?;
    Ok(Cost {
        program,
        case: "no flow at the port",
        flows: 0,
        ns,
    })
}

fn load(program: &str, entries: u32) -> Result<Ebpf> {
    let mut loader = EbpfLoader::new();
    let object = if program.starts_with("limit") {
        crate::limit::OBJECT
    } else {
        for map in [FLOWS_V4, FLOWS_V6, STATS] {
            loader.map_max_entries(map, entries);
        }
        underpass::datapath::object::BYTES
    };
    let mut ebpf = loader.load(object)?;
    match program {
        "xdp" | "limit xdp" => xdp(&mut ebpf, program)?.load()?,
        _ => tc(&mut ebpf, program)?.load()?,
    }
    Ok(ebpf)
}

fn xdp<'a>(ebpf: &'a mut Ebpf, program: &str) -> Result<&'a mut Xdp> {
    let name = if program == "xdp" {
        "underpass_xdp"
    } else {
        "limit_xdp"
    };
    Ok(ebpf
        .program_mut(name)
        .context("no XDP program in the object")?
        .try_into()?)
}

fn tc<'a>(ebpf: &'a mut Ebpf, program: &str) -> Result<&'a mut SchedClassifier> {
    let name = if program == "tc" {
        "underpass_tc"
    } else {
        "limit_tc"
    };
    Ok(ebpf
        .program_mut(name)
        .context("no tc program in the object")?
        .try_into()?)
}

fn run(ebpf: &mut Ebpf, program: &str, frame: &[u8], returned: u32) -> Result<Spread> {
    let mut samples = Vec::with_capacity(RUNS);
    for _ in 0..=RUNS {
        let mut out = vec![0; 2048];
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            repeat: REPEAT,
            ..TestRunOptions::new()
        };
        let result = if program.ends_with("xdp") {
            xdp(ebpf, program)?.test_run(options)?
        } else {
            tc(ebpf, program)?.test_run(options)?
        };
        anyhow::ensure!(
            result.return_value == returned,
            "the program returned {} instead of {returned}",
            result.return_value
        );
        samples.push(result.duration.as_nanos() as f64);
    }
    let counted = if program.ends_with("xdp") {
        xdp(ebpf, program)?.info()?.run_count()
    } else {
        tc(ebpf, program)?.info()?.run_count()
    };
    anyhow::ensure!(
        counted == 0,
        "the kernel times each run of a program, which costs more than what is measured here (50 ns): turn \
         kernel.bpf_stats_enabled off, or wait for the tool that asked for it"
    );
    // The first run warms caches up.
    Ok(Spread::of(samples.split_off(1)))
}

/// Flow `n` turns its packet into the one that flow `n + 1` expects.
fn install(ebpf: &mut Ebpf, ring: Ring, flows: u32) -> Result<()> {
    let mut v4 = Vec::new();
    let mut v6 = Vec::new();
    for place in 0..flows {
        let n = (u64::from(place) * STRIDE % u64::from(flows)) as u32;
        let next = (n + 1) % flows;
        let (from, to) = (source(ring, next), local(ring, next));
        let flow = Flow {
            payload_types: [u64::MAX; 2],
            source_address: padded(source(ring, n).ip()),
            from_address: padded(from.ip()),
            to_address: padded(to.ip()),
            source_port: source(ring, n).port().to_be_bytes(),
            from_port: from.port().to_be_bytes(),
            to_port: to.port().to_be_bytes(),
            egress_mtu: 1500,
            egress_ifindex: 1_000_000,
            stats_slot: place,
            clock_rate: 8000,
            to_mac: MAC,
            from_mac: [2, 0, 0, 0, 0, 9],
            egress_family: if to.is_ipv4() { 4 } else { 6 },
            flags: ANY_SSRC,
            ttl: 64,
            ..Flow::default()
        };
        match local(ring, n) {
            SocketAddr::V4(at) => v4.push((at, flow)),
            SocketAddr::V6(at) => v6.push((at, flow)),
        }
    }
    if !v4.is_empty() {
        let map = ebpf.map_mut(FLOWS_V4).context("no IPv4 flow map")?;
        let mut map: HashMap<_, [u8; 8], [u8; 128]> = HashMap::try_from(map)?;
        for (at, flow) in v4 {
            let key = FlowKeyV4 {
                address: at.ip().octets(),
                port: at.port().to_be_bytes(),
                reserved: [0; 2],
            };
            map.insert(bytes_of(&key), bytes_of(&flow), 0)?;
        }
    }
    if !v6.is_empty() {
        let map = ebpf.map_mut(FLOWS_V6).context("no IPv6 flow map")?;
        let mut map: HashMap<_, [u8; 20], [u8; 128]> = HashMap::try_from(map)?;
        for (at, flow) in v6 {
            let key = FlowKeyV6 {
                address: at.ip().octets(),
                port: at.port().to_be_bytes(),
                reserved: [0; 2],
            };
            map.insert(bytes_of(&key), bytes_of(&flow), 0)?;
        }
    }
    Ok(())
}

fn local(ring: Ring, n: u32) -> SocketAddr {
    address(ring, n, 1)
}

fn source(ring: Ring, n: u32) -> SocketAddr {
    address(ring, n, 2)
}

/// 20,000 ports on each of several addresses.
fn address(ring: Ring, n: u32, side: u8) -> SocketAddr {
    let host = (n / 20_000) as u8;
    let port = 20_000 + (n % 20_000) as u16;
    let kind = if n.is_multiple_of(2) {
        ring.even
    } else {
        ring.odd
    };
    let ip = match kind {
        Kind::V4 => IpAddr::V4(Ipv4Addr::new(10, 0, side, host + 1)),
        Kind::V6 => IpAddr::V6(Ipv6Addr::new(
            0xfd00,
            0,
            0,
            u16::from(side),
            0,
            0,
            0,
            u16::from(host) + 1,
        )),
    };
    SocketAddr::new(ip, port)
}

fn padded(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
        IpAddr::V6(address) => address.octets(),
    }
}
