//! The kernel programs: thin entry points for XDP and tc.
#![no_std]
#![no_main]

mod maps;

use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use underpass_abi::{FlowKeyV4, Outcome};

/// Let the next program, and then the stack, see the packet.
const TC_ACT_UNSPEC: i32 = -1;

/// The XDP entry point.
#[xdp]
pub fn underpass_xdp(context: XdpContext) -> u32 {
    maps::count(look(context.data(), context.data_end()));
    XDP_PASS
}

/// The tc entry point, for ingress.
#[classifier]
pub fn underpass_tc(context: TcContext) -> i32 {
    maps::count(look(context.data(), context.data_end()));
    TC_ACT_UNSPEC
}

#[inline(always)]
fn look(data: usize, end: usize) -> Outcome {
    if data + 42 > end {
        return Outcome::NotIp;
    }
    // SAFETY: 42 bytes from `data` lie inside the packet, as just checked.
    let header = unsafe { &*(data as *const [u8; 42]) };
    if header[12..14] != [8, 0] || header[14] != 0x45 {
        return Outcome::NotIp;
    }
    if header[23] != 17 {
        return Outcome::NotUdp;
    }
    let key = FlowKeyV4 {
        address: [header[30], header[31], header[32], header[33]],
        port: [header[36], header[37]],
        reserved: [0; 2],
    };
    match maps::FLOWS_V4.get_ptr(key) {
        Some(_) => Outcome::Forwarded,
        None => Outcome::Miss,
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
