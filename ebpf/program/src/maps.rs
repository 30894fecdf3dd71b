//! The maps, by the names and layouts of `underpass-abi`, and how a packet finds its flow in them.

use core::hint::cold_path;

use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::btf_maps::{Array, PerCpuArray};
use aya_ebpf::macros::btf_map;
use underpass_abi::{
    Flow, FlowStats, Header, OUTCOMES_LEN, Outcome, PORT_LINES, PORTS_PER_LINE, PortLine, Record,
};
use underpass_packet::{Datagram, Internet, Ipv4, Ipv6};

/// Records where user space sets no other number at load time.
const DEFAULT_RECORDS: usize = 1024;
const FLAGS: usize = BPF_F_MMAPABLE as usize;

/// The table's local addresses.
#[btf_map]
pub static HEADER: Array<Header, 1, FLAGS> = Array::new();

/// What record each port has; user space sets the number of lines at load time.
#[btf_map]
pub static PORTS: Array<PortLine, { PORT_LINES as usize }, FLAGS> = Array::new();

/// Flows, and what was counted.
#[btf_map]
pub static RECORDS: Array<Record, DEFAULT_RECORDS, FLAGS> = Array::new();

/// What became of the packets that were not forwarded, by `Outcome`.
#[btf_map]
pub static OUTCOMES: PerCpuArray<u64, { OUTCOMES_LEN as usize }> = PerCpuArray::new();

/// A network layer whose local addresses are looked up.
pub trait Lookup: Internet {
    /// The other network layer.
    type Other: Internet;

    /// The block of [`PORTS`] that the destination address has.
    fn block(&self) -> Option<u32>;
}

impl Lookup for Ipv4 {
    type Other = Ipv6;

    #[inline(always)]
    fn block(&self) -> Option<u32> {
        let header = HEADER.get(0)?;
        let count = header.v4_count as usize;
        let mut locals = header.v4.iter().take(count);
        locals
            .find(|local| u32::from_ne_bytes(local.address) == self.destination)
            .map(|local| local.block)
    }
}

impl Lookup for Ipv6 {
    type Other = Ipv4;

    #[inline(always)]
    fn block(&self) -> Option<u32> {
        let header = HEADER.get(0)?;
        let count = header.v6_count as usize;
        header
            .v6
            .iter()
            .take(count)
            .find(|local| self.is_to(&local.address))
            .map(|local| local.block)
    }
}

/// The record that a packet's local address and port have.
#[derive(Clone, Copy)]
pub struct Found {
    number: u32,
    record: *mut Record,
}

impl Found {
    /// Looks it up.
    #[inline(always)]
    pub fn to<I: Lookup>(datagram: &Datagram<I>) -> Option<Self> {
        let block = datagram.ip.block()?;
        let port = u32::from(u16::from_be(datagram.udp.destination));
        let per_line = PORTS_PER_LINE as u32;
        let line = PORTS.get_ptr(block.wrapping_mul(PORT_LINES) + port / per_line)?;
        // SAFETY: inside the line; read once, since user space may change it meanwhile.
        let named = unsafe {
            let place = (port % per_line) as usize;
            line.cast::<u32>().add(place).read_volatile()
        };
        // Where no flow is named, this is past all records.
        let number = named.wrapping_sub(1);
        let record = RECORDS.get_ptr_mut(number)?;
        Some(Self { number, record })
    }

    /// What to do.
    #[inline(always)]
    pub fn flow(&self) -> &Flow {
        // SAFETY: an element of the array, which stays until the program returns; user space does not write a flow that
        // a program can have found.
        unsafe { &(*self.record).flow }
    }

    /// What was done, to be counted in; `None` if the flow names a record that does not exist.
    #[inline(always)]
    pub fn stats(&self) -> Option<*mut FlowStats> {
        let mut record = self.record;
        let number = self.flow().stats_record;
        if number != self.number {
            cold_path();
            record = RECORDS.get_ptr_mut(number)?;
        }
        // SAFETY: an element of the array.
        Some(unsafe { &raw mut (*record).stats })
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
