//! What finds the owner of a packet on an interface that several tables have, and hands it to that table's instance.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

#[allow(dead_code, reason = "an instance needs more of it")]
mod frame;

use core::arch::asm;
use core::hint::cold_path;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::btf_maps::{Array, ProgramArray};
use aya_ebpf::helpers::bpf_skb_pull_data;
use aya_ebpf::macros::{btf_map, classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use underpass_abi::share::{
    Address, OWNER_LINES, OwnerLine, PLACES, PORTS_PER_LINE, PROBES, TABLES, home,
};
use underpass_packet::{Datagram, Ethernet, Internet, Ipv4, Ipv6, Link, Plain, Read};

use crate::frame::{FRONT_V4, FRONT_V6, Frame, is};

const FLAGS: usize = BPF_F_MMAPABLE as usize;

/// The block of [`OWNERS`] that each address has. An array, since the kernel writes its lookups out in place: a hash map's
/// takes three calls, which alone cost more than all that is done here.
#[btf_map]
static ADDRESSES: Array<Address, { PLACES as usize }, FLAGS> = Array::new();

/// Which table has each port; user space sets the number of lines at load time.
#[btf_map]
static OWNERS: Array<OwnerLine, { OWNER_LINES as usize }, FLAGS> = Array::new();

/// The tables' instances.
#[btf_map]
static INSTANCES: ProgramArray<{ TABLES as usize }> = ProgramArray::new();

/// All headers that are looked at, two inline tags and IPv6 among them.
const HEADERS: u32 = 22 + Datagram::<Ipv6>::LENGTH as u32;

/// Let the next program, and then the stack, see the packet.
const TC_ACT_UNSPEC: i32 = -1;

/// The XDP entry point.
#[xdp]
pub fn share_xdp(context: XdpContext) -> u32 {
    let (data, end) = (context.data(), context.data_end());
    hand_over(&context, Frame::new(data, end, end - data));
    XDP_PASS
}

/// The tc entry point, for ingress.
#[classifier]
pub fn share_tc(context: TcContext) -> i32 {
    let readable = (context.data_end() - context.data()) as u32;
    if readable < HEADERS && readable < context.len() {
        // SAFETY: the context is the program's own; packet pointers are taken below. If it fails, the parser finds the
        // packet cut short.
        unsafe { bpf_skb_pull_data(context.skb.skb, context.len().min(HEADERS)) };
    }
    let (data, end) = (context.data(), context.data_end());
    hand_over(&context, Frame::new(data, end, context.len() as usize));
    TC_ACT_UNSPEC
}

/// Returns only where no instance takes the packet.
#[inline(always)]
fn hand_over(context: &impl EbpfContext, frame: Frame) {
    if let Some(owner) = owner(frame) {
        jump(context, owner);
    }
}

/// Calls the instance of `table`, if there is one.
///
/// A tail call for each number: where the number is known when the program is loaded, the kernel makes it a plain jump, and
/// else an indirect one, which costs 30 ns more on processors that are shielded from Spectre.
#[inline(always)]
fn jump(context: &impl EbpfContext, table: u32) {
    macro_rules! jump {
        ($($number:literal)*) => {{
            const { assert!([$($number),*].len() == TABLES as usize) };
            match table {
                $($number => call::<$number>(context),)*
                _ => {}
            }
        }};
    }
    jump!(
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
        33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62
        63
    );
}

#[inline(always)]
fn call<const TABLE: u32>(context: &impl EbpfContext) {
    let table: u64;
    // SAFETY: sets a register that is free. In assembler, as below, so that the compiler does not make one call of all.
    unsafe { asm!("{0} = {1}", out(reg) table, const TABLE, options(nomem, nostack)) };
    // SAFETY: the program array is for programs of this type. Where it has none, the call returns.
    unsafe { INSTANCES.tail_call(context, table as u32) };
    // SAFETY: as above.
    unsafe { asm!("{0} = {1}", out(reg) _, const TABLE, options(nomem, nostack)) };
}

/// The table that a packet is for.
///
/// What most packets are has the straight way: no tag, all headers there.
#[inline(always)]
fn owner(frame: Frame) -> Option<u32> {
    if let Some(front) = frame.front(FRONT_V4)
        && is::<Ipv4>(front)
    {
        return owner_v4(front.skip(size_of::<Ethernet>()));
    }
    if let Some(front) = frame.front(FRONT_V6)
        && is::<Ipv6>(front)
    {
        return owner_v6(front.skip(size_of::<Ethernet>()));
    }
    cold_path();
    let link = Link::parse(frame).ok()?;
    let packet = frame.skip(link.length);
    match link.ethertype {
        Ipv4::ETHERTYPE => owner_v4(packet),
        Ipv6::ETHERTYPE => owner_v6(packet),
        _ => None,
    }
}

#[inline(always)]
fn owner_v4(packet: impl Read) -> Option<u32> {
    let Datagram { ip, udp } = whole::<Ipv4>(packet)?;
    owner_at([0, 0, 0xffff_u32.to_be(), ip.destination], udp.destination)
}

#[inline(always)]
fn owner_v6(packet: impl Read) -> Option<u32> {
    let Datagram { ip, udp } = whole::<Ipv6>(packet)?;
    owner_at(ip.destination, udp.destination)
}

#[inline(always)]
fn whole<I: Internet>(packet: impl Read) -> Option<Datagram<I>>
where
    Datagram<I>: Plain,
{
    Datagram::<I>::parse(packet).ok()
}

/// `address`: as it lies in the packet; `port`: network order.
#[inline(always)]
fn owner_at(address: [u32; 4], port: u16) -> Option<u32> {
    let block = block([pair(address[0], address[1]), pair(address[2], address[3])])?;
    let port = usize::from(u16::from_be(port));
    let line = block.wrapping_mul(OWNER_LINES);
    let line = OWNERS.get(line.wrapping_add((port / PORTS_PER_LINE) as u32))?;
    u32::from(line.0[port % PORTS_PER_LINE]).checked_sub(1)
}

/// The block of an address.
#[inline(always)]
fn block(words: [u64; 2]) -> Option<u32> {
    let home = home(words);
    let mut probe = 0_u32;
    while probe < PROBES {
        let found = ADDRESSES.get(home.wrapping_add(probe) % PLACES)?;
        if found.words[1] == words[1] && found.words[0] == words[0] {
            return found.block.checked_sub(1);
        }
        if found.words == [0, 0] {
            return None;
        }
        // SAFETY: one addition. In assembler, so that the compiler does not see how far the loop goes and write it out.
        unsafe { asm!("{0} += 1", inout(reg) probe, options(pure, nomem, nostack)) };
    }
    None
}

/// Two words that follow each other, as one.
#[inline(always)]
fn pair(first: u32, second: u32) -> u64 {
    let (first, second) = (u64::from(first), u64::from(second));
    if cfg!(target_endian = "big") {
        first << 32 | second
    } else {
        second << 32 | first
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
