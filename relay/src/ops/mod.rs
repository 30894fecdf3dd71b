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
