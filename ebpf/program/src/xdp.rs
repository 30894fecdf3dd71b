//! Forwarding in XDP, where a packet is bytes and nothing else.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_TX};
use aya_ebpf::helpers::{bpf_redirect, bpf_xdp_adjust_head};
use aya_ebpf::programs::XdpContext;
use underpass_abi::{Flow, Outcome};
use underpass_packet::{
    Admitted, Datagram, Ethernet, Internet, Ipv4, Ipv6, Link, Plain, Read, Reading, UdpChecksum,
    Vlan, admit, write_frame,
};

use crate::frame::Frame;
use crate::maps::Lookup;
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
    let flow = I::flow(datagram.key()).ok_or(Outcome::Miss)?;
    if !link.is_for(flow.local_mac) {
        return Err(Outcome::OtherHost);
    }
    let admitted = admit(&datagram, packet, flow)?;
    let checksum = UdpChecksum::read(&datagram, packet.skip(I::LENGTH), reading())?;
    let arrival = Arrival {
        context,
        link,
        datagram,
        checksum,
        flow,
        admitted,
    };
    if flow.egress_family == Ipv4::FAMILY {
        arrival.leave::<Ipv4>()
    } else {
        arrival.leave::<Ipv6>()
    }
}

/// A packet that is to be forwarded.
struct Arrival<'a, I> {
    context: &'a XdpContext,
    link: &'a Link,
    datagram: Datagram<I>,
    checksum: UdpChecksum,
    flow: &'a Flow,
    admitted: Admitted,
}

impl<I: Internet> Arrival<'_, I>
where
    Datagram<I>: Plain,
{
    #[inline(always)]
    fn leave<O: Internet>(self) -> Result<u32, Outcome>
    where
        Datagram<O>: Plain,
    {
        let mut leaving: Datagram<O> = self.datagram.leaving(self.flow);
        leaving.udp.checksum = self.checksum.of(&leaving)?;
        let tagged = self.flow.egress_vlan != 0;
        let length = O::LENGTH + size_of::<Ethernet>() + if tagged { size_of::<Vlan>() } else { 0 };
        let less = (I::LENGTH + self.link.length) as i32 - length as i32;
        // SAFETY: the context is the program's own; all packet pointers are taken anew below.
        if less != 0 && unsafe { bpf_xdp_adjust_head(self.context.ctx, less) } != 0 {
            return Err(Outcome::HelperFailed);
        }
        if write_frame(frame(self.context), self.flow, leaving, tagged).is_none() {
            // Not to be reached: the frame is as long as these headers and what followed the old ones.
            return Ok(XDP_DROP);
        }
        record(self.flow, &self.admitted, self.datagram.payload_length());
        Ok(self.send())
    }

    #[inline(always)]
    fn send(&self) -> u32 {
        let egress = self.flow.egress_ifindex;
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
