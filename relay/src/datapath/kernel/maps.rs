//! The maps of the loaded program.

use std::os::fd::AsFd;

use aya::Ebpf;
use aya::maps::{Map, MapData, MapError, PerCpuArray};
use underpass_abi::{HEADER, OUTCOMES, OUTCOMES_LEN, PORT_LINES, PORTS, RECORDS};

use crate::datapath::StartError;
use crate::datapath::mapped::{Access, Mapped};
use crate::datapath::table::{Memory, Sizes};

/// Takes the table out of a loaded object. The mappings keep its maps open.
pub(super) fn table(ebpf: &mut Ebpf, sizes: Sizes) -> Result<Memory, StartError> {
    Ok(Memory::new(
        mapped(ebpf, HEADER, 1)?,
        mapped(ebpf, PORTS, sizes.blocks * PORT_LINES)?,
        mapped(ebpf, RECORDS, sizes.records)?,
    ))
}

fn mapped<T>(ebpf: &mut Ebpf, name: &'static str, count: u32) -> Result<Mapped<T>, StartError> {
    let Ok(Map::Array(map)) = take(ebpf, name) else {
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
        Ok(Self(PerCpuArray::try_from(take(ebpf, OUTCOMES)?)?))
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
