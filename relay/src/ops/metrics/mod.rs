//! Numbers for `/metrics`, in Prometheus' text format and rtpengine's families.

mod interval;
mod prometheus;
#[cfg(test)]
pub(crate) mod tests;
mod voip;

use std::net::IpAddr;
use std::time::Duration;

use underpass_abi::OUTCOMES_LEN;

use crate::datapath::InterfaceSummary;
use crate::media::PortRange;
use crate::recording::Recorded;

pub use interval::{CommandPace, IntervalCounters, Spread};
pub use voip::{Quantity, VoipCounters};

/// Gives the numbers of a running relay.
pub trait Snapshot: Send + Sync + 'static {
    /// The numbers now. May block for as long as reading the kernel's counters takes.
    fn metrics(&self) -> MetricsSnapshot;
}

/// All numbers at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricsSnapshot {
    /// Calls now.
    pub sessions: u64,
    /// Streams now, by where their packets are forwarded.
    pub streams: StreamCounts,
    /// Since the start.
    pub uptime: Duration,
    /// Calls that have ended.
    pub sessions_total: u64,
    /// Why they ended.
    pub closed: ClosedSessions,
    /// Relayed in user space since the start.
    pub user: PathCounters,
    /// Relayed in the kernel since the start.
    pub kernel: PathCounters,
    /// Relayed in user space in the last second.
    pub user_rate: PathCounters,
    /// Relayed in the kernel in the last second.
    pub kernel_rate: PathCounters,
    /// Streams of ended calls that never relayed a packet.
    pub zero_packet_streams: u64,
    /// Ended calls with media in one direction only.
    pub one_way_sessions: u64,
    /// Seconds, summed over ended calls.
    pub call_duration: f64,
    /// Squared seconds, summed over ended calls.
    pub call_duration_squared: f64,
    /// The last finished interval.
    pub interval: IntervalCounters,
    /// How calls sound.
    pub voip: VoipCounters,
    /// Commands by proxy and command.
    pub requests: Vec<RequestCounters>,
    /// Commands answered with an error, by proxy.
    pub errors: Vec<(IpAddr, u64)>,
    /// Media ports by local address.
    pub ports: Vec<PortCounters>,
    /// The table that was claimed; `None` in user space only.
    pub table: Option<u32>,
    /// Interfaces that carry media, and what forwards on them.
    pub interfaces: Vec<InterfaceSummary>,
    /// Flows asked for.
    pub flows: u64,
    /// Flows in the kernel.
    pub kernel_flows: u64,
    /// Packets the kernel program saw, indexed by [`underpass_abi::Outcome`].
    pub outcomes: [u64; OUTCOMES_LEN as usize],
    /// Streams now in user space, by reason.
    pub user_space_reasons: Vec<(&'static str, u64)>,
    /// Calls can't be journaled, and would not survive a crash. `None`: they are not to be.
    pub journal_in_trouble: Option<bool>,
    /// What became of packets of recorded streams. `None`: nothing is recorded.
    pub recorded: Option<Recorded>,
}

/// Streams by where their packets are forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounts {
    /// User space only.
    pub userspace: u64,
    /// Kernel only.
    pub kernel: u64,
    /// One side of the media in the kernel, the other not.
    pub mixed: u64,
}

/// Why calls ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClosedSessions {
    /// Refused by a limit.
    pub rejected: u64,
    /// `timeout`.
    pub timeout: u64,
    /// `silent-timeout`.
    pub silent_timeout: u64,
    /// `final-timeout`.
    pub final_timeout: u64,
    /// `offer-timeout`.
    pub offer_timeout: u64,
    /// Deleted by the proxy.
    pub terminated: u64,
    /// Ended by the operator.
    pub force_terminated: u64,
}

/// Packets relayed on one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathCounters {
    /// Packets.
    pub packets: u64,
    /// Packets that could not be relayed.
    pub errors: u64,
    /// UDP payload bytes.
    pub bytes: u64,
}

/// Commands of one kind from one proxy.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestCounters {
    /// The proxy.
    pub proxy: IpAddr,
    /// The command, as on the wire.
    pub request: &'static str,
    /// How many.
    pub count: u64,
    /// Time spent on them.
    pub time: Duration,
}

/// Media ports of one local address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortCounters {
    /// The logical interface.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// From the lowest to the highest.
    pub range: PortRange,
    /// In use.
    pub used: u64,
    /// Free, resting ones included.
    pub free: u64,
}
