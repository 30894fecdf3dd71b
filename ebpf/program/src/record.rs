//! Statistics of what is forwarded.

use core::arch::asm;
use core::hint::cold_path;
use core::ptr::addr_of_mut;

use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_ns};
use underpass_abi::{FlowStats, MAX_SSRCS};
use underpass_packet::{Admitted, arrival, is_new, observe};

use crate::maps::Found;

/// Every how many packets of an SSRC one is timed exactly; a power of two, so that no division is needed.
const PACKETS_A_SAMPLE: u64 = 8;

/// Counts a forwarded packet of `payload` bytes; `now`: the coarse clock, ns.
///
/// The CPU that owns the flow adds plainly, every other one atomically and elsewhere, so no packet is lost. An SSRC's
/// entry is not kept so: a flow's packets arrive on one CPU, and where they do not, a sequence number, a sample or one of
/// the entry's packets may get lost.
///
/// The exact clock is the dearest part: in a virtual machine some 40 ns a reading, against 1 for the coarse clock, which
/// moves by ticks (1 to 10 ms). That is good for when the last packet came, and as much as the jitter to be measured: for
/// that, every eighth packet is timed exactly. RFC 3550 A.8 samples every packet; of every eighth, the estimate follows a
/// change within 128 packets (2.6 s of 20 ms audio) instead of 16, still sooner than an RTCP interval (5 s).
#[inline(always)]
pub fn record(found: &Found, admitted: &Admitted, payload: usize, now: u64) {
    let Some(stats) = found.stats() else {
        return;
    };
    let index = admitted.ssrc_index & (MAX_SSRCS - 1);
    let clock_rate = found.flow().clock_rate;
    // SAFETY: `stats` is part of an element of the array and `index` lies inside its `ssrcs`; counters that must not lose
    // are only touched atomically, or by one CPU.
    unsafe {
        (*stats).last_packet_ns = now;
        let entry = &mut *addr_of_mut!((*stats).ssrcs[index]);
        let timed = is_new(entry, &admitted.rtp) || entry.packets % PACKETS_A_SAMPLE == 0;
        let arrival = timed.then(|| arrival(bpf_ktime_get_ns(), clock_rate));
        observe(entry, &admitted.rtp, arrival, clock_rate);
        entry.packets += 1;
        if is_owner(stats) {
            (*stats).packets += 1;
            (*stats).bytes += payload as u64;
        } else {
            cold_path();
            add(addr_of_mut!((*stats).other_packets), 1);
            add(addr_of_mut!((*stats).other_bytes), payload as u64);
        }
    }
}

/// Whether this CPU owns the flow's counters; it takes them if nobody does.
///
/// # Safety
/// `stats` points into a map's value.
#[inline(always)]
unsafe fn is_owner(stats: *mut FlowStats) -> bool {
    // SAFETY: takes no pointers.
    let this = u64::from(unsafe { bpf_get_smp_processor_id() }) + 1;
    // SAFETY: the caller's.
    let owner = unsafe { addr_of_mut!((*stats).owner).read_volatile() };
    if owner == this {
        return true;
    }
    cold_path();
    // SAFETY: the caller's.
    owner == 0 && unsafe { exchange(addr_of_mut!((*stats).owner), 0, this) } == 0
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

/// Puts `new` in place of `old` if that is there; what was there.
///
/// # Safety
/// As [`add`].
#[inline(always)]
unsafe fn exchange(place: *mut u64, old: u64, new: u64) -> u64 {
    let found;
    // SAFETY: the caller's. The instruction compares with r0 and leaves in it what it found.
    unsafe {
        asm!(
            "r0 = cmpxchg_64({0} + 0, r0, {1})",
            in(reg) place,
            in(reg) new,
            inout("r0") old => found,
            options(nostack)
        );
    }
    found
}
