//! The numbers as Prometheus' text format. Names, types and labels of rtpengine's families are rtpengine's.

use std::fmt::{Display, Write};

use underpass_abi::Outcome;

use super::{MetricsSnapshot, PathCounters, PortCounters, Quantity};
use crate::recording::Recorded;

impl MetricsSnapshot {
    /// The text of `/metrics`.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut text = Text::default();
        self.write_sessions(&mut text);
        self.write_traffic(&mut text);
        self.write_durations(&mut text);
        self.write_voip(&mut text);
        self.write_control(&mut text);
        self.write_ports(&mut text);
        self.write_kernel(&mut text);
        self.write_journal(&mut text);
        self.write_recording(&mut text);
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
    }

    fn write_voip(&self, text: &mut Text) {
        for quantity in [self.voip.mos()].into_iter().chain(self.voip.quantities()) {
            let Quantity { key, name, .. } = quantity;
            for (family, help, value) in [
                ("_total", "values", quantity.total()),
                ("2_total", "square values", quantity.total_of_squares()),
            ] {
                text.family(
                    format!("rtpengine_{key}{family}"),
                    "counter",
                    &format!("Sum of all {name} {help} sampled"),
                );
                text.sample(&[], Float(value));
            }
            text.family(
                format!("rtpengine_{key}_samples_total"),
                "counter",
                &format!("Total number of {name} samples"),
            );
            text.sample(&[], quantity.sampled.count);
        }
        for (key, name, count) in self.voip.counts() {
            text.family(format!("rtpengine_{key}"), "counter", name);
            text.sample(&[], count);
        }
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

    fn write_journal(&self, text: &mut Text) {
        text.family(
            "underpass_journal_in_trouble",
            "gauge",
            "1: calls can't be journaled and would not survive a crash; none without a journal",
        );
        if let Some(in_trouble) = self.journal_in_trouble {
            text.sample(&[], u8::from(in_trouble));
        }
    }

    fn write_recording(&self, text: &mut Text) {
        text.family(
            "underpass_recorded_packets_total",
            "counter",
            "Packets of recorded streams, by what became of them; none without a recording-dir",
        );
        if let Some(Recorded { packets, dropped }) = self.recorded {
            text.sample(&[("outcome", &"written")], packets);
            text.sample(&[("outcome", &"dropped")], dropped);
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
        Outcome::OutsideGrant => "outside_grant",
        Outcome::LeaseOver => "lease_over",
        Outcome::OwnerGone => "owner_gone",
        Outcome::SeveralReceivers => "several_receivers",
    }
}

/// Text in the making; samples belong to the family named last.
#[derive(Default)]
struct Text {
    out: String,
    name: String,
}

impl Text {
    fn family(&mut self, name: impl Into<String>, kind: &str, help: &str) {
        let name = name.into();
        self.out += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        self.name = name;
    }

    fn sample(&mut self, labels: &[(&str, &dyn Display)], value: impl Display) {
        self.out.push_str(&self.name);
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
