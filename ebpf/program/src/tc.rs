//! Forwarding in tc, where a packet has state beside its bytes: tags, checksum offload, segments to come.

use aya_ebpf::bindings::{__sk_buff, BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR, TC_ACT_SHOT};
use aya_ebpf::helpers::{
    bpf_csum_update, bpf_l4_csum_replace, bpf_redirect, bpf_skb_change_proto, bpf_skb_pull_data,
    bpf_skb_vlan_pop, bpf_skb_vlan_push,
};
use aya_ebpf::programs::TcContext;
use underpass_abi::{Flow, Outcome};
use underpass_packet::{
    Admitted, Datagram, Ethernet, Internet, Ipv4, Ipv6, Link, Plain, Read, Rtp, Sum, Vlan, admit,
    write_frame,
};

use crate::frame::Frame;
use crate::maps::Lookup;
use crate::record::record;

/// Addressed to this host (`PACKET_HOST`), as the driver's `eth_type_trans` found.
const TO_THIS_HOST: u32 = 0;
/// All headers that are looked at, two inline tags and IPv6 among them.
const HEADERS: u32 = (22 + 40 + 8 + Rtp::LENGTH) as u32;
const TAG_802_1Q: u16 = 0x8100;

/// Forwards a packet; the action that sends it.
///
/// # Errors
/// Why it goes up the stack, untouched.
#[inline(always)]
pub fn forward(context: &TcContext) -> Result<i32, Outcome> {
    let frame = whole_headers(context);
    let link = Link::parse(frame)?;
    match link.ethertype {
        Ipv4::ETHERTYPE => arrive::<Ipv4>(context, frame, &link),
        Ipv6::ETHERTYPE => arrive::<Ipv6>(context, frame, &link),
        _ => Err(Outcome::NotIp),
    }
}

#[inline(always)]
fn arrive<I: Lookup>(context: &TcContext, frame: Frame, link: &Link) -> Result<i32, Outcome>
where
    Datagram<I>: Plain,
{
    let packet = frame.skip(link.length);
    let datagram = Datagram::<I>::parse(packet)?;
    let flow = I::flow(datagram.key()).ok_or(Outcome::Miss)?;
    if packet_type(context) != TO_THIS_HOST {
        return Err(Outcome::OtherHost);
    }
    let admitted = admit(&datagram, packet, flow)?;
    if is_merged(context) {
        return Err(Outcome::TooBig);
    }
    let arrival = Arrival {
        context,
        link,
        datagram,
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
    context: &'a TcContext,
    link: &'a Link,
    datagram: Datagram<I>,
    flow: &'a Flow,
    admitted: Admitted,
}

impl<I: Internet> Arrival<'_, I>
where
    Datagram<I>: Plain,
{
    #[inline(always)]
    fn leave<O: Internet>(self) -> Result<i32, Outcome>
    where
        Datagram<O>: Plain,
    {
        if self.datagram.udp.checksum == 0 && !(I::FAMILY == 4 && O::FAMILY == 4) {
            return Err(Outcome::Checksum);
        }
        let skb = self.context.skb.skb;
        let tags = Tags::of(self.context, self.link, self.flow);
        if !tags.take_off(skb)? {
            return Ok(TC_ACT_SHOT);
        }
        if I::FAMILY != O::FAMILY {
            // SAFETY: the context is the program's own; all packet pointers are taken anew below.
            if unsafe { bpf_skb_change_proto(skb, O::ETHERTYPE.to_be(), 0) } != 0 {
                return if tags.surplus == 0 {
                    Err(Outcome::HelperFailed)
                } else {
                    Ok(TC_ACT_SHOT)
                };
            }
        }
        let leaving: Datagram<O> = self.datagram.leaving(self.flow);
        let written = write_frame(linear(self.context), self.flow, leaving, false).is_some();
        if !written || !self.fix_checksum(&leaving) || !tags.put_on(skb) {
            // Out of memory for a tag; the rest is not to be reached: the headers were there, and stay.
            return Ok(TC_ACT_SHOT);
        }
        record(self.flow, &self.admitted, self.datagram.payload_length());
        // SAFETY: takes no pointers.
        Ok(unsafe { bpf_redirect(self.flow.egress_ifindex, 0) as i32 })
    }

    /// Lets the kernel carry the UDP checksum over: it alone knows whether a device is to fill it in (then the field
    /// holds the pseudo-header's sum), and what the device that received it said about the whole packet.
    #[inline(always)]
    fn fix_checksum<O: Internet>(&self, leaving: &Datagram<O>) -> bool
    where
        Datagram<O>: Plain,
    {
        let skb = self.context.skb.skb;
        let field = (size_of::<Ethernet>() + O::LENGTH + 6) as u32;
        let addresses = leaving
            .ip
            .address_sum()
            .minus(self.datagram.ip.address_sum());
        let ports = leaving.port_sum().minus(self.datagram.port_sum());
        let keep_zero = u64::from(BPF_F_MARK_MANGLED_0);
        let pseudo = keep_zero | u64::from(BPF_F_PSEUDO_HDR);
        // SAFETY: the context is the program's own, and no packet pointer is used afterwards.
        let failed = unsafe {
            bpf_l4_csum_replace(skb, field, 0, addresses.fold32().into(), pseudo)
                | bpf_l4_csum_replace(skb, field, 0, ports.fold32().into(), keep_zero)
        };
        if I::FAMILY == 6 || O::FAMILY == 6 {
            // An IPv4 header sums up to nothing, an IPv6 header does not: a device's sum over the whole packet
            // (CHECKSUM_COMPLETE) changes with it. `bpf_skb_change_proto` has seen to the bytes it took away.
            let taken_away = if O::FAMILY == 4 {
                self.datagram.ip.first_20_bytes_sum()
            } else {
                Sum::default()
            };
            let header = leaving
                .ip
                .header_sum()
                .minus(self.datagram.ip.header_sum())
                .plus(taken_away);
            // SAFETY: as above. Refused, as it should be, for packets without such a sum.
            unsafe { bpf_csum_update(skb, header.fold32()) };
        }
        failed == 0
    }
}

/// The 802.1Q tags a packet came with, in its bytes or beside them, against those it leaves with.
struct Tags {
    surplus: u32,
    missing: u16,
}

impl Tags {
    #[inline(always)]
    fn of(context: &TcContext, link: &Link, flow: &Flow) -> Self {
        let inline = ((link.length - size_of::<Ethernet>()) / size_of::<Vlan>()) as u32;
        // SAFETY: the context is the program's own.
        let (present, control) =
            unsafe { ((*context.skb.skb).vlan_present, (*context.skb.skb).vlan_tci) };
        if inline == 0 && present != 0 && control == u32::from(flow.egress_vlan) {
            return Self {
                surplus: 0,
                missing: 0,
            };
        }
        Self {
            surplus: inline + (present & 1),
            missing: flow.egress_vlan,
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
