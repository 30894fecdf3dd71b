//! The kernel programs: thin entry points for XDP and tc.
//!
//! What is forwarded and what it becomes is decided in `underpass-packet`; here is only what differs between the hooks.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod frame;
mod maps;
mod record;
mod tc;
mod xdp;

use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use underpass_abi::Outcome;

/// Let the next program, and then the stack, see the packet.
const TC_ACT_UNSPEC: i32 = -1;

/// The XDP entry point.
#[xdp]
pub fn underpass_xdp(context: XdpContext) -> u32 {
    let (outcome, action) = match xdp::forward(&context) {
        Ok(action) => (Outcome::Forwarded, action),
        Err(outcome) => (outcome, XDP_PASS),
    };
    maps::count(outcome);
    #[cfg(feature = "kernel-log")]
    aya_log_ebpf::debug!(&context, "outcome {} action {}", outcome as u32, action);
    action
}

/// The tc entry point, for ingress.
#[classifier]
pub fn underpass_tc(context: TcContext) -> i32 {
    let (outcome, action) = match tc::forward(&context) {
        Ok(action) => (Outcome::Forwarded, action),
        Err(outcome) => (outcome, TC_ACT_UNSPEC),
    };
    maps::count(outcome);
    #[cfg(feature = "kernel-log")]
    aya_log_ebpf::debug!(&context, "outcome {} action {}", outcome as u32, action);
    action
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
