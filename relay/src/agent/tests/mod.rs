//! The agent and its clients over real sockets and real locks, with a kernel that only remembers.

mod claims;
mod node;
mod owners;
