//! Whether a packet at a flow's port is one that the flow decides about.

use underpass_abi::{ANY_SSRC, Flow, MAX_SSRCS, Outcome};

use crate::{Datagram, Internet, Ipv4, Ipv6, Kind, Plain, Read, Rtp, Udp, leaves_by, refuse};

/// A packet that may be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Its RTP header.
    pub rtp: Rtp,
    /// Which entry of the statistics its SSRC has.
    pub ssrc_index: usize,
}

/// Admits a packet that fits `flow` exactly. `packet` begins at the network layer, and has been found whole by
/// [`Datagram::parse`].
///
/// # Errors
/// Why user space must look at it.
#[inline(always)]
pub fn admit<I: Internet>(packet: impl Read, flow: &Flow) -> Result<Admitted, Outcome>
where
    Datagram<I>: Plain,
{
    let datagram = Datagram::<I>::again(packet);
    if !datagram.ip.is_from(&flow.source_address)
        || datagram.udp.source != u16::from_ne_bytes(flow.source_port)
    {
        return refuse(Outcome::OtherSource);
    }
    if !I::is_intact(packet) {
        return refuse(Outcome::Checksum);
    }
    let rtp = rtp_of::<I>(packet, &datagram.udp)?;
    if !passes(flow, rtp.payload_type()) {
        return refuse(Outcome::PayloadType);
    }
    let Some(ssrc_index) = ssrc_index(flow, rtp.ssrc()) else {
        return refuse(Outcome::Ssrc);
    };
    let header = if leaves_by::<I>(flow) {
        I::LENGTH
    } else {
        Ipv4::LENGTH + Ipv6::LENGTH - I::LENGTH
    };
    if header + usize::from(u16::from_be(datagram.udp.length)) > usize::from(flow.egress_mtu) {
        return refuse(Outcome::TooBig);
    }
    Ok(Admitted { rtp, ssrc_index })
}

#[inline(always)]
fn rtp_of<I: Internet>(packet: impl Read, udp: &Udp) -> Result<Rtp, Outcome> {
    let offset = I::LENGTH + size_of::<Udp>();
    if usize::from(u16::from_be(udp.length)) >= size_of::<Udp>() + Rtp::LENGTH
        && let Some(rtp) = packet.read::<Rtp>(offset)
        && rtp.is_rtp()
    {
        return Ok(rtp);
    }
    let first_two = packet.read::<[u8; 2]>(offset);
    if let Some(first_two) = first_two
        && udp.payload_length() >= 2
    {
        Kind::of(first_two).require_rtp()?;
    }
    refuse(Outcome::NotRtp)
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
