//! The ng server: transports, the duplicate cache, dispatch.
//!
//! A datagram goes [`udp`] -> [`dispatch`] -> ([`cache`]) -> the [`Handler`](dispatch::Handler) and its reply back the
//! same way. Commands are worked on one at a time, whatever transport they come from.

pub mod cache;
pub mod counters;
pub mod dispatch;
mod socket;
pub mod udp;

#[cfg(test)]
mod tests;
