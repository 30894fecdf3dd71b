//! The kernel programs, run packet by packet (BPF_PROG_TEST_RUN). Needs root.
#![cfg(feature = "kernel")]

mod checksums;
mod cost;
mod frame;
mod harness;
mod pass_up;
mod random;
mod rewrite;
mod statistics;
