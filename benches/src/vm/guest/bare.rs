//! The bare programs, and the floor under everything: a program that drops.

use std::net::{SocketAddr, SocketAddrV4};

use anyhow::{Context, Result};
use aya::Ebpf;
use aya::programs::tc::qdisc_add_clsact;
use aya::programs::{SchedClassifier, TcAttachType, Xdp, XdpMode};
use lab::{Family, Netns, Side};

use crate::limit::{self, Flow};

/// One flow of the bare program.
#[derive(Clone, Copy)]
pub(super) struct BareFlow {
    /// Where the caller sends from.
    pub(super) source: SocketAddrV4,
    /// Where it sends to: the relay's.
    pub(super) local: SocketAddrV4,
    /// The callee.
    pub(super) sink: SocketAddrV4,
}

/// What is attached; XDP goes with the object, a filter has to be taken away where it is.
pub(super) type Bare = Box<Ebpf>;

/// Attaches the dropping program to the relay's interface a.
pub(super) fn floor(relay: &Netns) -> Result<Bare> {
    let mut ebpf = limit::load(1)?;
    attach_xdp(&mut ebpf, limit::FLOOR, relay, &[Side::A])?;
    Ok(Box::new(ebpf))
}

/// Attaches the bare XDP program to both interfaces: virtio-net sends redirected frames only where a program is.
pub(super) fn xdp(relay: &Netns, callee_mac: [u8; 6], flows: &[BareFlow]) -> Result<Bare> {
    let mut ebpf = loaded(relay, callee_mac, flows)?;
    attach_xdp(&mut ebpf, limit::XDP, relay, &[Side::A, Side::B])?;
    Ok(Box::new(ebpf))
}

/// Attaches the bare tc program to interface a.
pub(super) fn tc(relay: &Netns, callee_mac: [u8; 6], flows: &[BareFlow]) -> Result<Bare> {
    let mut ebpf = loaded(relay, callee_mac, flows)?;
    let program: &mut SchedClassifier = ebpf
        .program_mut(limit::TC)
        .context("no limit_tc")?
        .try_into()?;
    program.load()?;
    relay.run(|| {
        // TCX needs none; it may be there already.
        let _ = qdisc_add_clsact(Side::A.interface());
        program.attach(Side::A.interface(), TcAttachType::Ingress)
    })?;
    Ok(Box::new(ebpf))
}

/// The relay's local address of call `n`.
pub(super) fn local(n: usize) -> SocketAddrV4 {
    address(Side::A.relay(Family::V4), n, 30_000)
}

/// An IPv4 address with the port of call `n`, which is even.
pub(super) fn address(ip: std::net::IpAddr, n: usize, first_port: u16) -> SocketAddrV4 {
    let std::net::IpAddr::V4(ip) = ip else {
        unreachable!("asked for IPv4")
    };
    SocketAddrV4::new(ip, first_port + 2 * n as u16)
}

fn attach_xdp(ebpf: &mut Ebpf, name: &str, relay: &Netns, sides: &[Side]) -> Result<()> {
    let program: &mut Xdp = ebpf
        .program_mut(name)
        .context(name.to_owned())?
        .try_into()?;
    program.load()?;
    for side in sides {
        relay.run(|| program.attach(side.interface(), XdpMode::Driver))?;
    }
    Ok(())
}

fn loaded(relay: &Netns, callee_mac: [u8; 6], flows: &[BareFlow]) -> Result<Ebpf> {
    let mut ebpf = limit::load(16_384)?;
    let egress_ifindex = relay.index(Side::B.interface());
    let from_mac = mac(&relay.mac(Side::B.interface()))?;
    let mut map = limit::flows(&mut ebpf)?;
    for (n, flow) in flows.iter().enumerate() {
        let from = address(Side::B.relay(Family::V4), n, 30_000);
        let mut value = Flow {
            source_port: flow.source.port().to_be_bytes(),
            from_port: from.port().to_be_bytes(),
            to_port: flow.sink.port().to_be_bytes(),
            egress_ifindex,
            from_mac,
            to_mac: callee_mac,
            ..Flow::default()
        };
        value.source_address[..4].copy_from_slice(&flow.source.ip().octets());
        value.from_address[..4].copy_from_slice(&from.ip().octets());
        value.to_address[..4].copy_from_slice(&flow.sink.ip().octets());
        limit::insert(&mut map, limit::v4(SocketAddr::V4(flow.local))?, &value)?;
    }
    Ok(ebpf)
}

/// An Ethernet address as `ip` prints it.
pub(super) fn mac(text: &str) -> Result<[u8; 6]> {
    let bytes: Vec<u8> = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16))
        .collect::<Result<_, _>>()?;
    bytes.try_into().ok().context("not a MAC address")
}
