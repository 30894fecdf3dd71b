//! The bare forwarding programs of `benches/limit`: what the kernel path is held against.

use std::net::{SocketAddr, SocketAddrV4};

use anyhow::{Context, Result, bail};
use aya::maps::{HashMap, MapData};
use aya::{Ebpf, EbpfLoader};

use crate::bytes::bytes_of;

#[path = "../limit/src/flow.rs"]
mod flow;

pub use flow::Flow;

/// The object file, with the programs [`XDP`], [`TC`] and [`FLOOR`].
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/limit.bpf.o"));
/// The XDP program's name.
pub const XDP: &str = "limit_xdp";
/// The name of the XDP program that drops every frame.
pub const FLOOR: &str = "limit_floor";
/// The tc program's name.
pub const TC: &str = "limit_tc";

const FLOWS_V4: &str = "FLOWS_V4";

/// Flows of a loaded object, by local address and port.
pub type Flows<'a> = HashMap<&'a mut MapData, [u8; 8], [u8; size_of::<Flow>()]>;

/// The object with room for `entries` flows.
///
/// # Errors
/// What the kernel says.
pub fn load(entries: u32) -> Result<Ebpf> {
    let mut loader = EbpfLoader::new();
    loader.map_max_entries(FLOWS_V4, entries);
    Ok(loader.load(OBJECT)?)
}

/// The flows of a loaded object.
///
/// # Errors
/// Another object.
pub fn flows(ebpf: &mut Ebpf) -> Result<Flows<'_>> {
    let map = ebpf.map_mut(FLOWS_V4).context("no flow map")?;
    Ok(HashMap::try_from(map)?)
}

/// Inserts a flow at a local address.
///
/// # Errors
/// The map is full.
pub fn insert(flows: &mut Flows<'_>, local: SocketAddrV4, flow: &Flow) -> Result<()> {
    let [a, b, c, d] = local.ip().octets();
    let [high, low] = local.port().to_be_bytes();
    flows.insert([a, b, c, d, high, low, 0, 0], bytes_of(flow), 0)?;
    Ok(())
}

/// An address as the program takes it.
///
/// # Errors
/// IPv6, which it does not know.
pub fn v4(address: SocketAddr) -> Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => bail!("{address} is not IPv4"),
    }
}
