//! What another relay's table holds, read from its pins.

use std::path::Path;

use aya::maps::{HashMap, Map, MapData, MapError};
use underpass_abi::{self as abi, FLOWS_V4, FLOWS_V6, FlowKeyV4, FlowKeyV6, OUTCOMES, Outcome};

use super::maps::{Outcomes, Plain};
use super::pins;
use crate::datapath::TableUsage;

/// See [`crate::datapath::table_usage`].
pub(in crate::datapath) fn table_usage(bpffs: &Path, table: u32) -> Option<TableUsage> {
    let directory = pins::directory(bpffs, table);
    let v4 = open(&directory, FLOWS_V4).ok()?;
    let v4 = HashMap::<_, Plain<FlowKeyV4>, Plain<abi::Flow>>::try_from(Map::HashMap(v4)).ok()?;
    let v6 = open(&directory, FLOWS_V6).ok()?;
    let v6 = HashMap::<_, Plain<FlowKeyV6>, Plain<abi::Flow>>::try_from(Map::HashMap(v6)).ok()?;
    let outcomes = Outcomes::open(Map::PerCpuArray(open(&directory, OUTCOMES).ok()?)).ok()?;
    Some(TableUsage {
        flows: (v4.keys().flatten().count() + v6.keys().flatten().count()) as u64,
        packets: outcomes.read()[Outcome::Forwarded as usize],
    })
}

fn open(directory: &Path, name: &str) -> Result<MapData, MapError> {
    MapData::from_pin(directory.join(name))
}
