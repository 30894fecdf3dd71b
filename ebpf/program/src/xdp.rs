//! Forwarding in XDP, where a packet is bytes and nothing else.

use core::hint::cold_path;

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_TX};
use aya_ebpf::helpers::{bpf_redirect, bpf_xdp_adjust_head};
use aya_ebpf::programs::XdpContext;
use underpass_abi::Outcome;
use underpass_packet::{
    Admitted, Datagram, Ethernet, Internet, Ipv4, Ipv6, Link, Plain, Read, Reading, Udp, Vlan,
    admit, leaves_by, udp_checksum, write_frame,
};

use crate::frame::Frame;
use crate::maps::{Found, Lookup};
use crate::record::record;

/// 1 where the program is attached in generic mode; set at load time.
#[unsafe(no_mangle)]
static GENERIC_XDP: u32 = 0;

/// Forwards a packet; the action that sends it.
///
/// # Errors
/// Why it goes up the stack, untouched.
#[inline(always)]
pub fn forward(context: &XdpContext) -> Result<u32, Outcome> {
    let frame = frame(context);
    let link = Link::parse(frame)?;
    match link.ethertype {
        Ipv4::ETHERTYPE => arrive::<Ipv4>(context, frame, &link),
        Ipv6::ETHERTYPE => arrive::<Ipv6>(context, frame, &link),
        _ => Err(Outcome::NotIp),
    }
}

#[inline(always)]
fn arrive<I: Lookup>(context: &XdpContext, frame: Frame, link: &Link) -> Result<u32, Outcome>
where
    Datagram<I>: Plain,
{
    let packet = frame.skip(link.length);
    let datagram = Datagram::<I>::parse(packet)?;
    let found = Found::to(&datagram).ok_or(Outcome::Miss)?;
    let flow = found.flow();
    if !link.is_for(flow.local_mac) {
        return Err(Outcome::OtherHost);
    }
    let admitted = admit(&datagram, packet, flow)?;
    let arrival = Arrival {
        context,
        link,
        udp: datagram.udp,
        found,
        admitted,
    };
    let udp = packet.skip(I::LENGTH);
    if leaves_by::<I>(flow) {
        let checksum = udp_checksum::<I, I>(flow, &datagram.udp, udp, reading())?;
        arrival.leave::<I, I>(checksum)
    } else {
        cold_path();
        let checksum = udp_checksum::<I, I::Other>(flow, &datagram.udp, udp, reading())?;
        arrival.leave::<I, I::Other>(checksum)
    }
}

/// A packet that is to be forwarded.
struct Arrival<'a> {
    context: &'a XdpContext,
    link: &'a Link,
    udp: Udp,
    found: Found,
    admitted: Admitted,
}

impl Arrival<'_> {
    #[inline(always)]
    fn leave<I: Internet, O: Internet>(self, checksum: u16) -> Result<u32, Outcome> {
        let flow = self.found.flow();
        let tagged = flow.egress_vlan != 0;
        let length = O::LENGTH + size_of::<Ethernet>() + if tagged { size_of::<Vlan>() } else { 0 };
        let less = (I::LENGTH + self.link.length) as i32 - length as i32;
        // SAFETY: the context is the program's own; all packet pointers are taken anew below.
        if less != 0 && unsafe { bpf_xdp_adjust_head(self.context.ctx, less) } != 0 {
            return Err(Outcome::HelperFailed);
        }
        let frame = frame(self.context);
        if write_frame::<O>(frame, flow, self.udp.length, checksum, tagged).is_none() {
            // Not to be reached: the frame is as long as these headers and what followed the old ones.
            return Ok(XDP_DROP);
        }
        record(&self.found, &self.admitted, self.udp.payload_length());
        Ok(self.send(flow.egress_ifindex))
    }

    #[inline(always)]
    fn send(&self, egress: u32) -> u32 {
        if egress as usize == self.context.ingress_ifindex() {
            return XDP_TX;
        }
        // SAFETY: takes no pointers.
        unsafe { bpf_redirect(egress, 0) as u32 }
    }
}

#[inline(always)]
fn frame(context: &XdpContext) -> Frame {
    let (data, end) = (context.data(), context.data_end());
    Frame::new(data, end, end - data)
}

#[inline(always)]
fn reading() -> Reading {
    // SAFETY: read as it stands in the loaded object, not as the compiler knows it.
    match unsafe { core::ptr::read_volatile(&raw const GENERIC_XDP) } {
        0 => Reading::Native,
        _ => Reading::Generic,
    }
}
