//! Numbers for `/metrics`, in Prometheus' text format and rtpengine's families.

use std::fmt::{Display, Write};
use std::net::IpAddr;
use std::time::Duration;

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
    /// Streams of ended calls that never relayed a packet.
    pub zero_packet_streams: u64,
    /// Ended calls with media in one direction only.
    pub one_way_sessions: u64,
    /// Seconds, summed over ended calls.
    pub call_duration: f64,
    /// Squared seconds, summed over ended calls.
    pub call_duration_squared: f64,
    /// Commands by proxy and command.
    pub requests: Vec<RequestCounters>,
    /// Commands answered with an error, by proxy.
    pub errors: Vec<(IpAddr, u64)>,
    /// Media ports by local address.
    pub ports: Vec<PortCounters>,
    /// The table that was claimed; `None` in user space only.
    pub table: Option<u32>,
    /// What the kernel program did, by device.
    pub engines: Vec<EngineCounters>,
    /// Streams now in user space, by reason.
    pub user_space_reasons: Vec<(&'static str, u64)>,
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
    /// In use.
    pub used: u64,
    /// Free, resting ones included.
    pub free: u64,
}

/// What one attached kernel program did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineCounters {
    /// The device.
    pub device: String,
    /// `xdp`, `xdp-generic`, `tc` or `null`.
    pub engine: &'static str,
    /// Packets by outcome: forwarded, or why they were passed up.
    pub outcomes: Vec<(&'static str, u64)>,
}

impl MetricsSnapshot {
    /// The text of `/metrics`.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut text = Text::default();
        self.write_sessions(&mut text);
        self.write_traffic(&mut text);
        self.write_durations(&mut text);
        self.write_control(&mut text);
        self.write_ports(&mut text);
        self.write_kernel(&mut text);
        text.out
    }

    fn write_sessions(&self, text: &mut Text) {
        text.family("rtpengine_sessions", "gauge", "Calls now");
        text.sample(&[("type", &"own")], self.sessions);
        text.sample(&[("type", &"foreign")], 0);
        text.family(
            "rtpengine_transcoded_media",
            "gauge",
            "Media being transcoded now",
        );
        text.sample(&[], 0);
        text.family(
            "rtpengine_mediastreams",
            "gauge",
            "Media streams now, by where they are forwarded",
        );
        text.sample(&[("type", &"userspace")], self.streams.userspace);
        text.sample(&[("type", &"kernel")], self.streams.kernel);
        text.sample(&[("type", &"mixed")], self.streams.mixed);
        text.family("rtpengine_uptime_seconds", "gauge", "Time since the start");
        text.sample(&[], self.uptime.as_secs());
        text.family(
            "rtpengine_sessions_total",
            "counter",
            "Calls that have ended",
        );
        text.sample(&[], self.sessions_total);
        text.family(
            "rtpengine_closed_sessions_total",
            "counter",
            "Calls that have ended, by reason",
        );
        let closed = &self.closed;
        for (reason, count) in [
            ("rejected", closed.rejected),
            ("timeout", closed.timeout),
            ("silent_timeout", closed.silent_timeout),
            ("final_timeout", closed.final_timeout),
            ("offer_timeout", closed.offer_timeout),
            ("terminated", closed.terminated),
            ("force_terminated", closed.force_terminated),
        ] {
            text.sample(&[("reason", &reason)], count);
        }
    }

    fn write_traffic(&self, text: &mut Text) {
        type Counter = fn(&PathCounters) -> u64;
        let families: [(&str, &str, Counter); 3] = [
            ("rtpengine_packets_total", "Packets relayed", |path| {
                path.packets
            }),
            (
                "rtpengine_packet_errors_total",
                "Packets that could not be relayed",
                |path| path.errors,
            ),
            (
                "rtpengine_bytes_total",
                "UDP payload bytes relayed",
                |path| path.bytes,
            ),
        ];
        for (name, help, counter) in families {
            text.family(name, "counter", help);
            text.sample(&[("type", &"userspace")], counter(&self.user));
            text.sample(&[("type", &"kernel")], counter(&self.kernel));
        }
        text.family(
            "rtpengine_zero_packet_streams_total",
            "counter",
            "Streams that never relayed a packet",
        );
        text.sample(&[], self.zero_packet_streams);
        text.family(
            "rtpengine_one_way_sessions_total",
            "counter",
            "Calls with media in one direction only",
        );
        text.sample(&[], self.one_way_sessions);
    }

    fn write_durations(&self, text: &mut Text) {
        let ended = self.sessions_total as f64;
        let average = if ended > 0.0 {
            self.call_duration / ended
        } else {
            0.0
        };
        text.family(
            "rtpengine_call_duration_avg",
            "gauge",
            "Average duration of ended calls in seconds",
        );
        text.sample(&[], Float(average));
        text.family(
            "rtpengine_call_duration_total",
            "counter",
            "Seconds, summed over ended calls",
        );
        text.sample(&[], Float(self.call_duration));
        text.family(
            "rtpengine_call_duration2_total",
            "counter",
            "Squared seconds, summed over ended calls",
        );
        text.sample(&[], Float(self.call_duration_squared));
        // No MOS is measured: no samples, for dashboards that divide by them.
        text.family("rtpengine_mos_total", "counter", "Sum of MOS values");
        text.sample(&[], Float(0.0));
        text.family(
            "rtpengine_mos2_total",
            "counter",
            "Sum of squared MOS values",
        );
        text.sample(&[], Float(0.0));
        text.family(
            "rtpengine_mos_samples_total",
            "counter",
            "Number of MOS values",
        );
        text.sample(&[], 0);
    }

    fn write_control(&self, text: &mut Text) {
        text.family("rtpengine_requests_total", "counter", "Commands, by proxy");
        for request in &self.requests {
            text.sample(
                &[("proxy", &request.proxy), ("request", &request.request)],
                request.count,
            );
        }
        text.family(
            "rtpengine_request_seconds_total",
            "counter",
            "Time spent on commands, by proxy",
        );
        for request in &self.requests {
            let seconds = Float(request.time.as_secs_f64());
            text.sample(
                &[("proxy", &request.proxy), ("request", &request.request)],
                seconds,
            );
        }
        text.family(
            "rtpengine_errors_total",
            "counter",
            "Commands answered with an error, by proxy",
        );
        for (proxy, count) in &self.errors {
            text.sample(&[("proxy", proxy)], count);
        }
    }

    fn write_ports(&self, text: &mut Text) {
        type Counter = fn(&PortCounters) -> u64;
        let families: [(&str, &str, Counter); 3] = [
            ("rtpengine_ports_used", "Media ports in use", |ports| {
                ports.used
            }),
            ("rtpengine_ports_free", "Media ports free", |ports| {
                ports.free
            }),
            ("rtpengine_ports", "Media ports", |ports| {
                ports.used + ports.free
            }),
        ];
        for (name, help, counter) in families {
            text.family(name, "gauge", help);
            for ports in &self.ports {
                text.sample(
                    &[("name", &ports.interface), ("address", &ports.address)],
                    counter(ports),
                );
            }
        }
    }

    fn write_kernel(&self, text: &mut Text) {
        text.family(
            "underpass_table",
            "gauge",
            "Forwarding table claimed; -1 in user space only",
        );
        text.sample(&[], self.table.map_or(-1, i64::from));
        text.family(
            "underpass_engine_info",
            "gauge",
            "What forwards on a device",
        );
        for engine in &self.engines {
            text.sample(&[("device", &engine.device), ("engine", &engine.engine)], 1);
        }
        text.family(
            "underpass_engine_packets_total",
            "counter",
            "Packets the kernel program saw, by what it did",
        );
        for engine in &self.engines {
            for (outcome, count) in &engine.outcomes {
                let labels: [(&str, &dyn Display); 3] = [
                    ("device", &engine.device),
                    ("engine", &engine.engine),
                    ("outcome", outcome),
                ];
                text.sample(&labels, count);
            }
        }
        text.family(
            "underpass_userspace_streams",
            "gauge",
            "Streams forwarded in user space now, by reason",
        );
        for (reason, count) in &self.user_space_reasons {
            text.sample(&[("reason", reason)], count);
        }
    }
}

/// Text in the making; samples belong to the family named last.
#[derive(Default)]
struct Text {
    out: String,
    name: &'static str,
}

impl Text {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        self.out += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, labels: &[(&str, &dyn Display)], value: impl Display) {
        self.out.push_str(self.name);
        for (index, (name, value)) in labels.iter().enumerate() {
            let opening = if index == 0 { '{' } else { ',' };
            self.out.push(opening);
            self.out += &format!("{name}=\"{}\"", escape(&value.to_string()));
        }
        if !labels.is_empty() {
            self.out.push('}');
        }
        // Writing to a String cannot fail.
        let _ = writeln!(self.out, " {value}");
    }
}

fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// Six digits after the point, as rtpengine writes them.
struct Float(f64);

impl Display for Float {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.6}", self.0)
    }
}
