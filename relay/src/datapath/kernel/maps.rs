//! The maps of the loaded program.

use std::os::fd::AsFd;

use aya::Ebpf;
use aya::maps::{Map, MapData, MapError, PerCpuArray};
use underpass_abi::{HEADER, OUTCOMES, OUTCOMES_LEN, PORT_LINES, PORTS, RECORDS};

use crate::datapath::StartError;
use crate::datapath::mapped::{Access, Mapped};
use crate::datapath::table::{Memory, Sizes};

/// The table of a loaded object. The maps stay in it: programs that are loaded later need their descriptors.
pub(super) fn table(ebpf: &Ebpf, sizes: Sizes) -> Result<Memory, StartError> {
    Ok(Memory::new(
        mapped(ebpf, HEADER, 1)?,
        mapped(ebpf, PORTS, sizes.blocks * PORT_LINES)?,
        mapped(ebpf, RECORDS, sizes.records)?,
    ))
}

fn mapped<T>(ebpf: &Ebpf, name: &'static str, count: u32) -> Result<Mapped<T>, StartError> {
    let Some(Map::Array(map)) = ebpf.map(name) else {
        return Err(StartError::Load(format!("no array {name} in the object")));
    };
    Mapped::new(map.fd().as_fd(), count, Access::Write)
        .map_err(|source| StartError::Map { name, source })
}

/// The program's own counters.
pub(super) struct Outcomes(PerCpuArray<MapData, u64>);

impl Outcomes {
    /// Takes the map out of a loaded object.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, MapError> {
        let map = ebpf
            .take_map(OUTCOMES)
            .ok_or_else(|| MapError::InvalidName {
                name: OUTCOMES.to_owned(),
            })?;
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
