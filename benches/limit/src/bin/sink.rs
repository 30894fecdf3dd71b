//! The receiver: counts UDP at tc ingress and drops it there, the same for whatever relayed it. All else passes, so that
//! neighbours can be resolved.
#![no_std]
#![no_main]

use aya_ebpf::bindings::{TC_ACT_OK, TC_ACT_SHOT};
use aya_ebpf::btf_maps::PerCpuArray;
use aya_ebpf::macros::{btf_map, classifier};
use aya_ebpf::programs::TcContext;

const HEADERS: usize = 14 + 20;
const UDP: u8 = 17;

/// Packets counted.
#[btf_map]
static RECEIVED: PerCpuArray<u64, 1> = PerCpuArray::new();

/// Counts and drops.
#[classifier]
pub fn sink(context: TcContext) -> i32 {
    let (data, end) = (context.data(), context.data_end());
    if data + HEADERS > end {
        return TC_ACT_OK as i32;
    }
    // SAFETY: the bytes lie inside the packet, as just checked.
    let header = unsafe { &*(data as *const [u8; HEADERS]) };
    let protocol = match [header[12], header[13]] {
        [0x08, 0x00] => header[23],
        [0x86, 0xdd] => header[20],
        _ => 0,
    };
    if protocol != UDP {
        return TC_ACT_OK as i32;
    }
    if let Some(counter) = RECEIVED.get_ptr_mut(0) {
        // SAFETY: the element is this CPU's own.
        unsafe { *counter += 1 };
    }
    TC_ACT_SHOT as i32
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
