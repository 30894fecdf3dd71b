//! Forwarding in XDP, where a packet is bytes and nothing else.

use core::hint::cold_path;

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS, XDP_TX};
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::{bpf_ktime_get_coarse_ns, bpf_redirect, bpf_xdp_adjust_head};
use aya_ebpf::programs::XdpContext;
use underpass_abi::{Outcome, SEVERAL_RECEIVERS};
use underpass_packet::{
    Admitted, Datagram, Ethernet, Internet, Ipv4, Ipv6, Link, Plain, Read, Reading, Udp, Vlan,
    admit, is_for, lease_runs, leaves_by, leaving, refuse, udp_checksum, write_frame,
};

use crate::frame::{FRONT_V4, FRONT_V6, Frame, Packet, is};
use crate::guard::owner_is_gone;
use crate::maps::{self, Family, Found};
use crate::record::record;

/// 1 where the program is attached in generic mode; set at load time.
#[unsafe(no_mangle)]
static GENERIC_XDP: u32 = 0;

/// More than any action.
const REFUSED: u32 = 1 << 16;

/// Forwards a packet, or lets it up; the action.
///
/// What most packets are has the straight way: no tag, all headers there.
#[inline(always)]
pub fn forward(context: &XdpContext) -> u32 {
    let frame = frame(context);
    if let Some(front) = frame.front(FRONT_V4)
        && is::<Ipv4>(front)
    {
        let link = Link::untagged(Ipv4::ETHERTYPE);
        return finish(context, arrive::<Ipv4, _>(context, front, link));
    }
    if let Some(front) = frame.front(FRONT_V6)
        && is::<Ipv6>(front)
    {
        let link = Link::untagged(Ipv6::ETHERTYPE);
        return finish(context, arrive::<Ipv6, _>(context, front, link));
    }
    cold_path();
    match odd(context.ctx) {
        refused if refused >= REFUSED => underpass_refuse_xdp(context.ctx, refused - REFUSED),
        action => action,
    }
}

/// Packets with tags, and short ones; the action, or [`REFUSED`] plus the outcome.
#[inline(never)]
fn odd(context: *mut xdp_md) -> u32 {
    let context = &XdpContext::new(context);
    let frame = frame(context);
    let result = match Link::parse(frame) {
        Ok(link) if link.ethertype == Ipv4::ETHERTYPE => arrive::<Ipv4, _>(context, frame, link),
        Ok(link) if link.ethertype == Ipv6::ETHERTYPE => arrive::<Ipv6, _>(context, frame, link),
        _ => Err(Outcome::NotIp),
    };
    result.unwrap_or_else(|outcome| REFUSED + outcome as u32)
}

#[inline(always)]
fn finish(context: &XdpContext, result: Result<u32, Outcome>) -> u32 {
    match result {
        Ok(action) => action,
        Err(outcome) => {
            cold_path();
            underpass_refuse_xdp(context.ctx, outcome as u32)
        }
    }
}

/// What becomes of a packet that is not forwarded. A function of its own to the verifier, which would else follow it for
/// every place that refuses.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn underpass_refuse_xdp(context: *mut xdp_md, outcome: u32) -> u32 {
    let frame = frame(&XdpContext::new(context));
    let is_to_group = frame.read::<u8>(0).is_none_or(|first| first & 1 != 0);
    let is_ours = outcome != Outcome::OtherHost as u32 && !is_to_group;
    if is_ours && owner_is_gone(context.cast(), frame) {
        maps::count(Outcome::OwnerGone as u32);
        return XDP_DROP;
    }
    maps::count(outcome);
    XDP_PASS
}

#[inline(always)]
fn arrive<I: Family, F: Packet>(context: &XdpContext, frame: F, link: Link) -> Result<u32, Outcome>
where
    Datagram<I>: Plain,
{
    let packet = frame.skip(link.length);
    Datagram::<I>::parse(packet)?;
    let Some(found) = Found::of::<I>(packet) else {
        return refuse(Outcome::Miss);
    };
    let flow = found.flow();
    // SAFETY: takes no pointers.
    let now = unsafe { bpf_ktime_get_coarse_ns() };
    if !lease_runs(now, maps::alive_ns().unwrap_or(0), found.grant.lease_ns) {
        return refuse(Outcome::LeaseOver);
    }
    if !is_for(frame, flow) {
        return refuse(Outcome::OtherHost);
    }
    let admitted = admit::<I>(packet, flow)?;
    // XDP has no copies.
    if flow.flags & SEVERAL_RECEIVERS != 0 {
        return refuse(Outcome::SeveralReceivers);
    }
    let udp = Datagram::<I>::again(packet).udp;
    // Once for both ways to leave: the verifier walks the whole loop over the payload for every place it stands at.
    let payload = packet.skip(I::LENGTH).unknown();
    let checksum = udp_checksum::<I>(flow, &udp, payload, reading())?;
    let arrival = Arrival {
        context,
        frame,
        link,
        udp,
        found,
        admitted,
        now,
    };
    if leaves_by::<I>(flow) {
        arrival.leave::<I, I>(checksum)
    } else {
        cold_path();
        arrival.leave::<I, I::Other>(checksum)
    }
}

/// A packet that is to be forwarded.
struct Arrival<'a, F> {
    context: &'a XdpContext,
    frame: F,
    link: Link,
    udp: Udp,
    found: Found,
    admitted: Admitted,
    /// Coarse clock, ns.
    now: u64,
}

impl<F: Packet> Arrival<'_, F> {
    #[inline(always)]
    fn leave<I: Internet, O: Internet>(self, checksum: u16) -> Result<u32, Outcome> {
        let (head, egress) = leaving::<O>(self.found.flow(), self.found.grant)?;
        let (ifindex, vlan) = (egress.ifindex, egress.vlan);
        let tag = if vlan == 0 { 0 } else { size_of::<Vlan>() };
        let length = O::LENGTH + size_of::<Ethernet>() + tag;
        let less = (I::LENGTH + self.link.length) as i32 - length as i32;
        let written = if less == 0 && vlan == 0 {
            write_frame::<O>(self.frame, &head, self.udp.length, checksum, 0)
        } else {
            cold_path();
            // SAFETY: the context is the program's own; all packet pointers are taken anew.
            if unsafe { bpf_xdp_adjust_head(self.context.ctx, less) } != 0 {
                return refuse(Outcome::HelperFailed);
            }
            let frame = frame(self.context);
            write_frame::<O>(frame, &head, self.udp.length, checksum, vlan)
        };
        if written.is_none() {
            // Not to be reached: the frame is as long as these headers and what followed the old ones.
            return Ok(XDP_DROP);
        }
        let payload = self.udp.payload_length();
        record(&self.found, &self.admitted, payload, self.now);
        Ok(self.send(ifindex))
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
