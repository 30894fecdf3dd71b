//! The kernel programs, run packet by packet (BPF_PROG_TEST_RUN). Needs root.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests are tests"
)]

mod checksums;
mod flow;
mod frame;
mod granting;
mod grants;
mod guard;
mod harness;
mod lease;
mod live;
mod loads;
mod pass_up;
mod random;
mod receivers;
mod rewrite;
mod share;
mod statistics;
mod tables;
