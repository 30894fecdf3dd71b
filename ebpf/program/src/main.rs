//! The kernel programs: thin entry points for XDP and tc.
//!
//! What is forwarded and what it becomes is decided in `underpass-packet`; here is only what differs between the hooks.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

use core::hint::cold_path;

mod frame;
mod maps;
mod record;
mod tc;
mod xdp;

use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};

/// Let the next program, and then the stack, see the packet.
const TC_ACT_UNSPEC: i32 = -1;

/// The XDP entry point.
#[xdp]
pub fn underpass_xdp(context: XdpContext) -> u32 {
    match xdp::forward(&context) {
        Ok(action) => action,
        Err(outcome) => {
            cold_path();
            maps::count(outcome);
            #[cfg(feature = "kernel-log")]
            aya_log_ebpf::debug!(&context, "outcome {}", outcome as u32);
            XDP_PASS
        }
    }
}

/// The tc entry point, for ingress.
#[classifier]
pub fn underpass_tc(context: TcContext) -> i32 {
    match tc::forward(&context) {
        Ok(action) => action,
        Err(outcome) => {
            cold_path();
            maps::count(outcome);
            #[cfg(feature = "kernel-log")]
            aya_log_ebpf::debug!(&context, "outcome {}", outcome as u32);
            TC_ACT_UNSPEC
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
