//! The kernel programs, built from `ebpf/program` and embedded.

pub use underpass_object::{GENERIC_XDP, INSTANCE as BYTES};
