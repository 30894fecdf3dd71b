//! The kernel programs, run packet by packet (BPF_PROG_TEST_RUN). Needs root.
#![cfg(feature = "kernel")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests are tests"
)]

mod checksums;
mod frame;
mod harness;
mod live;
mod pass_up;
mod random;
mod rewrite;
mod statistics;
mod tables;
