//! An instance: what forwards one table's flows. Thin entry points for XDP and tc.
//!
//! What is forwarded and what it becomes is decided in `underpass-packet`; here is only what differs between the hooks.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod frame;
mod guard;
mod maps;
mod record;
mod tc;
mod xdp;

use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};

/// The XDP entry point.
#[xdp]
pub fn underpass_xdp(context: XdpContext) -> u32 {
    xdp::forward(&context)
}

/// The tc entry point, for ingress.
#[classifier]
pub fn underpass_tc(context: TcContext) -> i32 {
    tc::forward(&context)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
