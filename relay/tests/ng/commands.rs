//! Every command: what it answers when all is well.

use ng_protocol::Command;
use serde_json::json;

use super::asking::{Call, ENCODINGS};
use super::relay::Relay;

macro_rules! commands {
    ($($name:ident: $command:literal => $plays:expr;)*) => {
        $(#[test]
        fn $name() {
            for encoding in ENCODINGS {
                let call = Call::new(Relay::shared(), encoding);
                let plays: fn(&Call<'_>, &str) = $plays;
                plays(&call, $command);
            }
        })*

        /// The commands that have a test.
        const TESTED: &[&str] = &[$($command),*];
    };
}

/// The commands that have none here.
const MISSING: &[&str] = &[
    "publish",
    "subscribe request",
    "subscribe answer",
    "unsubscribe",
    "inject start",
    "inject stop",
    "connect",
    "transform",
    "create",
    "create answer",
    "mesh",
];

commands! {
    ping: "ping" => |call, command| assert_eq!(call.ask(command, &json!({})), json!({"result": "pong"}));
    offer: "offer" => |call, _| assert!(call.offer(&json!({})).starts_with("v=0\r\n"));
    answer: "answer" => |call, _| {
        call.offer(&json!({}));
        assert!(call.answer(&json!({})).starts_with("v=0\r\n"));
    };
    delete: "delete" => |call, command| {
        talk(call);
        let reply = call.ask(command, &json!({"from-tag": "caller"}));
        assert_eq!(reply["result"], "ok");
        assert!(reply["totals"]["RTP"]["packets"].is_u64(), "{reply}");
        assert_eq!(call.query()["error-reason"], "Unknown call-id");
    };
    query: "query" => |call, command| {
        talk(call);
        let reply = call.ask(command, &json!({}));
        for tag in ["caller", "callee"] {
            assert_eq!(reply["tags"][tag]["tag"], tag, "{reply}");
        }
    };
    list: "list" => |call, command| {
        call.offer(&json!({}));
        let reply = call.ask(command, &json!({"limit": 10_000}));
        assert!(reply["calls"].as_array().is_some_and(|calls| calls.contains(&json!(call.id))));
    };
    statistics: "statistics" => |call, command| {
        call.offer(&json!({}));
        let reply = call.ask(command, &json!({}));
        let current = &reply["statistics"]["currentstatistics"];
        assert!(current["sessionstotal"].as_u64().is_some_and(|sessions| sessions > 0), "{reply}");
    };
    cli: "cli" => |call, command| {
        call.offer(&json!({}));
        let reply = call.ask(command, &json!({"body": "list maxsessions"}));
        let answer = "Maximum sessions configured on rtpengine: -1\n";
        assert_eq!(reply, json!({"result": "ok", "response": answer}));
        let reply = call.ask(command, &json!({}));
        assert_eq!(reply["error-reason"], "No 'body' in message");
    };
    block_media: "block media" => done;
    unblock_media: "unblock media" => done;
    silence_media: "silence media" => done;
    unsilence_media: "unsilence media" => done;
    block_dtmf: "block DTMF" => done;
    unblock_dtmf: "unblock DTMF" => done;
    start_recording: "start recording" => done;
    pause_recording: "pause recording" => done;
    stop_recording: "stop recording" => done;
    start_forwarding: "start forwarding" => done;
    stop_forwarding: "stop forwarding" => done;
    play_media: "play media" => unsupported;
    stop_media: "stop media" => unsupported;
    play_dtmf: "play DTMF" => unsupported;
}

/// An offer and its answer.
fn talk(call: &Call<'_>) {
    call.offer(&json!({}));
    call.answer(&json!({}));
}

/// The command about one party and about all, each answered by `ok` alone.
fn done(call: &Call<'_>, command: &str) {
    talk(call);
    for selection in [
        json!({"from-tag": "caller"}),
        json!({}),
        json!({"flags": ["all"]}),
    ] {
        assert_eq!(
            call.ask(command, &selection),
            json!({"result": "ok"}),
            "{selection}"
        );
    }
}

fn unsupported(call: &Call<'_>, command: &str) {
    talk(call);
    let reply = call.ask(command, &json!({"from-tag": "caller"}));
    assert_eq!(
        reply,
        json!({"result": "error", "error-reason": "unsupported"})
    );
}

#[test]
fn every_command_has_a_test_or_is_missing() {
    for command in Command::all() {
        let name = command.name();
        assert!(TESTED.contains(&name) != MISSING.contains(&name), "{name}");
    }
}
