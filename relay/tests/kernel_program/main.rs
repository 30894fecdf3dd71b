//! The kernel programs, run packet by packet (BPF_PROG_TEST_RUN). Needs root.
#![cfg(feature = "kernel")]

mod checksums;
mod frame;
mod harness;
mod pass_up;
mod random;
mod rewrite;
mod statistics;
