//! Whether a packet at a flow's port is one that the flow decides about.

use underpass_abi::{ANY_SSRC, Flow, MAX_SSRCS, Outcome};

use crate::{Datagram, Internet, Ipv4, Ipv6, Kind, Plain, Read, Rtp, Udp, leaves_by};

/// A packet that may be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Its RTP header.
    pub rtp: Rtp,
    /// Which entry of the statistics its SSRC has.
    pub ssrc_index: usize,
}

/// Admits a packet that fits `flow` exactly. `packet` begins at the network layer.
///
/// # Errors
/// Why user space must look at it.
#[inline(always)]
pub fn admit<I: Internet>(
    datagram: &Datagram<I>,
    packet: impl Read,
    flow: &Flow,
) -> Result<Admitted, Outcome>
where
    Datagram<I>: Plain,
{
    if !datagram.ip.is_from(&flow.source_address)
        || datagram.udp.source != u16::from_ne_bytes(flow.source_port)
    {
        return Err(Outcome::OtherSource);
    }
    if !I::is_intact(packet) {
        return Err(Outcome::Checksum);
    }
    let rtp = rtp_of(datagram, packet)?;
    if !passes(flow, rtp.payload_type()) {
        return Err(Outcome::PayloadType);
    }
    let ssrc_index = ssrc_index(flow, rtp.ssrc()).ok_or(Outcome::Ssrc)?;
    let header = if leaves_by::<Ipv4>(flow) {
        Ipv4::LENGTH
    } else {
        Ipv6::LENGTH
    };
    if header + usize::from(u16::from_be(datagram.udp.length)) > usize::from(flow.egress_mtu) {
        return Err(Outcome::TooBig);
    }
    Ok(Admitted { rtp, ssrc_index })
}

#[inline(always)]
fn rtp_of<I: Internet>(datagram: &Datagram<I>, packet: impl Read) -> Result<Rtp, Outcome>
where
    Datagram<I>: Plain,
{
    let offset = I::LENGTH + size_of::<Udp>();
    let length = datagram.udp.payload_length();
    if length < 2 {
        return Err(Outcome::NotRtp);
    }
    let first_two = packet.read::<[u8; 2]>(offset).ok_or(Outcome::NotRtp)?;
    Kind::of(first_two).require_rtp()?;
    if length < Rtp::LENGTH {
        return Err(Outcome::NotRtp);
    }
    packet.read(offset).ok_or(Outcome::NotRtp)
}

#[inline(always)]
fn passes(flow: &Flow, payload_type: u8) -> bool {
    let word = if payload_type < 64 {
        flow.payload_types[0]
    } else {
        flow.payload_types[1]
    };
    word >> (payload_type & 63) & 1 != 0
}

/// The statistics entry of `ssrc`: its place among the known ones, or the first if any SSRC passes.
#[inline(always)]
fn ssrc_index(flow: &Flow, ssrc: u32) -> Option<usize> {
    if flow.flags & ANY_SSRC != 0 {
        return Some(0);
    }
    (0..MAX_SSRCS).find(|&index| index < usize::from(flow.ssrc_count) && flow.ssrcs[index] == ssrc)
}
