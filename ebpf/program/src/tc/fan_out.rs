//! One packet to several receivers.
//!
//! It is rewritten in place for the first, a copy is sent, then it is rewritten from that for the next, and so on; the last
//! one gets the packet itself.

use core::arch::asm;

use aya_ebpf::bindings::{__sk_buff, TC_ACT_SHOT};
use aya_ebpf::helpers::{bpf_clone_redirect, bpf_ktime_get_coarse_ns, bpf_redirect};
use aya_ebpf::programs::TcContext;
use underpass_abi::Outcome;
use underpass_packet::{
    Datagram, Ethernet, Internet, Ipv4, Ipv6, Link, Plain, Read, admit, leaves_by, leaving, refuse,
};

use super::rewrite::Rewrite;
use super::{REFUSED, linear, whole_headers};
use crate::frame::{FRONT_V4, FRONT_V6, Front, is};
use crate::maps::{self, Found};
use crate::record::record;

/// Sends a packet to all receivers of the flow in record `first`, if that decides about it; the action, or [`REFUSED`] plus
/// the outcome.
///
/// A function of its own to the verifier, which begins with nothing: it follows that once, whatever led here.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn underpass_fan_out(skb: *mut __sk_buff, first: u32) -> i32 {
    let context = &TcContext::new(skb);
    let frame = whole_headers(context);
    let result = if let Some(front) = frame.front(FRONT_V4)
        && is::<Ipv4>(front)
    {
        fan_out::<Ipv4>(context, front, first)
    } else if let Some(front) = frame.front(FRONT_V6)
        && is::<Ipv6>(front)
    {
        fan_out::<Ipv6>(context, front, first)
    } else {
        // Tags in the bytes: the kernel takes the outer one off before, so there were two.
        refuse(Outcome::SeveralReceivers)
    };
    result.unwrap_or_else(|outcome| REFUSED + outcome as i32)
}

#[inline(always)]
fn fan_out<I: Internet>(context: &TcContext, front: Front, first: u32) -> Result<i32, Outcome>
where
    Datagram<I>: Plain,
{
    let Some(found) = maps::grant().and_then(|grant| Found::at(first, grant)) else {
        return refuse(Outcome::SeveralReceivers);
    };
    let packet = front.skip(size_of::<Ethernet>());
    let admitted = admit::<I>(packet, found.flow())?;
    let udp = Datagram::<I>::again(packet).udp;
    if udp.checksum == 0 && I::FAMILY != 4 {
        return refuse(Outcome::Checksum);
    }
    let count = receivers::<I>(&found, udp.length)?;
    // SAFETY: takes no pointers.
    let now = unsafe { bpf_ktime_get_coarse_ns() };
    record(&found, &admitted, udp.payload_length(), now);
    Ok(send::<I>(context, &found, count))
}

/// How many receivers there are, if a packet of this UDP length (network order) can be sent to each of them.
///
/// # Errors
/// Why user space must send it to all.
#[inline(always)]
fn receivers<I: Internet>(found: &Found, length: u16) -> Result<usize, Outcome> {
    let length = I::LENGTH + usize::from(u16::from_be(length));
    let mut place = 0_usize;
    while let Some(receiver) = found.receiver(place) {
        let Some(flow) = receiver else {
            return refuse(Outcome::SeveralReceivers);
        };
        if !leaves_by::<I>(flow) {
            return refuse(Outcome::SeveralReceivers);
        }
        if length > usize::from(flow.egress_mtu) {
            return refuse(Outcome::TooBig);
        }
        leaving::<I>(flow, found.grant)?;
        place = after(place);
    }
    Ok(place)
}

/// Sends a packet to so many receivers, all of which have been found in order; the action.
///
/// Should a careless owner change that meanwhile, the rest of them get nothing: they could not be told from those that
/// have got the packet.
#[inline(always)]
fn send<I: Internet>(context: &TcContext, found: &Found, count: usize) -> i32
where
    Datagram<I>: Plain,
{
    let mut place = 0_usize;
    while let Some(Some(flow)) = found.receiver(place) {
        let Some(front) = linear(context).front(front_of::<I>()) else {
            break;
        };
        let Ok((head, egress)) = leaving::<I>(flow, found.grant) else {
            break;
        };
        let (ifindex, vlan) = (egress.ifindex, egress.vlan);
        let rewrite = Rewrite {
            context,
            frame: front,
            link: Link::untagged(I::ETHERTYPE),
            datagram: Datagram::<I>::again(front.skip(size_of::<Ethernet>())),
            flow,
        };
        if !matches!(rewrite.carry_out::<I>(&head, vlan), Ok(true)) {
            break;
        }
        place = after(place);
        if place >= count {
            // SAFETY: takes no pointers.
            return unsafe { bpf_redirect(ifindex, 0) as i32 };
        }
        // What becomes of the copy is between it and its device, as with every packet.
        // SAFETY: the context is the program's own; all packet pointers are taken anew.
        unsafe { bpf_clone_redirect(context.skb.skb, ifindex, 0) };
    }
    TC_ACT_SHOT
}

/// All headers of an RTP packet, without tags.
#[inline(always)]
const fn front_of<I: Internet>() -> usize {
    if I::FAMILY == 4 { FRONT_V4 } else { FRONT_V6 }
}

/// One more. In assembler, so that the compiler does not see how far the loop goes and write it out.
#[inline(always)]
fn after(mut place: usize) -> usize {
    // SAFETY: one addition.
    unsafe { asm!("{0} += 1", inout(reg) place, options(pure, nomem, nostack)) };
    place
}
