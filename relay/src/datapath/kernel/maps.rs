//! The maps of a table, from descriptors to memory. Without a system call of BPF's: some sandboxes allow none, and
//! mapping memory needs none.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use underpass_abi::{HEADER, OUTCOMES, OUTCOMES_LEN, PORTS, RECORDS};

use crate::datapath::StartError;
use crate::datapath::mapped::{Access, Mapped};
use crate::datapath::table::{Memory, Previous};
use crate::tables::client::TableMaps;

/// The table of these maps.
pub(super) fn table(maps: &TableMaps) -> Result<Memory, StartError> {
    Ok(Memory::new(
        mapped(&maps.header, HEADER, Access::Write)?,
        mapped(&maps.ports, PORTS, Access::Write)?,
        mapped(&maps.records, RECORDS, Access::Write)?,
    ))
}

/// The generation before in these maps.
pub(super) fn previous(maps: &TableMaps) -> Result<Previous, StartError> {
    Ok(Previous::new(
        mapped(&maps.ports, PORTS, Access::Read)?,
        mapped(&maps.records, RECORDS, Access::Read)?,
    ))
}

/// All elements of an array.
fn mapped<T>(map: &OwnedFd, name: &'static str, access: Access) -> Result<Mapped<T>, StartError> {
    count::<T>(map)
        .and_then(|count| Mapped::new(map.as_fd(), count, access))
        .map_err(|source| StartError::Map { name, source })
}

/// How many elements an array has, whose values must be `T`s.
fn count<T>(map: &OwnedFd) -> io::Result<u32> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_raw_fd()))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse::<u32>().ok()
    };
    let size = u32::try_from(size_of::<T>()).ok();
    match (field("value_size:"), field("max_entries:")) {
        (value, Some(count)) if value == size && count > 0 => Ok(count),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not the map that was expected",
        )),
    }
}

/// The program's own counters, of every processor.
pub(super) struct Outcomes(Mapped<underpass_abi::Outcomes>);

impl Outcomes {
    /// The counters of these maps.
    pub(super) fn new(maps: &TableMaps) -> Result<Self, StartError> {
        let missing = || StartError::Map {
            name: OUTCOMES,
            source: io::ErrorKind::NotFound.into(),
        };
        let map = maps.outcomes.as_ref().ok_or_else(missing)?;
        Ok(Self(mapped(map, OUTCOMES, Access::Read)?))
    }

    /// Sums over all processors.
    pub(super) fn read(&self) -> [u64; OUTCOMES_LEN as usize] {
        let mut sums = [0; OUTCOMES_LEN as usize];
        for processor in 0..self.0.count() {
            let counters = self.0.at(processor).cast::<u64>();
            for (outcome, sum) in sums.iter_mut().enumerate() {
                // SAFETY: inside the element, which holds more counters than there are outcomes, and aligned. Volatile,
                // since the program writes it.
                *sum += unsafe { counters.wrapping_add(outcome).read_volatile() };
            }
        }
        sums
    }
}
