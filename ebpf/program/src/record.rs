//! Statistics of what is forwarded.

use core::arch::asm;
use core::ptr::addr_of_mut;

use aya_ebpf::helpers::{bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use underpass_abi::{Flow, MAX_SSRCS};
use underpass_packet::{Admitted, arrival, is_new, observe};

use crate::maps::STATS;

/// Every how many packets of an SSRC one is timed exactly; a power of two, so that no division is needed.
const PACKETS_A_SAMPLE: u64 = 8;

/// Counts a forwarded packet of `payload` bytes in its flow's slot.
///
/// Packets and bytes are added atomically, so none is lost where two CPUs meet. An SSRC's entry is not: a flow's packets
/// arrive on one CPU, and where they do not, a sequence number, a sample or one of the entry's packets may get lost.
///
/// The atomic ones come last: the processor starts no later load before them.
///
/// The exact clock is the dearest part: in a virtual machine some 40 ns a reading, against 1 for the coarse clock, which
/// moves by ticks (1 to 10 ms). That is good for when the last packet came, and as much as the jitter to be measured: for
/// that, every eighth packet is timed exactly. RFC 3550 A.8 samples every packet; of every eighth, the estimate follows a
/// change within 128 packets (2.6 s of 20 ms audio) instead of 16, still sooner than an RTCP interval (5 s).
#[inline(always)]
pub fn record(flow: &Flow, admitted: &Admitted, payload: usize) {
    let Some(slot) = STATS.get_ptr_mut(flow.stats_slot) else {
        return;
    };
    let index = admitted.ssrc_index & (MAX_SSRCS - 1);
    // SAFETY: `slot` is an element of the array and `index` lies inside its `ssrcs`; counters that must not lose are
    // only touched atomically.
    unsafe {
        (*slot).last_packet_ns = bpf_ktime_get_coarse_ns();
        let entry = &mut *addr_of_mut!((*slot).ssrcs[index]);
        let timed = is_new(entry, &admitted.rtp) || entry.packets % PACKETS_A_SAMPLE == 0;
        let arrival = timed.then(|| arrival(bpf_ktime_get_ns(), flow.clock_rate));
        observe(entry, &admitted.rtp, arrival, flow.clock_rate);
        entry.packets += 1;
        add(addr_of_mut!((*slot).packets), 1);
        add(addr_of_mut!((*slot).bytes), payload as u64);
    }
}

/// Adds atomically. In assembler, since Rust has no atomic add for a target without compare-and-swap.
///
/// # Safety
/// `counter` points into a map's value, aligned to 8 bytes.
#[inline(always)]
unsafe fn add(counter: *mut u64, value: u64) {
    // SAFETY: the caller's.
    unsafe {
        asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) counter, in(reg) value, options(nostack))
    };
}
