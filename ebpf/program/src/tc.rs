//! Forwarding in tc, where a packet has state beside its bytes: tags, checksum offload, segments to come.

use core::hint::cold_path;

use aya_ebpf::bindings::{__sk_buff, BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR, TC_ACT_SHOT};
use aya_ebpf::helpers::{
    bpf_csum_update, bpf_ktime_get_coarse_ns, bpf_l4_csum_replace, bpf_redirect,
    bpf_skb_change_proto, bpf_skb_pull_data, bpf_skb_vlan_pop, bpf_skb_vlan_push,
};
use aya_ebpf::programs::TcContext;
use underpass_abi::{Flow, Outcome, PLACE_OWN};
use underpass_packet::{
    Admitted, Datagram, Ethernet, Head, Internet, Ipv4, Ipv6, Link, Plain, Rtp, Sum, Udp, Vlan,
    add, admit, carry, is_for, is_pseudo, lease_runs, leaves_by, leaving, refuse, write_frame,
};

use crate::frame::{FRONT_V4, FRONT_V6, Frame, Packet, is};
use crate::guard::owner_is_gone;
use crate::maps::{self, Family, Found};
use crate::record::record;

/// Addressed to this host (`PACKET_HOST`), as the driver's `eth_type_trans` found.
const TO_THIS_HOST: u32 = 0;
/// All headers that are looked at, two inline tags and IPv6 among them.
const HEADERS: u32 = (22 + 40 + 8 + Rtp::LENGTH) as u32;
const TAG_802_1Q: u16 = 0x8100;

/// Let the next program, and then the stack, see the packet.
const TC_ACT_UNSPEC: i32 = -1;

/// More than any action.
const REFUSED: i32 = 1 << 16;

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
        return finish(context, arrive::<Ipv4, _>(context, front, link));
    }
    if let Some(front) = frame.front(FRONT_V6)
        && is::<Ipv6>(front)
    {
        let link = Link::untagged(Ipv6::ETHERTYPE);
        return finish(context, arrive::<Ipv6, _>(context, front, link));
    }
    cold_path();
    match odd(context.skb.skb) {
        refused if refused >= REFUSED => {
            underpass_refuse_tc(context.skb.skb, (refused - REFUSED) as u32)
        }
        action => action,
    }
}

/// Packets with tags, short ones, and those whose headers lie elsewhere; the action, or [`REFUSED`] plus the
/// outcome.
#[inline(never)]
fn odd(skb: *mut __sk_buff) -> i32 {
    let context = &TcContext::new(skb);
    let frame = whole_headers(context);
    let result = match Link::parse(frame) {
        Ok(link) if link.ethertype == Ipv4::ETHERTYPE => arrive::<Ipv4, _>(context, frame, link),
        Ok(link) if link.ethertype == Ipv6::ETHERTYPE => arrive::<Ipv6, _>(context, frame, link),
        _ => Err(Outcome::NotIp),
    };
    result.unwrap_or_else(|outcome| REFUSED + outcome as i32)
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
fn arrive<I: Family, F: Packet>(context: &TcContext, frame: F, link: Link) -> Result<i32, Outcome>
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
    let arrival = Arrival {
        context,
        frame,
        link,
        datagram: Datagram::<I>::again(packet),
        found,
        admitted,
        now,
    };
    if leaves_by::<I>(flow) {
        arrival.leave::<I>()
    } else {
        cold_path();
        arrival.leave::<I::Other>()
    }
}

/// A packet that is to be forwarded.
struct Arrival<'a, I, F> {
    context: &'a TcContext,
    frame: F,
    link: Link,
    datagram: Datagram<I>,
    found: Found,
    admitted: Admitted,
    /// Coarse clock, ns.
    now: u64,
}

impl<I: Internet, F: Packet> Arrival<'_, I, F>
where
    Datagram<I>: Plain,
{
    #[inline(always)]
    fn leave<O: Internet>(self) -> Result<i32, Outcome> {
        let udp = self.datagram.udp;
        if udp.checksum == 0 && !(I::FAMILY == 4 && O::FAMILY == 4) {
            return refuse(Outcome::Checksum);
        }
        let flow = self.found.flow();
        let (head, egress) = leaving::<O>(flow, self.found.grant)?;
        let ifindex = egress.ifindex;
        let skb = self.context.skb.skb;
        let tags = Tags::of(self.context, &self.link, egress.vlan);
        let checksum = Checksum::of(flow, &udp);
        let written = if I::FAMILY == O::FAMILY && tags.surplus == 0 {
            write_frame::<O>(self.frame, &head, udp.length, checksum.written, 0)
        } else {
            cold_path();
            if !tags.take_off(skb)? {
                return Ok(TC_ACT_SHOT);
            }
            // SAFETY: the context is the program's own; all packet pointers are taken anew.
            if I::FAMILY != O::FAMILY
                && unsafe { bpf_skb_change_proto(skb, O::ETHERTYPE.to_be(), 0) } != 0
            {
                return if tags.surplus == 0 {
                    refuse(Outcome::HelperFailed)
                } else {
                    Ok(TC_ACT_SHOT)
                };
            }
            let frame = linear(self.context);
            write_frame::<O>(frame, &head, udp.length, checksum.written, 0)
        };
        if written.is_none() || !self.fix_sums::<O>(&head, checksum) || !tags.put_on(skb) {
            // Out of memory for a tag; the rest is not to be reached: the headers were there, and stay.
            return Ok(TC_ACT_SHOT);
        }
        record(&self.found, &self.admitted, udp.payload_length(), self.now);
        // SAFETY: takes no pointers.
        Ok(unsafe { bpf_redirect(ifindex, 0) as i32 })
    }

    /// Brings the kernel's own idea of the packet's sums into line with what was written.
    #[inline(always)]
    fn fix_sums<O: Internet>(&self, head: &Head, checksum: Checksum) -> bool {
        let flow = self.found.flow();
        let skb = self.context.skb.skb;
        // What the bytes from the network layer on sum up to has changed by this much: a device's sum over them
        // (CHECKSUM_COMPLETE) must change with it.
        let mut difference = if I::FAMILY == 4 && O::FAMILY == 4 {
            // The IP header sums up to nothing before and after; what the addresses' change took from the UDP checksum is left.
            Sum::default().without(flow.address_difference.into())
        } else {
            let leaving = O::leaving(head, self.datagram.udp.length);
            let rest = leaving.rest_sum().minus(self.datagram.ip.rest_sum());
            if O::FAMILY == 4 && I::FAMILY == 6 {
                // `bpf_skb_change_proto` has seen to the bytes it took away.
                rest.plus(self.datagram.ip.first_20_bytes_sum())
            } else {
                rest
            }
        };
        match checksum.kind {
            Kind::Carried => {}
            Kind::None => difference = difference.with(flow.udp_difference.into()),
            Kind::Unknown => {
                cold_path();
                if !self.carry_over::<O>() {
                    return false;
                }
                difference = difference.with(flow.address_difference.into());
                if I::FAMILY == 4 && O::FAMILY == 4 {
                    return true;
                }
            }
        }
        // SAFETY: the context is the program's own, and no packet pointer is used afterwards. Refused, as it should be,
        // for packets without such a sum.
        unsafe { bpf_csum_update(skb, difference.fold32()) };
        true
    }

    /// Lets the kernel carry the UDP checksum over: it alone knows whether a device is to fill it in (then the field
    /// holds the pseudo-header's sum), and what the device that received it said about the whole packet.
    #[inline(always)]
    fn carry_over<O: Internet>(&self) -> bool {
        let flow = self.found.flow();
        let skb = self.context.skb.skb;
        let field = (size_of::<Ethernet>() + O::LENGTH + 6) as u32;
        let keep_zero = u64::from(BPF_F_MARK_MANGLED_0);
        let pseudo = keep_zero | u64::from(BPF_F_PSEUDO_HDR);
        let ports = add(flow.udp_difference, !flow.address_difference);
        // SAFETY: the context is the program's own, and no packet pointer is used afterwards.
        let failed = unsafe {
            bpf_l4_csum_replace(skb, field, 0, flow.address_difference.into(), pseudo)
                | bpf_l4_csum_replace(skb, field, 0, ports.into(), keep_zero)
        };
        failed == 0
    }
}

/// What is to become of a UDP checksum.
#[derive(Clone, Copy)]
struct Checksum {
    kind: Kind,
    /// What is written at first.
    written: u16,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// It is complete, and carried over.
    Carried,
    /// There is none.
    None,
    /// It looks as if it were left to the device.
    Unknown,
}

impl Checksum {
    #[inline(always)]
    fn of(flow: &Flow, udp: &Udp) -> Self {
        let (kind, written) = if is_pseudo(flow, udp) {
            cold_path();
            (Kind::Unknown, udp.checksum)
        } else if udp.checksum == 0 {
            cold_path();
            (Kind::None, 0)
        } else {
            (Kind::Carried, carry(udp.checksum, flow.udp_difference))
        };
        Self { kind, written }
    }
}

/// The 802.1Q tags a packet came with, in its bytes or beside them, against those it leaves with.
struct Tags {
    surplus: u32,
    missing: u16,
}

impl Tags {
    #[inline(always)]
    fn of(context: &TcContext, link: &Link, missing: u16) -> Self {
        let inline = ((link.length - size_of::<Ethernet>()) / size_of::<Vlan>()) as u32;
        // SAFETY: the context is the program's own.
        let present = unsafe { (*context.skb.skb).vlan_present };
        if present == 0 {
            return Self {
                surplus: inline,
                missing,
            };
        }
        cold_path();
        // SAFETY: as above.
        let control = unsafe { (*context.skb.skb).vlan_tci };
        if inline == 0 && control == u32::from(missing) {
            return Self {
                surplus: 0,
                missing: 0,
            };
        }
        Self {
            surplus: inline + 1,
            missing,
        }
    }

    /// Whether all are off. Fails, if at all, for want of memory; with an error only while the packet is whole.
    #[inline(always)]
    fn take_off(&self, skb: *mut __sk_buff) -> Result<bool, Outcome> {
        // Written out: two inline and one beside. The verifier would follow a loop much further than it goes.
        if self.surplus > 0 && !pop(skb) {
            return Err(Outcome::HelperFailed);
        }
        Ok((self.surplus < 2 || pop(skb)) && (self.surplus < 3 || pop(skb)))
    }

    #[inline(always)]
    fn put_on(&self, skb: *mut __sk_buff) -> bool {
        // SAFETY: the context is the program's own, and no packet pointer is used afterwards.
        self.missing == 0
            || unsafe { bpf_skb_vlan_push(skb, TAG_802_1Q.to_be(), self.missing) } == 0
    }
}

#[inline(always)]
fn pop(skb: *mut __sk_buff) -> bool {
    // SAFETY: the context is the program's own; all packet pointers are taken anew afterwards.
    unsafe { bpf_skb_vlan_pop(skb) == 0 }
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
