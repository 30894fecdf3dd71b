//! A UDP datagram with its IP header: arriving, and leaving.

use underpass_abi::{Flow, Outcome};

use crate::link::TAG;
use crate::{Head, Internet, Ipv4, Ipv6, Plain, Read, Vlan, Write, refuse};

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

impl Udp {
    /// Bytes of UDP payload.
    #[inline(always)]
    #[must_use]
    pub fn payload_length(&self) -> usize {
        usize::from(u16::from_be(self.length)).saturating_sub(size_of::<Udp>())
    }
}

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
            return refuse(not_even_headers::<I>(packet));
        };
        let udp_length = datagram.ip.udp_length(packet.length())?;
        if usize::from(u16::from_be(datagram.udp.length)) != udp_length
            || udp_length < size_of::<Udp>()
        {
            return refuse(Outcome::NotUdp);
        }
        Ok(datagram)
    }

    /// The headers of a packet that was parsed before. In the kernel, reading them anew costs less than to keep them in
    /// the few registers there are.
    #[inline(always)]
    pub fn again(packet: impl Read) -> Self {
        // SAFETY: any bytes are headers.
        packet
            .read(0)
            .unwrap_or_else(|| unsafe { core::mem::zeroed() })
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

/// Writes the headers of a packet that leaves, from the frame's first byte on; with a tag if `vlan` (802.1Q tag control
/// information, host order) is not 0. `None`, and nothing written, if the frame is too short.
#[inline(always)]
pub fn write_frame<O: Internet>(
    mut frame: impl Write,
    head: &Head,
    udp_length: u16,
    udp_checksum: u16,
    vlan: u16,
) -> Option<()> {
    if vlan == 0 {
        return O::write(&mut frame, 0, head, udp_length, udp_checksum);
    }
    O::write(
        &mut frame,
        size_of::<Vlan>(),
        head,
        udp_length,
        udp_checksum,
    )?;
    let Head([first, second, ..]) = *head;
    let [a, b, c, d, ..] = second.to_ne_bytes();
    let [[e, f], [g, h]] = [TAG.to_ne_bytes(), vlan.to_be_bytes()];
    frame.write(0, [first, u64::from_ne_bytes([a, b, c, d, e, f, g, h])])
}

/// Whether `flow` leaves by `O`, as its owner says: [`crate::leaving`] holds it to that.
#[inline(always)]
#[must_use]
pub fn leaves_by<O: Internet>(flow: &Flow) -> bool {
    let [.., a, b, _, _] = flow.head[1].to_ne_bytes();
    u16::from_be_bytes([a, b]) == O::ETHERTYPE
}
