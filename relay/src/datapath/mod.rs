//! Forwarding established flows below user space: one trait, engines behind it.
//!
//! A [`Flow`] is a decision that `media` has already taken for the packets of one source at one local port. Engines
//! only cache it: a packet that does not fit exactly comes up to the socket, and user space can always do everything.

mod engine;
pub mod flow;
#[cfg(feature = "kernel")]
mod kernel;
#[cfg(feature = "kernel")]
pub(crate) mod mapped;
mod monitor;
#[cfg(feature = "kernel")]
mod next_hop;
mod null;
#[cfg(feature = "kernel")]
pub mod object;
#[cfg(feature = "kernel")]
mod placement;
pub mod report;
mod start;
#[cfg(feature = "kernel")]
pub(crate) mod table;
#[cfg(feature = "kernel")]
mod watchdog;

pub use engine::{Engine, EngineChoice, UnknownEngine};
pub use flow::{Flow, FlowId, MAX_RECEIVERS, PayloadTypes, Receiver, SsrcFilter};
pub use monitor::{InterfaceSummary, Monitor};
pub use null::NullDatapath;
pub use report::{FlowReport, FlowState, Reason, SsrcCounters};
pub use start::{DatapathConfig, MAX_FLOWS, StartError, Started, TableUsage, null, start};

use std::net::SocketAddr;
use std::sync::Arc;

/// What forwards flows. Calls never block on the kernel or on netlink: they are made from the packet path.
pub trait Datapath: Send + Sync {
    /// Forwards `flow` from now on, or replaces the flow of the same `id` in place with no packet lost between the two.
    ///
    /// The outcome, now and whenever it changes (next hop gone, interface down, map full), is written to `report`.
    fn install(&self, id: FlowId, flow: Flow, report: Arc<FlowReport>);

    /// Ends the flow; its packets come up to the socket again. The report keeps its final counters and its state
    /// becomes [`Reason::NotInstalled`]. Unknown ids are ignored.
    fn remove(&self, id: FlowId);

    /// Brings the counters of every report up to date; returns when they are. For `query` and metrics, not for the
    /// packet path.
    fn refresh(&self);

    /// The same for a few flows, at a cost that does not grow with the table. Unknown ids are ignored.
    fn refresh_flows(&self, flows: &[FlowId]);

    /// These local ports have sockets from now on. Should the process die, the kernel is not to answer for them while
    /// the table's lease runs (port unreachable would end calls at the far end).
    fn hold(&self, _ports: &[SocketAddr]) {}

    /// These local ports are about to lose their sockets, rightly.
    fn let_go(&self, _ports: &[SocketAddr]) {}

    /// Everything that was to be restored after a restart has been installed: an earlier generation of the table, which
    /// has gone on forwarding until now, gives way. Returns when it has, or can't be expected to.
    fn settled(&self) {}

    /// Leaves the table as it is to a successor of this process: its flows are forwarded on while the lease runs, and
    /// nothing that is asked for from now on is carried out.
    fn leave(&self) {}
}
