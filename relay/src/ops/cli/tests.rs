use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A relay with two calls.
struct Relay {
    calls: Mutex<Vec<SessionSummary>>,
    max: Mutex<Option<u32>>,
}

impl Relay {
    fn new() -> Self {
        let call = |call_id: &str, families| SessionSummary {
            call_id: call_id.to_owned(),
            deleted: false,
            created: 1_795_170_366,
            proxy: "127.0.0.1:60744".parse().unwrap(),
            families,
        };
        Self {
            calls: Mutex::new(vec![
                call("abc@x", Families::V4),
                call("def@x", Families::Mixed),
            ]),
            max: Mutex::new(None),
        }
    }
}

impl CliTarget for Relay {
    fn sessions(&self) -> Vec<SessionSummary> {
        self.calls.lock().unwrap().clone()
    }

    fn session(&self, call_id: &str) -> Option<SessionDetails> {
        let summary = self
            .sessions()
            .into_iter()
            .find(|call| call.call_id == call_id)?;
        let lines = vec!["--- Tag 'ft'".to_owned()];
        Some(SessionDetails {
            summary,
            tos: 184,
            last_signal: 1_795_170_400,
            lines,
        })
    }

    fn max_sessions(&self) -> Option<u32> {
        *self.max.lock().unwrap()
    }

    fn set_max_sessions(&self, max: Option<u32>) {
        *self.max.lock().unwrap() = max;
    }

    fn terminate(&self, call_id: &str) -> bool {
        let mut calls = self.calls.lock().unwrap();
        let before = calls.len();
        calls.retain(|call| call.call_id != call_id);
        calls.len() < before
    }

    fn terminate_all(&self) {
        self.calls.lock().unwrap().clear();
    }

    fn metrics(&self) -> MetricsSnapshot {
        let mut metrics = MetricsSnapshot {
            sessions: 2,
            ..MetricsSnapshot::default()
        };
        metrics.user.packets = 3;
        metrics.kernel.packets = 40;
        metrics
    }
}

#[test]
fn numsessions_counts_calls_by_family() {
    let expected = "Current sessions own: 2\nCurrent sessions foreign: 0\nCurrent sessions total: 2\n\
                    Current transcoded media: 0\nCurrent sessions ipv4 only media: 1\n\
                    Current sessions ipv6 only media: 0\nCurrent sessions ip mixed  media: 1\n";
    assert_eq!(answer("list numsessions\n", &Relay::new()), expected);
}

#[test]
fn sessions_are_listed_a_line_each_in_rtpengines_columns() {
    let text = answer("list sessions all\n", &Relay::new());
    let first = "callid:                                                        abc@x | deletionmark:  no \
                 | created:  1795170366 | proxy:127.0.0.1:60744 | redis_keyspace:0 | foreign:no";
    assert_eq!(text.lines().next(), Some(first));
    assert_eq!(text.lines().count(), 2);
}

#[test]
fn there_are_no_foreign_sessions() {
    assert_eq!(answer("list sessions foreign\n", &Relay::new()), "");
}

#[test]
fn one_session_is_shown_with_its_lines() {
    let expected = "\ncallid: abc@x\ndeletionmark: no\ncreated: 1795170366\nproxy: 127.0.0.1:60744\ntos: 184\n\
                    last_signal: 1795170400\nredis_keyspace: 0\nforeign: no\n\n--- Tag 'ft'\n\n";
    assert_eq!(answer("list sessions abc@x\n", &Relay::new()), expected);
}

#[test]
fn an_unknown_call_id_is_said_to_be_unknown() {
    let relay = Relay::new();
    assert_eq!(
        answer("list sessions nope\n", &relay),
        "\nCall ID not found (nope).\n\n"
    );
    assert_eq!(
        answer("terminate nope\n", &relay),
        "\nCall Id not found (nope).\n\n"
    );
    assert_eq!(relay.sessions().len(), 2);
}

#[test]
fn terminate_ends_one_call() {
    let relay = Relay::new();
    let text = answer("terminate abc@x\n", &relay);
    assert_eq!(
        text,
        "\nCall Id (abc@x) successfully terminated by operator.\n\n"
    );
    assert_eq!(relay.sessions().len(), 1);
}

#[test]
fn terminate_all_ends_all_calls() {
    let relay = Relay::new();
    assert_eq!(
        answer("terminate all\n", &relay),
        "All calls terminated by operator.\n"
    );
    assert_eq!(relay.sessions().len(), 0);
}

#[test]
fn maxsessions_is_set_shown_and_taken_back() {
    let relay = Relay::new();
    let dialogue = [
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
        ("set maxsessions", "More parameters required.\n"),
    ];
    for (line, expected) in dialogue {
        assert_eq!(answer(line, &relay), expected, "{line}");
    }
}

#[test]
fn totals_have_rtpengines_labels_and_add_both_paths() {
    let text = answer("list totals\n", &Relay::new());
    for line in [
        " Owned sessions                                  :2",
        " Uptime of rtpengine                             :0 seconds",
        " Total relayed packets (userspace)               :3",
        " Total relayed packets (kernel)                  :40",
        " Total relayed packets                           :43",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[test]
fn what_is_not_there_is_said_not_to_be_there() {
    let relay = Relay::new();
    assert_eq!(
        answer("ksadd 5\n", &relay),
        "Not a command of underpass: ksadd 5\n"
    );
    assert_eq!(answer("list\n", &relay), "More parameters required.\n");
}

/// Sends bytes over a real socket and returns all that comes back until the relay hangs up.
async fn send(bytes: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, Arc::new(Relay::new())));
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
    assert!(response.starts_with("Not a command of underpass: xxx"));
}
