mod levels;
mod statistics;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ng_protocol::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::server::MAX_LINE;
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
fn numsessions_counts_calls_by_family() {
    let expected = "Current sessions own: 2\nCurrent sessions foreign: 0\nCurrent sessions total: 2\n\
                    Current transcoded media: 0\nCurrent sessions ipv4 only media: 1\n\
                    Current sessions ipv6 only media: 0\nCurrent sessions ip mixed  media: 1\n";
    assert_eq!(first_said("list numsessions\n"), expected);
}

#[test]
fn sessions_are_listed_a_line_each_in_rtpengines_columns() {
    let text = first_said("list sessions all\n");
    let first = "callid:                                                        abc@x | deletionmark:  no \
                 | created:  1795170366 | proxy:127.0.0.1:60744 | redis_keyspace:0 | foreign:no";
    assert_eq!(text.lines().next(), Some(first));
    assert_eq!(text.lines().count(), 2);
    assert_eq!(first_said("get sessions own"), text);
}

#[test]
fn where_there_are_no_sessions_that_is_said() {
    assert_dialogue(&[
        (
            "list sessions foreign",
            "No foreign sessions on this media relay.\n",
        ),
        ("terminate all", "All calls terminated by operator.\n"),
        ("list sessions all", "No sessions on this media relay.\n"),
        (
            "list sessions foreign",
            "No sessions on this media relay.\n",
        ),
    ]);
}

const FROM: &str = "\
--- Tag 'ft', type: FROM_TAG, label '', branch '', callduration 12.000000
---     subscribed to 'tt'
---     subscription of 'tt'
------ Media #1 (audio over RTP/AVP) using PCMA
-------- Port       127.0.0.1:30000 <>       127.0.0.1:5000 , SSRC 1234, 3 p, 516 b, 0 e, 1795170400 ts, in kernel
-------- Port       127.0.0.1:30001 <>       127.0.0.1:5001  (RTCP), SSRC 1234, 3 p, 516 b, 0 e, 1795170400 ts, in kernel
";

#[test]
fn one_session_is_shown_with_its_parties_medias_and_ports() {
    let text = first_said("list sessions abc@x");
    let head = "\ncallid: abc@x\ndeletionmark: no\ncreated: 1795170366\nproxy: 127.0.0.1:60744\ntos: 184\n\
                last_signal: 1795170400\nredis_keyspace: 0\nforeign: no\n\n";
    let rest = text.strip_prefix(head).unwrap();
    let rest = rest.strip_prefix(FROM).unwrap();
    assert!(rest.starts_with("--- Tag 'tt', type: TO_TAG,"), "{rest}");
    assert!(rest.contains(" ts, in user space: no next hop\n"), "{rest}");
    assert_eq!(first_said("call abc@x info"), text);
    assert_eq!(first_said("call abc@x tag ft info"), FROM);
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
fn terminate_ends_one_call() {
    let mut relay = Relay::new();
    assert_eq!(
        said(&mut relay, "terminate abc@x\n"),
        "\nCall Id (abc@x) successfully terminated by operator.\n\n"
    );
    assert_eq!(
        said(&mut relay, "call def@x terminate\n"),
        "\nCall 'def@x' terminated.\n\n"
    );
    assert!(relay.calls.is_empty());
}

#[test]
fn maxsessions_is_set_shown_and_taken_back() {
    assert_dialogue(&[
        (
            "list maxsessions",
            "Maximum sessions configured on rtpengine: -1\n",
        ),
        ("set maxsessions 0", "Success setting maxsessions to 0\n"),
        (
            "list maxsessions",
            "Maximum sessions configured on rtpengine: 0\n",
        ),
        (
            "set maxsessions -1",
            "Success setting maxsessions to -1; disable feature\n",
        ),
        (
            "get maxsessions",
            "Maximum sessions configured on rtpengine: -1\n",
        ),
        (
            "set maxsessions x",
            "Fail setting maxsessions to x; no digists found\n",
        ),
        (
            "set maxsessions -5",
            "Fail setting maxsessions to -5; either positive or -1 values allowed\n",
        ),
    ]);
}

#[test]
fn limits_of_load_are_set_and_shown() {
    assert_dialogue(&[
        ("set maxcpu 50", "Success setting maxcpu to 50.0\n"),
        (
            "list maxcpu",
            "Maximum CPU usage configured on rtpengine: 50.0\n",
        ),
        ("set maxload 1.25", "Success setting maxload to 1.25\n"),
        (
            "list maxload",
            "Maximum load average configured on rtpengine: 1.25\n",
        ),
        ("set maxbw 1000", "Success setting maxbw to 1000\n"),
        (
            "list maxbw",
            "Maximum bandwidth configured on rtpengine: 1000\n",
        ),
        (
            "set maxcpu x",
            "Fail setting maxcpu to x; no digists found\n",
        ),
        (
            "set maxload nan",
            "Fail setting maxload to nan; no digists found\n",
        ),
        (
            "set maxbw -1",
            "Fail setting maxbw to -1; no digists found\n",
        ),
        (
            "list maxcpu",
            "Maximum CPU usage configured on rtpengine: 50.0\n",
        ),
    ]);
}

#[test]
fn lifetimes_are_set_and_shown() {
    assert_dialogue(&[
        ("list timeout", "TIMEOUT=60\n"),
        ("set timeout 70", "Success setting timeout to 70\n"),
        ("get timeout", "TIMEOUT=70\n"),
        ("set silenttimeout 71", "Success setting timeout to 71\n"),
        ("list silenttimeout", "SILENT_TIMEOUT=71\n"),
        ("set offertimeout 72", "Success setting timeout to 72\n"),
        ("list offertimeout", "OFFER_TIMEOUT=72\n"),
        ("set finaltimeout 73", "Success setting timeout to 73\n"),
        ("list finaltimeout", "FINAL_TIMEOUT=73\n"),
        ("set deletedelay 5", "Success setting delete-delay to 5\n"),
        ("list deletedelay", "5\n"),
        ("set deletedelay -1", "Invalid delete-delay value\n"),
        (
            "set timeout x",
            "Fail setting timeout to x; no digists found\n",
        ),
        ("get timeout", "TIMEOUT=70\n"),
    ]);
}

#[test]
fn log_level_and_control_tos_are_set_and_shown() {
    assert_dialogue(&[
        ("list loglevel core", "6\n"),
        ("set loglevel 7", "Success setting loglevel to 7\n"),
        ("list loglevel core", "7\n"),
        ("set loglevel core 5", "Success setting loglevel to 5\n"),
        ("list loglevel internals", "5\n"),
        ("set loglevel 9", "Invalid loglevel value\n"),
        (
            "set loglevel ice 7",
            "ice has no log level of its own: set loglevel LEVEL is for all\n",
        ),
        ("set controltos 184", "Success setting control-tos to 184\n"),
        ("list controltos", "184\n"),
        ("set controltos 256", "Invalid control-tos value\n"),
    ]);
}

#[test]
fn open_files_are_shown_and_not_set_too_low() {
    let pid = std::process::id();
    let text = first_said("list maxopenfiles");
    assert!(text.starts_with("Maximum open-files configured on rtpengine: "));
    assert!(text.ends_with(&format!("; cat /proc/{pid}/limits\n")));
    assert_dialogue(&[
        (
            "set maxopenfiles 100",
            "Fail setting open_files to 100; can't set it under 65536\n",
        ),
        (
            "set maxopenfiles x",
            "Fail setting open_files to x; no digists found\n",
        ),
    ]);
}

#[test]
fn parameters_are_listed_compared_and_reverted() {
    let start = "listen-ng = 127.0.0.1:2223\nport-min = 30000\nport-max = 39999\ntimeout = 60\nmax-cpu = 0.0\n";
    assert_dialogue(&[
        ("params start", start),
        ("params current", start),
        ("params diff", ""),
        ("set timeout 70", "Success setting timeout to 70\n"),
        ("set maxcpu 4", "Success setting maxcpu to 4.0\n"),
        ("params diff", "max-cpu: 0.0 => 4.0\ntimeout: 60 => 70\n"),
        ("params start", start),
        (
            "params current",
            "listen-ng = 127.0.0.1:2223\nport-min = 30000\nport-max = 39999\ntimeout = 70\nmax-cpu = 4.0\n",
        ),
        ("params revert", ""),
        ("params diff", ""),
    ]);
}

#[test]
fn interfaces_have_their_ports() {
    assert_eq!(
        first_said("list interfaces"),
        "Interface 'default' address '127.0.0.1' (IPv4)\n Port range: 30000 - 39999\n \
         Ports used:     4 /   200 (  2.0%)\n"
    );
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

/// Sends bytes over a real socket and returns all that comes back until the relay hangs up.
async fn send(bytes: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, Arc::new(Mutex::new(Relay::new()))));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    server.abort();
    response
}

#[tokio::test]
async fn rtpengine_ctls_line_is_answered_and_the_connection_closed() {
    let response = send(b"list maxsessions\n").await;
    assert_eq!(response, "Maximum sessions configured on rtpengine: -1\n");
}

#[tokio::test]
async fn an_empty_line_gets_nothing() {
    assert_eq!(send(b"\n").await, "");
}

#[tokio::test]
async fn a_line_without_an_end_is_cut_at_the_bound() {
    let line = vec![b'x'; MAX_LINE as usize];
    let response = send(&line).await;
    assert!(response.starts_with("Unknown or incomplete command::xxx"));
}
