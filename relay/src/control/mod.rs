//! The ng server: transports, the duplicate cache, dispatch.
//!
//! A datagram goes [`udp`] -> [`dispatch`] -> ([`cache`]) -> the [`Handler`](dispatch::Handler) and its reply back the
//! same way; one of [`tcp`], or of HTTP and WebSocket ([`ops::http`](crate::ops::http)), goes by [`commands`]. Commands are
//! worked on one at a time, whatever transport they come from.

pub mod cache;
mod clock;
pub mod commands;
pub mod counters;
pub mod dispatch;
pub mod notifications;
mod socket;
pub mod tcp;
pub mod udp;

#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

use dispatch::Dispatcher;

/// The dispatcher. Poison means nothing here: a panic inside it has been dealt with, or left nothing half done.
fn lock<H>(dispatcher: &Mutex<Dispatcher<H>>) -> MutexGuard<'_, Dispatcher<H>> {
    dispatcher.lock().unwrap_or_else(PoisonError::into_inner)
}
