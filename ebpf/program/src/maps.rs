//! The maps, by the names and layouts of `underpass-abi`.

use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::btf_maps::{Array, HashMap, PerCpuArray};
use aya_ebpf::macros::btf_map;
use underpass_abi::{Flow, FlowKeyV4, FlowKeyV6, FlowStats, OUTCOMES_LEN, Outcome};
use underpass_packet::{Internet, Ipv4, Ipv6};

/// Entries where user space sets no other size at load time.
const DEFAULT_ENTRIES: usize = 1024;

/// Flows arriving at IPv4 addresses.
#[btf_map]
pub static FLOWS_V4: HashMap<FlowKeyV4, Flow, DEFAULT_ENTRIES> = HashMap::new();

/// Flows arriving at IPv6 addresses.
#[btf_map]
pub static FLOWS_V6: HashMap<FlowKeyV6, Flow, DEFAULT_ENTRIES> = HashMap::new();

/// What was counted, by `Flow::stats_slot`.
#[btf_map]
pub static STATS: Array<FlowStats, DEFAULT_ENTRIES, { BPF_F_MMAPABLE as usize }> = Array::new();

/// What became of the packets, by `Outcome`.
#[btf_map]
pub static OUTCOMES: PerCpuArray<u64, { OUTCOMES_LEN as usize }> = PerCpuArray::new();

/// A network layer whose flows are looked up.
pub trait Lookup: Internet {
    /// The flow at `key`.
    fn flow<'a>(key: Self::Key) -> Option<&'a Flow>;
}

impl Lookup for Ipv4 {
    #[inline(always)]
    fn flow<'a>(key: FlowKeyV4) -> Option<&'a Flow> {
        // SAFETY: the kernel keeps the element until the program returns; a value replaced meanwhile is another
        // whole element.
        unsafe { FLOWS_V4.get(key) }
    }
}

impl Lookup for Ipv6 {
    #[inline(always)]
    fn flow<'a>(key: FlowKeyV6) -> Option<&'a Flow> {
        // SAFETY: as above.
        unsafe { FLOWS_V6.get(key) }
    }
}

/// Counts one packet's outcome.
#[inline(always)]
pub fn count(outcome: Outcome) {
    if let Some(counter) = OUTCOMES.get_ptr_mut(outcome as u32) {
        // SAFETY: the element is this CPU's own, and a program is not preempted by itself on its CPU.
        unsafe { *counter += 1 };
    }
}
