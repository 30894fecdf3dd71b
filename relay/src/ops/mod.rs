//! What operators look at and touch: logging, the process's life, metrics over HTTP, the text CLI, the node's tables, the
//! doctor.

#[cfg(feature = "kernel")]
pub mod agent;
pub mod cli;
pub mod daemon;
#[cfg(feature = "kernel")]
pub mod doctor;
pub mod http;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod notify;
pub mod pidfile;
pub mod signals;
mod syslog;

use std::time::Duration;

/// Connections at a time on each of the TCP ports of this room; more wait in the kernel's queue.
///
/// Whoever reaches these ports is not authenticated, and file descriptors are what media lives on.
const MAX_CONNECTIONS: usize = 64;

/// No connection on these ports lives longer: one that stalls frees its place.
const MAX_CONNECTION_TIME: Duration = Duration::from_secs(30);
