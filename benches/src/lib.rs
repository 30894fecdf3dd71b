//! Measurements against the peers and the limit.

pub mod bytes;
pub mod load;
pub mod ng;
pub mod packet;
pub mod path;
pub mod program_cost;
pub mod spinner;
pub mod spread;

/// The bare forwarding programs `limit_xdp` and `limit_tc`, built from `benches/limit`.
pub static LIMIT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/limit.bpf.o"));
