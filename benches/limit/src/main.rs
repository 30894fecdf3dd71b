//! The limit: the least a program can do that relays IPv4 RTP. One lookup, the source compared, addresses, ports and MACs
//! written, both checksums carried over, one per-CPU counter, a redirect. No other check at all: it is not safe to run on
//! a network, only to measure against.
#![no_std]
#![no_main]

mod flow;

use aya_ebpf::bindings::{BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR, TC_ACT_OK, xdp_action};
use aya_ebpf::btf_maps::{HashMap, PerCpuArray};
use aya_ebpf::helpers::generated::{bpf_l3_csum_replace, bpf_l4_csum_replace, bpf_redirect};
use aya_ebpf::macros::{btf_map, classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use flow::Flow;

const HEADERS: usize = 14 + 20 + 8;

/// Flows by local address and port, and two zeros.
#[btf_map]
static FLOWS_V4: HashMap<[u8; 8], Flow, 131_072> = HashMap::new();

/// Packets forwarded.
#[btf_map]
static FORWARDED: PerCpuArray<u64, 1> = PerCpuArray::new();

/// Bare relay on XDP.
#[xdp]
pub fn limit_xdp(context: XdpContext) -> u32 {
    let Some(header) = headers(context.data(), context.data_end()) else {
        return xdp_action::XDP_PASS;
    };
    let Some(flow) = flow(header) else {
        return xdp_action::XDP_PASS;
    };
    let (ip, udp) = differences(header, flow);
    rewrite(header, flow);
    let check = u16::from_ne_bytes([header[24], header[25]]);
    header[24..26].copy_from_slice(&carried(check, ip).to_ne_bytes());
    let check = u16::from_ne_bytes([header[40], header[41]]);
    header[40..42].copy_from_slice(&carried(check, ip + udp).to_ne_bytes());
    count();
    // SAFETY: a plain helper call.
    unsafe { bpf_redirect(flow.egress_ifindex, 0) as u32 }
}

/// No relay at all: what a driver takes to bring a frame to a program.
#[xdp]
pub fn limit_floor(_: XdpContext) -> u32 {
    xdp_action::XDP_DROP
}

/// Bare relay on tc ingress.
#[classifier]
pub fn limit_tc(context: TcContext) -> i32 {
    let Some(header) = headers(context.data(), context.data_end()) else {
        return TC_ACT_OK as i32;
    };
    let Some(flow) = flow(header) else {
        return TC_ACT_OK as i32;
    };
    let (ip, udp) = differences(header, flow);
    rewrite(header, flow);
    let skb = context.skb.skb;
    let flags = u64::from(BPF_F_MARK_MANGLED_0);
    // SAFETY: the offsets lie inside the headers checked above; `from` 0 with a difference in `to` adds it.
    unsafe {
        bpf_l3_csum_replace(skb, 24, 0, ip.into(), 0);
        bpf_l4_csum_replace(skb, 40, 0, ip.into(), flags | u64::from(BPF_F_PSEUDO_HDR));
        bpf_l4_csum_replace(skb, 40, 0, udp.into(), flags);
    }
    count();
    // SAFETY: a plain helper call.
    unsafe { bpf_redirect(flow.egress_ifindex, 0) as i32 }
}

#[inline(always)]
fn headers<'a>(data: usize, end: usize) -> Option<&'a mut [u8; HEADERS]> {
    if data + HEADERS > end {
        return None;
    }
    // SAFETY: the bytes lie inside the packet, as just checked.
    Some(unsafe { &mut *(data as *mut [u8; HEADERS]) })
}

#[inline(always)]
fn flow<'a>(header: &[u8; HEADERS]) -> Option<&'a Flow> {
    if header[12..14] != [8, 0] || header[14] != 0x45 || header[23] != 17 {
        return None;
    }
    let key = [
        header[30], header[31], header[32], header[33], header[36], header[37], 0, 0,
    ];
    let flow = FLOWS_V4.get_ptr(key)?;
    // SAFETY: map values live as long as the program runs.
    let flow = unsafe { &*flow };
    (header[26..30] == flow.source_address[..4] && header[34..36] == flow.source_port)
        .then_some(flow)
}

/// One's complement differences of the addresses and of the ports, as checksum seeds.
#[inline(always)]
fn differences(header: &[u8; HEADERS], flow: &Flow) -> (u32, u32) {
    let mut ip = 0u32;
    let mut udp = 0u32;
    for at in [0, 2] {
        ip += word(&flow.from_address, at) + word(&flow.to_address, at);
        ip += (word(header, 26 + at) ^ 0xffff) + (word(header, 30 + at) ^ 0xffff);
    }
    udp += word(&flow.from_port, 0) + word(&flow.to_port, 0);
    udp += (word(header, 34) ^ 0xffff) + (word(header, 36) ^ 0xffff);
    (fold(ip), fold(udp))
}

#[inline(always)]
fn rewrite(header: &mut [u8; HEADERS], flow: &Flow) {
    header[..6].copy_from_slice(&flow.to_mac);
    header[6..12].copy_from_slice(&flow.from_mac);
    header[26..30].copy_from_slice(&flow.from_address[..4]);
    header[30..34].copy_from_slice(&flow.to_address[..4]);
    header[34..36].copy_from_slice(&flow.from_port);
    header[36..38].copy_from_slice(&flow.to_port);
}

#[inline(always)]
fn carried(check: u16, difference: u32) -> u16 {
    !(fold(u32::from(!check) + fold(difference)) as u16)
}

#[inline(always)]
fn fold(sum: u32) -> u32 {
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) + (sum >> 16)
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16::from_ne_bytes([bytes[at], bytes[at + 1]]))
}

#[inline(always)]
fn count() {
    if let Some(counter) = FORWARDED.get_ptr_mut(0) {
        // SAFETY: the element is this CPU's own.
        unsafe { *counter += 1 };
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
