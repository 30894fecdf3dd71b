//! The account of the demo's call.

use std::fmt::Write;

use lab::Report;
use serde_json::{Value, json};

/// Where a stream was forwarded at the end of the call.
#[derive(Clone, Debug)]
pub(super) enum Forwarding {
    /// By the kernel.
    Kernel,
    /// By the relay's process, and why.
    UserSpace(String),
}

impl Default for Forwarding {
    fn default() -> Self {
        Self::UserSpace("query does not mention the stream".to_owned())
    }
}

/// One direction of the call.
pub(super) struct Stream {
    name: &'static str,
    sent: u32,
    received: u32,
    damaged: u32,
    forwarding: Forwarding,
    /// Time from sender to receiver, in ns: half of the packets and 99 % of them took at most this.
    latency: [u64; 2],
    /// What of it one hop without a relay, measured the same way, does not take; 0 where noise is larger than the difference.
    added: [u64; 2],
}

/// All that is told.
pub(super) struct Account {
    pub(super) relay: String,
    pub(super) streams: Vec<Stream>,
    pub(super) kernel_packets: u64,
    pub(super) userspace_packets: u64,
}

impl Stream {
    /// From the receiver's report; `hop` is what one hop without a relay takes.
    pub(super) fn new(
        name: &'static str,
        report: &Report,
        hop: [u64; 2],
        forwarding: Forwarding,
    ) -> Self {
        let latency = quantiles(report);
        Self {
            name,
            sent: report.sent,
            received: report.received,
            damaged: report.corrupted + report.foreign + report.duplicates,
            forwarding,
            latency,
            added: [0, 1].map(|at| latency[at].saturating_sub(hop[at])),
        }
    }
}

impl Account {
    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "\nA SIP call through Kamailio, {} between 10.1.0.0/24 and 10.2.0.0/24, no route between them\n\n",
            self.relay
        );
        let _ = writeln!(
            text,
            "{:<18}{:>6}{:>9}{:>6}{:>9}   {:<22}{:<22}forwarded by",
            "stream", "sent", "arrived", "lost", "damaged", "latency p50 / p99", "of which added"
        );
        for stream in &self.streams {
            let _ = writeln!(
                text,
                "{:<18}{:>6}{:>9}{:>6}{:>9}   {:<22}{:<22}{}",
                stream.name,
                stream.sent,
                stream.received,
                stream.sent - stream.received,
                stream.damaged,
                microseconds(stream.latency),
                microseconds(stream.added),
                stream.forwarding.text(),
            );
        }
        let _ = writeln!(
            text,
            "\npackets forwarded in the kernel: {}, in user space: {}\n\
             (added: above the same share of packets over one hop without a relay, just before; 0: lost in the noise)",
            self.kernel_packets, self.userspace_packets
        );
        text
    }

    /// For programs; times in ns.
    pub(super) fn json(&self) -> Value {
        let streams = self.streams.iter().map(|stream| {
            json!({
                "stream": stream.name, "sent": stream.sent, "arrived": stream.received,
                "lost": stream.sent - stream.received, "damaged": stream.damaged,
                "forwarded by": stream.forwarding.place(), "reason": stream.forwarding.reason(),
                "latency ns": {"p50": stream.latency[0], "p99": stream.latency[1]},
                "added latency ns": {"p50": stream.added[0], "p99": stream.added[1]},
            })
        });
        json!({
            "relay": self.relay, "streams": streams.collect::<Vec<_>>(),
            "packets": {"kernel": self.kernel_packets, "userspace": self.userspace_packets},
        })
    }
}

impl Forwarding {
    fn place(&self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::UserSpace(_) => "user space",
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Kernel => None,
            Self::UserSpace(reason) => Some(reason),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Kernel => "the kernel".to_owned(),
            Self::UserSpace(reason) => format!("user space: {reason}"),
        }
    }
}

/// The time in ns that half of the packets took at most, and 99 % of them.
pub(super) fn quantiles(report: &Report) -> [u64; 2] {
    [0.5, 0.99].map(|quantile| report.delay_ns(quantile).unwrap_or_default())
}

fn microseconds(times: [u64; 2]) -> String {
    let [median, most] = times.map(|ns| ns / 1000);
    format!("{median} / {most} µs")
}
