//! Numbers for `/metrics`, in Prometheus' text format and rtpengine's families.

use std::fmt::{Display, Write};
use std::net::IpAddr;
use std::time::Duration;

use underpass_abi::{OUTCOMES_LEN, Outcome};

use crate::datapath::InterfaceSummary;

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
    /// Interfaces that carry media, and what forwards on them.
    pub interfaces: Vec<InterfaceSummary>,
    /// Flows asked for.
    pub flows: u64,
    /// Flows in the kernel.
    pub kernel_flows: u64,
    /// Packets the kernel program saw, indexed by [`Outcome`].
    pub outcomes: [u64; OUTCOMES_LEN as usize],
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
            "What forwards on an interface",
        );
        for interface in &self.interfaces {
            let engine = interface
                .engine
                .map_or("null".to_owned(), |engine| engine.to_string());
            text.sample(&[("device", &interface.name), ("engine", &engine)], 1);
        }
        text.family(
            "underpass_flows",
            "gauge",
            "Flows asked for, by where they are",
        );
        text.sample(&[("type", &"kernel")], self.kernel_flows);
        text.sample(
            &[("type", &"waiting")],
            self.flows.saturating_sub(self.kernel_flows),
        );
        text.family(
            "underpass_kernel_packets_total",
            "counter",
            "Packets the kernel program saw, by what became of them",
        );
        for (outcome, count) in Outcome::ALL.iter().zip(self.outcomes) {
            text.sample(&[("outcome", &label(*outcome))], count);
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

/// An outcome as a label.
fn label(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Forwarded => "forwarded",
        Outcome::NotIp => "not_ip",
        Outcome::Fragment => "fragment",
        Outcome::Options => "ip_options",
        Outcome::NotUdp => "not_udp",
        Outcome::Miss => "no_flow",
        Outcome::OtherSource => "other_source",
        Outcome::Stun => "stun",
        Outcome::Dtls => "dtls",
        Outcome::Rtcp => "rtcp",
        Outcome::NotRtp => "not_rtp",
        Outcome::PayloadType => "payload_type",
        Outcome::Ssrc => "ssrc",
        Outcome::TooBig => "too_big",
        Outcome::Checksum => "checksum",
        Outcome::HelperFailed => "helper_failed",
        Outcome::OtherHost => "other_host",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datapath::Engine;

    fn busy() -> MetricsSnapshot {
        MetricsSnapshot {
            sessions: 2,
            streams: StreamCounts {
                userspace: 1,
                kernel: 6,
                mixed: 1,
            },
            uptime: Duration::from_millis(90_700),
            sessions_total: 4,
            closed: ClosedSessions {
                terminated: 3,
                timeout: 1,
                ..ClosedSessions::default()
            },
            user: PathCounters {
                packets: 10,
                errors: 1,
                bytes: 1720,
            },
            kernel: PathCounters {
                packets: 990,
                errors: 0,
                bytes: 170_280,
            },
            zero_packet_streams: 1,
            one_way_sessions: 1,
            call_duration: 30.0,
            call_duration_squared: 300.5,
            requests: vec![RequestCounters {
                proxy: "192.0.2.9".parse().unwrap(),
                request: "offer",
                count: 4,
                time: Duration::from_micros(678),
            }],
            errors: vec![("192.0.2.9".parse().unwrap(), 1)],
            ports: vec![PortCounters {
                interface: "pub\"lic".to_owned(),
                address: "2001:db8::1".parse().unwrap(),
                used: 8,
                free: 9992,
            }],
            table: Some(3),
            interfaces: vec![InterfaceSummary {
                name: "eth0".to_owned(),
                engine: Some(Engine::Xdp),
                note: String::new(),
            }],
            flows: 8,
            kernel_flows: 7,
            outcomes: std::array::from_fn(|index| index as u64 * 10),
            user_space_reasons: vec![("no route to the destination", 1)],
        }
    }

    #[test]
    fn a_busy_relay_is_told_in_full() {
        insta::assert_snapshot!(busy().prometheus());
    }

    #[test]
    fn an_idle_relay_has_every_family() {
        insta::assert_snapshot!(MetricsSnapshot::default().prometheus());
    }

    /// What rtpengine 10.5 serves, family by family, with its types.
    #[test]
    fn every_family_of_rtpengine_is_there_with_its_type() {
        let text = busy().prometheus();
        for family in [
            "rtpengine_sessions gauge",
            "rtpengine_transcoded_media gauge",
            "rtpengine_mediastreams gauge",
            "rtpengine_uptime_seconds gauge",
            "rtpengine_sessions_total counter",
            "rtpengine_closed_sessions_total counter",
            "rtpengine_packets_total counter",
            "rtpengine_packet_errors_total counter",
            "rtpengine_bytes_total counter",
            "rtpengine_zero_packet_streams_total counter",
            "rtpengine_one_way_sessions_total counter",
            "rtpengine_call_duration_avg gauge",
            "rtpengine_call_duration_total counter",
            "rtpengine_call_duration2_total counter",
            "rtpengine_mos_total counter",
            "rtpengine_mos2_total counter",
            "rtpengine_mos_samples_total counter",
            "rtpengine_requests_total counter",
            "rtpengine_request_seconds_total counter",
            "rtpengine_errors_total counter",
            "rtpengine_ports_used gauge",
            "rtpengine_ports_free gauge",
            "rtpengine_ports gauge",
        ] {
            let line = format!("# TYPE {family}");
            assert_eq!(
                text.lines().filter(|found| *found == line).count(),
                1,
                "{family}"
            );
        }
    }

    #[test]
    fn every_sample_stands_below_its_own_family() {
        let text = busy().prometheus();
        let mut family = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = rest.split(' ').next().unwrap();
            }
            if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                assert_eq!(name, family, "{line}");
            }
        }
    }
}
