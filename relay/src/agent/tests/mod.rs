//! The agent and its clients over real sockets and real locks, with a kernel that only remembers.

mod agents;
mod claims;
mod hostile;
mod node;
mod owners;
mod users;
