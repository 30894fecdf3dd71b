//! The bare program between the two networks: the limit.

use anyhow::{Context, Result, ensure};
use aya::Ebpf;
use aya::programs::tc::TcAttachType;
use aya::programs::{SchedClassifier, Xdp, XdpMode};
use lab::{Side, TwoNetworks};

use super::addresses::Addresses;
use super::cell::{Cell, Device, Families};
use super::ground::mac;
use crate::limit::{self, Flow};

/// The program with its flows; detached when dropped.
pub(super) struct Bare(#[expect(dead_code, reason = "held to stay attached")] Ebpf);

impl Bare {
    /// Attaches it with the flows of `cell`.
    ///
    /// # Errors
    /// What the kernel says, and IPv6, which the program does not know.
    pub(super) fn attach(net: &TwoNetworks, cell: &Cell) -> Result<Self> {
        ensure!(
            cell.families == Families::V4,
            "the bare program knows IPv4 only"
        );
        let mut ebpf = limit::load(u32::try_from(cell.flows)?.max(1024))?;
        insert(net, cell, &mut ebpf)?;
        let (ingress, egress) = (Side::A.interface(), Side::B.interface());
        if cell.device == Device::VethXdp {
            let program: &mut Xdp = ebpf
                .program_mut(limit::XDP)
                .context("no XDP program")?
                .try_into()?;
            program.load()?;
            net.relay.run(|| program.attach(ingress, XdpMode::Driver))?;
            // As the relay has it, and as most drivers want it: one on the way out, too.
            net.relay.run(|| program.attach(egress, XdpMode::Driver))?;
        } else {
            let program: &mut SchedClassifier = ebpf
                .program_mut(limit::TC)
                .context("no tc program")?
                .try_into()?;
            program.load()?;
            net.relay
                .run(|| program.attach(ingress, TcAttachType::Ingress))?;
        }
        Ok(Self(ebpf))
    }
}

fn insert(net: &TwoNetworks, cell: &Cell, ebpf: &mut Ebpf) -> Result<()> {
    let egress = Side::B.interface();
    let from_mac = mac(&net.relay, egress)?;
    let to_mac = mac(&net.callee, "eth0")?;
    let egress_ifindex = net.relay.index(egress);
    let mut flows = limit::flows(ebpf)?;
    for n in 0..cell.flows {
        let Addresses {
            source,
            local,
            from,
            to,
        } = Addresses::of(n, cell.families);
        let mut flow = Flow {
            egress_ifindex,
            from_mac,
            to_mac,
            source_port: source.port().to_be_bytes(),
            from_port: from.port().to_be_bytes(),
            to_port: to.port().to_be_bytes(),
            ..Flow::default()
        };
        flow.source_address[..4].copy_from_slice(&limit::v4(source)?.ip().octets());
        flow.from_address[..4].copy_from_slice(&limit::v4(from)?.ip().octets());
        flow.to_address[..4].copy_from_slice(&limit::v4(to)?.ip().octets());
        limit::insert(&mut flows, limit::v4(local)?, &flow)?;
    }
    Ok(())
}
