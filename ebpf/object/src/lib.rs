//! The kernel programs, built from `ebpf/program` and embedded.
//!
//! Their arrays have the least size until a loader says how many elements there are to be: ports, records, possible CPUs,
//! owners.

use aya::include_bytes_aligned;

/// The ELF object of an instance: the programs [`XDP`] and [`TC`], and one table's maps of `underpass-abi`.
pub static INSTANCE: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/underpass.bpf.o"));

/// The ELF object of what hands packets to instances: the programs [`SHARE_XDP`] and [`SHARE_TC`], and the maps of
/// `underpass_abi::share`. Only one of them can be loaded with one set of maps: what a program array calls is of one type.
pub static SHARE: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/share.bpf.o"));

/// An instance for XDP.
pub const XDP: &str = "underpass_xdp";
/// An instance for tc.
pub const TC: &str = "underpass_tc";
/// What hands packets to instances, for XDP.
pub const SHARE_XDP: &str = "share_xdp";
/// What hands packets to instances, for tc.
pub const SHARE_TC: &str = "share_tc";

/// Load-time global of an instance, `u32`: 1 where its packets come by generic XDP, 0 natively.
pub const GENERIC_XDP: &str = "GENERIC_XDP";
/// Load-time global of an instance, `u32`: its element of `underpass_abi::GRANT`, `PLACE_OWN` if not set.
pub const PLACE: &str = "PLACE";
