//! The maps of the loaded program, behind the table's [`FlowMap`].

use std::os::fd::{AsFd, AsRawFd};

use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray};
use aya::{Ebpf, Pod};
use underpass_abi::{self as abi, FlowKeyV4, FlowKeyV6, FlowStats, OUTCOMES_LEN};

use crate::datapath::encode::Key;
use crate::datapath::table::{FlowMap, WriteError};

/// A key or value as the kernel copies it.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Plain<T>(T);

// SAFETY: `repr(C)` without padding, and every bit pattern is a valid value (see `underpass-abi`).
unsafe impl Pod for Plain<FlowKeyV4> {}
// SAFETY: as above.
unsafe impl Pod for Plain<FlowKeyV6> {}
// SAFETY: as above.
unsafe impl Pod for Plain<abi::Flow> {}
// SAFETY: as above.
unsafe impl Pod for Plain<FlowStats> {}

/// The IPv4 flow map.
pub(super) type FlowsV4 = HashMap<MapData, Plain<FlowKeyV4>, Plain<abi::Flow>>;
/// The IPv6 flow map.
pub(super) type FlowsV6 = HashMap<MapData, Plain<FlowKeyV6>, Plain<abi::Flow>>;

/// The maps that flows are written to and counted in.
pub(super) struct KernelMaps {
    v4: FlowsV4,
    v6: FlowsV6,
    stats: Stats,
    /// A refusal has been logged; the rest are told by the flows' reports.
    refusal_logged: bool,
}

impl KernelMaps {
    /// Takes the maps out of a loaded object; the statistics have `slots` entries.
    pub(super) fn take(ebpf: &mut Ebpf, slots: u32) -> Result<Self, MapError> {
        let stats = Stats::new(take(ebpf, abi::STATS)?, slots)?;
        Ok(Self {
            v4: HashMap::try_from(take(ebpf, abi::FLOWS_V4)?)?,
            v6: HashMap::try_from(take(ebpf, abi::FLOWS_V6)?)?,
            stats,
            refusal_logged: false,
        })
    }
}

/// The program's own counters.
pub(super) struct Outcomes(PerCpuArray<MapData, u64>);

impl Outcomes {
    /// Takes the map out of a loaded object.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, MapError> {
        Ok(Self(PerCpuArray::try_from(take(ebpf, abi::OUTCOMES)?)?))
    }

    /// A map that is already open.
    pub(super) fn open(map: Map) -> Result<Self, MapError> {
        Ok(Self(PerCpuArray::try_from(map)?))
    }

    /// Sums over all CPUs.
    pub(super) fn read(&self) -> [u64; OUTCOMES_LEN as usize] {
        let mut sums = [0; OUTCOMES_LEN as usize];
        for (outcome, sum) in (0..).zip(sums.iter_mut()) {
            if let Ok(values) = self.0.get(&outcome, 0) {
                *sum = values.iter().sum();
            }
        }
        sums
    }
}

fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map, MapError> {
    ebpf.take_map(name).ok_or_else(|| MapError::InvalidName {
        name: name.to_owned(),
    })
}

impl FlowMap for KernelMaps {
    fn write(&mut self, key: Key, value: &abi::Flow) -> Result<(), WriteError> {
        match key {
            Key::V4(key) => self.v4.insert(Plain(key), Plain(*value), 0),
            Key::V6(key) => self.v6.insert(Plain(key), Plain(*value), 0),
        }
        .map_err(|error| match &error {
            MapError::SyscallError(call) if call.io_error.raw_os_error() == Some(libc::E2BIG) => {
                WriteError::Full
            }
            _ => {
                if !self.refusal_logged {
                    tracing::warn!(%error, "the kernel refused a flow");
                    self.refusal_logged = true;
                }
                WriteError::Refused
            }
        })
    }

    fn delete(&mut self, key: Key) {
        // Not there is as good as removed.
        let _ = match key {
            Key::V4(key) => self.v4.remove(&Plain(key)),
            Key::V6(key) => self.v6.remove(&Plain(key)),
        };
    }

    fn stats(&mut self, slot: u32) -> FlowStats {
        self.stats.read(slot)
    }

    fn clear(&mut self, slot: u32) {
        self.stats.clear(slot);
    }
}

/// The statistics array: mapped into memory where the kernel lets us, else read by system calls.
struct Stats {
    array: Array<MapData, Plain<FlowStats>>,
    mapped: Option<Mapped>,
}

struct Mapped {
    start: *mut FlowStats,
    slots: u32,
}

// SAFETY: the mapping belongs to this value alone and stays where it is until it is dropped.
unsafe impl Send for Mapped {}

impl Stats {
    fn new(map: Map, slots: u32) -> Result<Self, MapError> {
        let mapped = match &map {
            Map::Array(data) => Mapped::new(data, slots),
            _ => None,
        };
        if mapped.is_none() {
            tracing::warn!(
                "flow counters can't be mapped into memory; they are read by system calls"
            );
        }
        Ok(Self {
            array: Array::try_from(map)?,
            mapped,
        })
    }

    fn read(&self, slot: u32) -> FlowStats {
        match &self.mapped {
            Some(mapped) => mapped.read(slot),
            None => self
                .array
                .get(&slot, 0)
                .map_or_else(|_| FlowStats::default(), |stats| stats.0),
        }
    }

    fn clear(&mut self, slot: u32) {
        match &self.mapped {
            Some(mapped) => mapped.clear(slot),
            None => {
                if let Err(error) = self.array.set(slot, Plain(FlowStats::default()), 0) {
                    tracing::warn!(%error, slot, "a flow's counters could not be zeroed");
                }
            }
        }
    }
}

impl Mapped {
    fn new(map: &MapData, slots: u32) -> Option<Self> {
        let length = slots as usize * size_of::<FlowStats>();
        // SAFETY: a new mapping at an address of the kernel's choice; the descriptor is open, and the kernel refuses
        // lengths beyond the array.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.fd().as_fd().as_raw_fd(),
                0,
            )
        };
        (start != libc::MAP_FAILED).then_some(Self {
            start: start.cast(),
            slots,
        })
    }

    fn read(&self, slot: u32) -> FlowStats {
        assert!(slot < self.slots, "slots are handed out below the count");
        // SAFETY: inside the mapping, and aligned: elements are 192 bytes from a page's start. Volatile, since the
        // program counts while we read; every field is valid whatever it holds.
        unsafe { self.start.add(slot as usize).read_volatile() }
    }

    fn clear(&self, slot: u32) {
        assert!(slot < self.slots, "slots are handed out below the count");
        // SAFETY: as in `read`; no flow names the slot any more.
        unsafe {
            self.start
                .add(slot as usize)
                .write_volatile(FlowStats::default());
        }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        let length = self.slots as usize * size_of::<FlowStats>();
        // SAFETY: the mapping made in `new`, which nobody else refers to.
        unsafe { libc::munmap(self.start.cast(), length) };
    }
}
