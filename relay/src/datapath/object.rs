//! The kernel programs, built from `ebpf/program` and embedded.

use aya::include_bytes_aligned;

/// The ELF object with the programs `underpass_xdp` and `underpass_tc` and the maps of `underpass-abi`.
pub static BYTES: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/underpass.bpf.o"));

/// Load-time global of the object, `u32`: 1 where `underpass_xdp` is attached in generic mode, 0 natively.
pub const GENERIC_XDP: &str = "GENERIC_XDP";
