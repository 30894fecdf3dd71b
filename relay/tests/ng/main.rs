//! ng as a client sees it: the binary, its socket, both encodings. For every command, error text, key, flag and word there is a
//! test of its name; what there are is asked of the code, so none can be forgotten.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails where it stands"
)]

mod asking;
mod commands;
mod debugging;
mod errors;
mod flags;
mod kamailio_6;
mod keys;
mod numbers;
mod relay;
mod words;
