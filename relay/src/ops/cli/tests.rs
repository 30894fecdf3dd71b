//! A relay of two calls, asked by the line.

mod levels;
mod server;
mod sessions;
mod settings;
mod statistics;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ng_protocol::Value;

use super::*;
use crate::call::Hundredths;
use crate::media::PortRange;
use crate::ops::logging::Levels;
use crate::ops::metrics::tests::voip;
use crate::ops::metrics::{CommandPace, IntervalCounters, PortCounters, RequestCounters, Spread};

/// A relay with two calls.
pub(crate) struct Relay {
    calls: Vec<SessionSummary>,
    parameters: Parameters,
    options: Vec<(&'static str, String)>,
    /// How many proxies have sent something.
    proxies: u8,
}

impl Relay {
    pub(crate) fn new() -> Self {
        let call = |call_id: &str, families| SessionSummary {
            call_id: call_id.to_owned(),
            deleted: false,
            created: 1_795_170_366,
            proxy: "127.0.0.1:60744".parse().unwrap(),
            families,
        };
        let option = |name, value: &str| (name, value.to_owned());
        Self {
            calls: vec![call("abc@x", Families::V4), call("def@x", Families::Mixed)],
            parameters: parameters(),
            options: vec![
                option("listen-ng", "127.0.0.1:2223"),
                option("port-min", "30000"),
                option("port-max", "39999"),
                option("timeout", "60"),
                option("max-cpu", "0"),
            ],
            proxies: 1,
        }
    }
}

fn parameters() -> Parameters {
    Parameters {
        max_sessions: None,
        max_cpu: Hundredths(0),
        max_load: Hundredths(0),
        max_bandwidth: 0,
        timeout: 60,
        silent_timeout: 3600,
        offer_timeout: 3600,
        final_timeout: 0,
        delete_delay: 30,
        control_tos: 0,
        log_levels: Levels::all(6),
    }
}

fn dict<const N: usize>(entries: [(&'static str, Value); N]) -> Dict {
    let mut dict = Dict::new();
    for (key, value) in entries {
        dict.insert(key, value);
    }
    dict
}

/// What `query` says of a party that faces `peer`.
fn party(tag: &'static str, peer: &'static str, port: i64, reason: &'static str) -> Dict {
    let edge = || Value::from(vec![dict([("tag", peer.into())]).into()]);
    let stream = |component: &'static str, offset: i64| {
        let endpoint = dict([
            ("address", "127.0.0.1".into()),
            ("port", (5000 + offset).into()),
        ]);
        let stats = dict([("packets", 3.into()), ("bytes", 516.into())]);
        dict([
            ("local address", "127.0.0.1".into()),
            ("local port", (port + offset).into()),
            ("endpoint", endpoint.into()),
            ("SSRC", 0x1234.into()),
            ("stats", stats.into()),
            ("last packet", 1_795_170_400.into()),
            ("flags", vec![component.into(), "kernelized".into()].into()),
            ("kernel reason", reason.into()),
        ])
    };
    let media = dict([
        ("index", 1.into()),
        ("type", "audio".into()),
        ("protocol", "RTP/AVP".into()),
        ("codec", "PCMA".into()),
        (
            "streams",
            vec![stream("RTP", 0).into(), stream("RTCP", 1).into()].into(),
        ),
    ]);
    dict([
        ("tag", tag.into()),
        ("created", 1_795_170_366.into()),
        ("subscriptions", edge()),
        ("subscribers", edge()),
        ("medias", vec![media.into()].into()),
    ])
}

impl CliTarget for Relay {
    fn sessions(&self) -> Vec<SessionSummary> {
        self.calls.clone()
    }

    fn session(&self, call_id: &str) -> Option<SessionDetails> {
        let summary = self.calls.iter().find(|call| call.call_id == call_id)?;
        let tags = dict([
            ("ft", party("ft", "tt", 30_000, "").into()),
            ("tt", party("tt", "ft", 30_010, "no next hop").into()),
        ]);
        Some(SessionDetails {
            summary: summary.clone(),
            tos: 184,
            last_signal: 1_795_170_400,
            now: 1_795_170_378,
            description: dict([("tags", tags.into())]),
        })
    }

    fn terminate(&mut self, call_id: &str) -> bool {
        let before = self.calls.len();
        self.calls.retain(|call| call.call_id != call_id);
        self.calls.len() < before
    }

    fn terminate_all(&mut self) {
        self.calls.clear();
    }

    fn parameters(&self) -> Parameters {
        self.parameters.clone()
    }

    fn initial_parameters(&self) -> Parameters {
        parameters()
    }

    fn set_parameters(&mut self, parameters: Parameters) {
        self.parameters = parameters;
    }

    fn options(&self) -> &[(&'static str, String)] {
        &self.options
    }

    fn metrics(&self) -> MetricsSnapshot {
        let proxy: IpAddr = "127.0.0.1".parse().unwrap();
        let mut metrics = MetricsSnapshot {
            sessions: 2,
            sessions_total: 2,
            call_duration: 30.0,
            call_duration_squared: 500.0,
            errors: (1..=self.proxies)
                .map(|last| (IpAddr::from([127, 0, 0, last]), 1))
                .collect(),
            ..MetricsSnapshot::default()
        };
        metrics.user.packets = 3;
        metrics.kernel.packets = 40;
        metrics.kernel_rate.bytes = 17_200;
        metrics.ports.push(PortCounters {
            interface: "default".to_owned(),
            address: proxy,
            range: PortRange {
                first: 30_000,
                last: 39_999,
            },
            used: 4,
            free: 196,
        });
        metrics.voip = voip();
        metrics.interval = interval();
        metrics.requests.push(RequestCounters {
            proxy,
            request: "offer",
            count: 5,
            time: Duration::from_millis(2),
        });
        metrics
    }
}

fn interval() -> IntervalCounters {
    let ms = Duration::from_millis;
    let offers = CommandPace {
        command: "offer",
        delay: Spread {
            min: ms(1),
            max: ms(4),
            avg: ms(2),
        },
        rate: Spread {
            min: 0,
            max: 5,
            avg: 2,
        },
    };
    IntervalCounters {
        call_duration: Duration::from_secs(20),
        fewest_sessions: 1,
        most_sessions: 3,
        commands: vec![offers],
    }
}

impl Cli for Mutex<Relay> {
    fn answer(&self, line: &str) -> String {
        let relay = &mut *self.lock().unwrap_or_else(PoisonError::into_inner);
        said(relay, line)
    }
}

/// The answer to a line.
fn said(relay: &mut Relay, line: &str) -> String {
    answer(line, relay).into_text()
}

/// The answer of a fresh relay.
fn first_said(line: &str) -> String {
    said(&mut Relay::new(), line)
}

#[track_caller]
fn assert_dialogue(dialogue: &[(&str, &str)]) {
    let mut relay = Relay::new();
    for (line, expected) in dialogue {
        assert_eq!(said(&mut relay, line), *expected, "{line}");
    }
}

#[test]
fn what_is_not_known_is_said_to_be_unknown() {
    for (line, expected) in [
        ("list sessions nope", "\nCall ID not found (nope).\n\n"),
        ("terminate nope", "\nCall Id not found (nope).\n\n"),
        ("call nope info", "No such call 'nope'\n"),
        ("call abc@x tag nope info", "No such tag 'nope'\n"),
        ("list nope", "Unknown or incomplete command::nope\n"),
        ("set nope 3", "Unknown or incomplete command::nope 3\n"),
        ("call abc@x", "Unknown or incomplete command::\n"),
        ("nope", "Unknown or incomplete command::nope\n"),
        (
            "LIST totals",
            "Unknown or incomplete command::LIST totals\n",
        ),
    ] {
        assert_eq!(first_said(line), expected, "{line}");
    }
}

#[test]
fn what_lacks_a_word_is_said_to_lack_it() {
    for line in [
        "list",
        "list sessions",
        "set",
        "set maxsessions",
        "terminate",
        "params",
        "call",
        "call abc@x tag",
    ] {
        assert_eq!(first_said(line), "More parameters required.\n", "{line}");
    }
}

#[test]
fn what_means_nothing_here_is_answered_in_one_line() {
    for line in [
        "ksadd 5",
        "ksrm 5",
        "standby",
        "debug abc@x on",
        "call abc@x debug on",
        "list redisallowederrors",
        "set redisdisabletime 5",
    ] {
        let text = first_said(line);
        assert_eq!(text.lines().count(), 1, "{line}: {text}");
        assert!(!text.starts_with("Unknown"), "{line}: {text}");
    }
    assert_dialogue(&[
        ("active", "Ok, all calls set to 'owned (active)'\n"),
        ("kslist", "\nSubscribed-on keyspaces:\n\n"),
        ("list transcoders", "No stats entries\n"),
    ]);
}

#[test]
fn every_word_that_help_names_is_known() {
    for level in [
        "",
        "list",
        "set",
        "params",
        "call abc@x",
        "call abc@x tag ft",
    ] {
        let help = first_said(&format!("{level} help"));
        let words = help.strip_prefix("Available sub-commands at this level:\n\t");
        for word in words.unwrap().split_whitespace() {
            let text = first_said(&format!("{level} {word}"));
            assert_ne!(
                text,
                format!("Unknown or incomplete command::{word}\n"),
                "{level} {word}"
            );
        }
    }
}
