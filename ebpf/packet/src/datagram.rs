//! A UDP datagram with its IP header: arriving, and leaving.

use underpass_abi::{Flow, Outcome};

use crate::link::TAG;
use crate::{Ethernet, Internet, Ipv4, Ipv6, Plain, Read, Sum, Vlan, Write};

/// A UDP header; fields in network order.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// Header and payload.
    pub length: u16,
    /// 0: none.
    pub checksum: u16,
}

/// An IP and a UDP header as they lie in a packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<I> {
    /// The IP header.
    pub ip: I,
    /// The UDP header.
    pub udp: Udp,
}

// SAFETY: words without padding.
unsafe impl Plain for Udp {}
// SAFETY: 20 bytes and 8, without padding between.
unsafe impl Plain for Datagram<Ipv4> {}
// SAFETY: 40 bytes and 8, without padding between.
unsafe impl Plain for Datagram<Ipv6> {}

impl<I: Internet> Datagram<I>
where
    Self: Plain,
{
    /// Both headers' length, bytes.
    pub const LENGTH: usize = I::LENGTH + size_of::<Udp>();

    /// Parses a whole datagram: no fragment, no options, lengths that agree. `packet` begins at the network layer.
    ///
    /// # Errors
    /// What the packet is instead.
    #[inline(always)]
    pub fn parse(packet: impl Read) -> Result<Self, Outcome> {
        let Some(datagram) = packet.read::<Self>(0) else {
            return Err(not_even_headers::<I>(packet));
        };
        let udp_length = datagram.ip.udp_length(packet.length())?;
        if usize::from(u16::from_be(datagram.udp.length)) != udp_length
            || udp_length < size_of::<Udp>()
        {
            return Err(Outcome::NotUdp);
        }
        Ok(datagram)
    }

    /// Bytes of UDP payload.
    #[inline(always)]
    #[must_use]
    pub fn payload_length(&self) -> usize {
        usize::from(u16::from_be(self.udp.length)).saturating_sub(size_of::<Udp>())
    }

    /// The headers it leaves with by `flow`; the UDP checksum is still the old one.
    #[inline(always)]
    #[must_use]
    pub fn leaving<O: Internet>(&self, flow: &Flow) -> Datagram<O> {
        Datagram {
            ip: O::leaving(flow, u16::from_be(self.udp.length)),
            udp: Udp {
                source: u16::from_ne_bytes(flow.from_port),
                destination: u16::from_ne_bytes(flow.to_port),
                ..self.udp
            },
        }
    }

    /// The sum over both ports.
    #[inline(always)]
    #[must_use]
    pub fn port_sum(&self) -> Sum {
        Sum::default()
            .with(self.udp.source.into())
            .with(self.udp.destination.into())
    }

    /// The sum over the pseudo-header (RFC 768, RFC 8200 section 8.1).
    #[inline(always)]
    #[must_use]
    pub fn pseudo_sum(&self) -> Sum {
        self.ip
            .address_sum()
            .with(u32::from(17_u16.to_be()))
            .with(self.udp.length.into())
    }
}

/// What a packet is that is too short for both headers.
#[inline(always)]
fn not_even_headers<I: Internet>(packet: impl Read) -> Outcome {
    match packet.read::<I>(0).map(|ip| ip.udp_length(packet.length())) {
        Some(Ok(_)) => Outcome::NotUdp,
        Some(Err(outcome)) => outcome,
        None => Outcome::NotIp,
    }
}

/// Writes the headers of a packet that leaves by `flow`, from the frame's first byte on; `tagged` by its
/// [`Flow::egress_vlan`]. `None` if the frame is too short.
#[inline(always)]
pub fn write_frame<I: Internet>(
    mut frame: impl Write,
    flow: &Flow,
    datagram: Datagram<I>,
    tagged: bool,
) -> Option<()>
where
    Datagram<I>: Plain,
{
    let ethertype = I::ETHERTYPE.to_be();
    let ethernet = Ethernet {
        destination: flow.to_mac,
        source: flow.from_mac,
        ethertype,
    };
    if !tagged {
        frame.write(size_of::<Ethernet>(), datagram)?;
        return frame.write(0, ethernet);
    }
    frame.write(size_of::<Ethernet>() + size_of::<Vlan>(), datagram)?;
    frame.write(
        size_of::<Ethernet>(),
        Vlan {
            control: flow.egress_vlan.to_be(),
            ethertype,
        },
    )?;
    frame.write(
        0,
        Ethernet {
            ethertype: TAG,
            ..ethernet
        },
    )
}
