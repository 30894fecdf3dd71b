//! RTCP (RFC 3550 section 6): what receivers report is read, and reports are made where signalling asks for that.

mod compound;
mod generator;
mod mos;
mod reports;
mod totals;

pub(super) use compound::without_feedback;
pub(super) use generator::{Generator, Receiving, Sending, next_due_ms};
pub use mos::{Formula, Mos};
pub(super) use reports::{Block, Reports, blocks, sender_report};
pub use totals::ReportTotals;
