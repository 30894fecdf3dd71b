//! What a packet becomes, with the state that the kernel keeps beside its bytes.

use core::hint::cold_path;

use aya_ebpf::bindings::{__sk_buff, BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR};
use aya_ebpf::helpers::{
    bpf_csum_update, bpf_l4_csum_replace, bpf_skb_change_proto, bpf_skb_vlan_pop, bpf_skb_vlan_push,
};
use aya_ebpf::programs::TcContext;
use underpass_abi::{Flow, Outcome};
use underpass_packet::{
    Datagram, Ethernet, Head, Internet, Link, Plain, Sum, Udp, Vlan, add, carry, is_pseudo, refuse,
    write_frame,
};

use super::linear;
use crate::frame::Packet;

const TAG_802_1Q: u16 = 0x8100;

/// A packet, and the flow that says what it becomes.
pub(super) struct Rewrite<'a, I, F> {
    pub(super) context: &'a TcContext,
    pub(super) frame: F,
    pub(super) link: Link,
    pub(super) datagram: Datagram<I>,
    pub(super) flow: &'a Flow,
}

impl<I: Internet, F: Packet> Rewrite<'_, I, F>
where
    Datagram<I>: Plain,
{
    /// Writes `head` and all that goes with it; the packet has this tag (802.1Q tag control information, host order) then,
    /// or none for 0. False: the packet is no longer whole. No packet pointer is good afterwards.
    ///
    /// # Errors
    /// [`Outcome::HelperFailed`]; the packet is as it came.
    #[inline(always)]
    pub(super) fn carry_out<O: Internet>(&self, head: &Head, vlan: u16) -> Result<bool, Outcome> {
        let udp = self.datagram.udp;
        let skb = self.context.skb.skb;
        let tags = Tags::of(self.context, &self.link, vlan);
        let checksum = Checksum::of(self.flow, &udp);
        let written = if I::FAMILY == O::FAMILY && tags.surplus == 0 {
            write_frame::<O>(self.frame, head, udp.length, checksum.written, 0)
        } else {
            cold_path();
            if !tags.take_off(skb)? {
                return Ok(false);
            }
            // SAFETY: the context is the program's own; all packet pointers are taken anew.
            if I::FAMILY != O::FAMILY
                && unsafe { bpf_skb_change_proto(skb, O::ETHERTYPE.to_be(), 0) } != 0
            {
                return if tags.surplus == 0 {
                    refuse(Outcome::HelperFailed)
                } else {
                    Ok(false)
                };
            }
            let frame = linear(self.context);
            write_frame::<O>(frame, head, udp.length, checksum.written, 0)
        };
        // Out of memory for a tag; the rest is not to be reached: the headers were there, and stay.
        Ok(written.is_some() && self.fix_sums::<O>(head, checksum) && tags.put_on(skb))
    }

    /// Brings the kernel's own idea of the packet's sums into line with what was written.
    #[inline(always)]
    fn fix_sums<O: Internet>(&self, head: &Head, checksum: Checksum) -> bool {
        let flow = self.flow;
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
        let flow = self.flow;
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
