//! An RTP media relay that forwards established flows in the kernel.
//!
//! Arrows point one way: `ops`/`control` -> `call` -> `sdp`, `plan`; `media` -> `plan`, `datapath` -> `ebpf/abi`.
//! `call` and `sdp` know no socket and no clock.

#[cfg(feature = "kernel")]
pub mod agent;
pub mod call;
pub mod callbacks;
pub mod config;
pub mod connections;
pub mod control;
pub mod datapath;
pub mod journal;
pub mod media;
#[cfg(feature = "kernel")]
mod netlink;
pub mod ops;
pub mod plan;
pub mod recording;
mod run;
pub mod sdp;
pub mod tables;

pub use run::{RunError, run};
