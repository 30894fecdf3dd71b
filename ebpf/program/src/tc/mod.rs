//! Forwarding in tc, where a packet has state beside its bytes: tags, checksum offload, segments to come.

mod fan_out;
mod rewrite;

use core::hint::cold_path;

use aya_ebpf::bindings::{__sk_buff, TC_ACT_SHOT};
use aya_ebpf::helpers::{bpf_ktime_get_coarse_ns, bpf_redirect, bpf_skb_pull_data};
use aya_ebpf::programs::TcContext;
use underpass_abi::{Outcome, PLACE_OWN, SEVERAL_RECEIVERS};
use underpass_packet::{
    Admitted, Datagram, Internet, Ipv4, Ipv6, Link, Plain, Rtp, admit, is_for, lease_runs,
    leaves_by, leaving, refuse,
};

use crate::frame::{FRONT_V4, FRONT_V6, Frame, Packet, is};
use crate::guard::owner_is_gone;
use crate::maps::{self, Family, Found};
use crate::record::record;
use fan_out::underpass_fan_out;
use rewrite::Rewrite;

/// Addressed to this host (`PACKET_HOST`), as the driver's `eth_type_trans` found.
const TO_THIS_HOST: u32 = 0;
/// All headers that are looked at, two inline tags and IPv6 among them.
const HEADERS: u32 = (22 + 40 + 8 + Rtp::LENGTH) as u32;

/// Let the next program, and then the stack, see the packet.
const TC_ACT_UNSPEC: i32 = -1;

/// More than any action.
const REFUSED: i32 = 1 << 16;
/// More than any action, and [`REFUSED`] with any outcome.
const SEVERAL: i64 = 1 << 32;

/// Forwards a packet, or lets it up; the action.
///
/// What most packets are has the straight way: no tag in the bytes, all headers there to be read.
#[inline(always)]
pub fn forward(context: &TcContext) -> i32 {
    let frame = linear(context);
    if let Some(front) = frame.front(FRONT_V4)
        && is::<Ipv4>(front)
    {
        let link = Link::untagged(Ipv4::ETHERTYPE);
        return finish(context, arrive::<Ipv4, _>(context, front, link, several));
    }
    if let Some(front) = frame.front(FRONT_V6)
        && is::<Ipv6>(front)
    {
        let link = Link::untagged(Ipv6::ETHERTYPE);
        return finish(context, arrive::<Ipv6, _>(context, front, link, several));
    }
    cold_path();
    match odd(context.skb.skb) {
        number if number >= SEVERAL => several(context.skb.skb, (number - SEVERAL) as u32),
        refused if refused >= REFUSED.into() => {
            underpass_refuse_tc(context.skb.skb, refused as u32 - REFUSED as u32)
        }
        action => action as i32,
    }
}

/// Packets with tags, short ones, and those whose headers lie elsewhere; the action, or [`REFUSED`] plus the outcome, or
/// [`SEVERAL`] plus the record of a flow with several receivers: there is no stack for all calls in one another.
#[inline(never)]
fn odd(skb: *mut __sk_buff) -> i64 {
    let context = &TcContext::new(skb);
    let frame = whole_headers(context);
    let several = |_, number| SEVERAL + i64::from(number);
    let result = match Link::parse(frame) {
        Ok(link) if link.ethertype == Ipv4::ETHERTYPE => {
            arrive::<Ipv4, _>(context, frame, link, several)
        }
        Ok(link) if link.ethertype == Ipv6::ETHERTYPE => {
            arrive::<Ipv6, _>(context, frame, link, several)
        }
        _ => Err(Outcome::NotIp),
    };
    result.unwrap_or_else(|outcome| i64::from(REFUSED) + outcome as i64)
}

/// What becomes of a packet for several receivers, whose flow is in record `first`.
#[inline(never)]
fn several(skb: *mut __sk_buff, first: u32) -> i32 {
    match underpass_fan_out(skb, first) {
        refused if refused >= REFUSED => underpass_refuse_tc(skb, (refused - REFUSED) as u32),
        action => action,
    }
}

#[inline(always)]
fn finish(context: &TcContext, result: Result<i32, Outcome>) -> i32 {
    match result {
        Ok(action) => action,
        Err(outcome) => {
            cold_path();
            underpass_refuse_tc(context.skb.skb, outcome as u32)
        }
    }
}

/// What becomes of a packet that is not forwarded. A function of its own to the verifier, which would else follow it for
/// every place that refuses.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn underpass_refuse_tc(skb: *mut __sk_buff, outcome: u32) -> i32 {
    let context = &TcContext::new(skb);
    if packet_type(context) == TO_THIS_HOST && owner_is_gone(skb.cast(), whole_headers(context)) {
        maps::count(Outcome::OwnerGone as u32);
        return TC_ACT_SHOT;
    }
    maps::count(outcome);
    TC_ACT_UNSPEC
}

#[inline(always)]
fn arrive<I: Family, A: From<i32>>(
    context: &TcContext,
    frame: impl Packet,
    link: Link,
    several: impl Fn(*mut __sk_buff, u32) -> A,
) -> Result<A, Outcome>
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
    // What is for a macvlan is another host's to the uplink below it.
    let is_ours = match maps::place() {
        PLACE_OWN => packet_type(context) == TO_THIS_HOST,
        _ => is_for(frame, flow),
    };
    if !is_ours {
        return refuse(Outcome::OtherHost);
    }
    let admitted = admit::<I>(packet, flow)?;
    if is_merged(context) {
        return refuse(Outcome::TooBig);
    }
    if flow.flags & SEVERAL_RECEIVERS != 0 {
        cold_path();
        return Ok(several(context.skb.skb, found.number()));
    }
    let rewrite = Rewrite {
        context,
        frame,
        link,
        datagram: Datagram::<I>::again(packet),
        flow,
    };
    let action = if leaves_by::<I>(flow) {
        leave::<I, I, _>(&rewrite, &found, &admitted, now)
    } else {
        cold_path();
        leave::<I, I::Other, _>(&rewrite, &found, &admitted, now)
    };
    action.map(A::from)
}

/// Sends a packet on to its only receiver.
#[inline(always)]
fn leave<I: Internet, O: Internet, F: Packet>(
    rewrite: &Rewrite<'_, I, F>,
    found: &Found,
    admitted: &Admitted,
    now: u64,
) -> Result<i32, Outcome>
where
    Datagram<I>: Plain,
{
    let udp = rewrite.datagram.udp;
    if udp.checksum == 0 && !(I::FAMILY == 4 && O::FAMILY == 4) {
        return refuse(Outcome::Checksum);
    }
    let (head, egress) = leaving::<O>(rewrite.flow, found.grant)?;
    let (ifindex, vlan) = (egress.ifindex, egress.vlan);
    if !rewrite.carry_out::<O>(&head, vlan)? {
        return Ok(TC_ACT_SHOT);
    }
    record(found, admitted, udp.payload_length(), now);
    // SAFETY: takes no pointers.
    Ok(unsafe { bpf_redirect(ifindex, 0) as i32 })
}

/// The packet with all headers in the part that can be read.
#[inline(always)]
fn whole_headers(context: &TcContext) -> Frame {
    let length = context.len();
    let readable = (context.data_end() - context.data()) as u32;
    if readable < HEADERS && readable < length {
        // SAFETY: the context is the program's own; packet pointers are taken below. If it fails, the parser finds the
        // packet cut short.
        unsafe { bpf_skb_pull_data(context.skb.skb, length.min(HEADERS)) };
    }
    linear(context)
}

#[inline(always)]
fn linear(context: &TcContext) -> Frame {
    Frame::new(context.data(), context.data_end(), context.len() as usize)
}

#[inline(always)]
fn packet_type(context: &TcContext) -> u32 {
    // SAFETY: the context is the program's own.
    unsafe { (*context.skb.skb).pkt_type }
}

/// Several datagrams in one, by GRO or from a sender that leaves segmentation to the device.
#[inline(always)]
fn is_merged(context: &TcContext) -> bool {
    // SAFETY: the context is the program's own.
    unsafe { (*context.skb.skb).gso_size != 0 }
}
