//! The maps, by the names and layouts of `underpass-abi`, and how a packet finds its flow in them.

use core::arch::asm;
use core::hint::cold_path;

use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::btf_maps::Array;
use aya_ebpf::helpers::bpf_get_smp_processor_id;
use aya_ebpf::macros::btf_map;
use underpass_abi::{
    Flow, FlowStats, Grant, Header, MAX_FURTHER, MAX_LOCALS, Outcomes, PORT_LINES, PORTS_PER_LINE,
    PortLine, Record,
};
use underpass_packet::{Datagram, Granted, Internet, Ipv4, Ipv6, Plain, Read};

/// Records where user space sets no other number at load time.
const DEFAULT_RECORDS: usize = 1024;
/// Lines of outcomes, as above.
const DEFAULT_CPUS: usize = 1;
const PLACES: usize = 2;
const FLAGS: usize = BPF_F_MMAPABLE as usize;

/// The element of [`GRANT`] that counts here; set at load time.
#[unsafe(no_mangle)]
static PLACE: u32 = underpass_abi::PLACE_OWN;

/// What the table may do.
#[btf_map]
pub static GRANT: Array<Grant, PLACES, FLAGS> = Array::new();

/// What the owner says of the table.
#[btf_map]
pub static HEADER: Array<Header, 1, FLAGS> = Array::new();

/// What stands at each port; user space sets the number of lines at load time.
#[btf_map]
pub static PORTS: Array<PortLine, { PORT_LINES as usize }, FLAGS> = Array::new();

/// Flows, and what was counted.
#[btf_map]
pub static RECORDS: Array<Record, DEFAULT_RECORDS, FLAGS> = Array::new();

/// What became of the packets that were not forwarded, for each CPU.
#[btf_map]
pub static OUTCOMES: Array<Outcomes, DEFAULT_CPUS, FLAGS> = Array::new();

/// A network layer, and the other one.
pub trait Family: Internet {
    /// The other network layer.
    type Other: Internet;
}

impl Family for Ipv4 {
    type Other = Ipv6;
}

impl Family for Ipv6 {
    type Other = Ipv4;
}

/// Which element of [`GRANT`] counts here.
#[inline(always)]
pub fn place() -> u32 {
    // SAFETY: read as it stands in the loaded object, not as the compiler knows it.
    unsafe { (&raw const PLACE).read_volatile() }
}

/// What the table may do here.
#[inline(always)]
pub fn grant() -> Option<&'static Grant> {
    GRANT.get(place())
}

/// When the table's owner was alive, ns of CLOCK_MONOTONIC; read once.
#[inline(always)]
pub fn alive_ns() -> Option<u64> {
    let header = HEADER.get_ptr(0)?;
    // SAFETY: an element of the array, which the owner writes to by aligned stores.
    Some(unsafe { (&raw const (*header).alive_ns).read_volatile() })
}

/// What stands at the local address and port of a packet, if they are granted. `packet` begins at the network layer.
#[inline(always)]
pub fn name<I: Internet>(grant: &Grant, packet: impl Read) -> Option<u32>
where
    Datagram<I>: Plain,
{
    let local = find::<I>(grant, &Datagram::<I>::again(packet).ip)?;
    let port = u16::from_be(Datagram::<I>::again(packet).udp.destination);
    if !local.has(port) {
        cold_path();
        return None;
    }
    let port = u32::from(port);
    let per_line = PORTS_PER_LINE as u32;
    let block = local.block().wrapping_mul(PORT_LINES);
    let line = PORTS.get_ptr(block.wrapping_add(port / per_line))?;
    // SAFETY: inside the line; read once, since the owner may change it meanwhile.
    Some(unsafe {
        let place = (port % per_line) as usize;
        line.cast::<u32>().add(place).read_volatile()
    })
}

/// The granted address that a packet is for.
#[inline(always)]
fn find<'a, I: Internet>(grant: &'a Grant, ip: &I) -> Option<&'a I::Granted> {
    let (locals, count) = I::granted(grant);
    if count == 0 {
        return None;
    }
    if ip.is_to(&locals[0]) {
        return Some(&locals[0]);
    }
    let mut place = 1_usize;
    while place < MAX_LOCALS && place < count as usize {
        if ip.is_to(&locals[place]) {
            return Some(&locals[place]);
        }
        // SAFETY: one addition. In assembler, so that the compiler does not see how far the loop goes and write it out.
        unsafe { asm!("{0} += 1", inout(reg) place, options(pure, nomem, nostack)) };
    }
    None
}

/// The record that a packet's local address and port have.
#[derive(Clone, Copy)]
pub struct Found {
    number: u32,
    record: *mut Record,
    /// What its table may do.
    pub grant: &'static Grant,
}

impl Found {
    /// Looks it up. `packet` begins at the network layer.
    #[inline(always)]
    pub fn of<I: Internet>(packet: impl Read) -> Option<Self>
    where
        Datagram<I>: Plain,
    {
        let grant = grant()?;
        // Where no flow is named, this is past all records.
        let number = name::<I>(grant, packet)?.wrapping_sub(1);
        Self::at(number, grant)
    }

    /// The record of this number, of a table that may do this.
    #[inline(always)]
    pub fn at(number: u32, grant: &'static Grant) -> Option<Self> {
        let record = RECORDS.get_ptr_mut(number)?;
        Some(Self {
            number,
            record,
            grant,
        })
    }

    /// Its number.
    #[inline(always)]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What the receiver at `place` is sent, if there is one; `Some(None)`: its record does not exist.
    #[inline(always)]
    pub fn receiver(&self, place: usize) -> Option<Option<&Flow>> {
        if place == 0 {
            return Some(Some(self.flow()));
        }
        if place > MAX_FURTHER {
            return None;
        }
        let further = (&raw const self.flow().further).cast::<u32>();
        // SAFETY: inside the array; read once, since the owner may change it meanwhile.
        let name = unsafe { further.add(place - 1).read_volatile() };
        let number = name.checked_sub(1)?;
        let Some(mut record) = RECORDS.get_ptr(number) else {
            return Some(None);
        };
        // SAFETY: moves a register to itself. The compiler may not move what follows before the check: the verifier lets
        // nothing be added to what may be null.
        unsafe { asm!("{0} = {0}", inout(reg) record, options(nomem, nostack)) };
        // SAFETY: an element of the array, as in `flow`.
        Some(Some(unsafe { &(*record).flow }))
    }

    /// What to do. A careless owner may change it meanwhile, and with it what becomes of its own packets; what guards
    /// others is read once.
    #[inline(always)]
    pub fn flow(&self) -> &Flow {
        // SAFETY: an element of the array, which stays until the program returns; any bytes are a flow.
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

/// Counts one packet's outcome: the number of an `Outcome`.
#[inline(always)]
pub fn count(outcome: u32) {
    // SAFETY: takes no pointers.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    if let Some(line) = OUTCOMES.get_ptr_mut(cpu) {
        // SAFETY: inside the line, which is this CPU's own; a program is not preempted by itself on its CPU.
        unsafe {
            let counter = line
                .cast::<u64>()
                .add(outcome as usize & (OUTCOMES_ROOM - 1));
            *counter += 1;
        }
    }
}

const OUTCOMES_ROOM: usize = size_of::<Outcomes>() / size_of::<u64>();
