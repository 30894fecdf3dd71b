//! Every command: what it answers when all is well.

use ng_protocol::Command;
use serde_json::{Value, json};

use super::asking::{CALLEE, CALLER, Call, ENCODINGS, sdp_at};
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
        let total = &reply["statistics"]["totalstatistics"];
        assert!(total["uptime"].as_str().unwrap().parse::<u64>().is_ok(), "{reply}");
        assert!(total["avgcallduration"].as_str().unwrap().contains('.'), "{reply}");
        assert!(reply["statistics"]["controlstatistics"]["totaloffercount"].is_u64(), "{reply}");
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
    publish: "publish" => |call, _| {
        let reply = published(call);
        assert_eq!((&reply["call-id"], &reply["from-tag"]), (&json!(call.id), &json!("publisher")));
        assert!(reply["sdp"].as_str().unwrap().contains("a=recvonly\r\n"), "{reply}");
    };
    subscribe_request: "subscribe request" => |call, _| {
        talk(call);
        let reply = subscribe(call);
        let sdp = reply["sdp"].as_str().unwrap();
        assert!(sdp.contains("a=sendonly\r\n") && !sdp.contains("a=ice-"), "{reply}");
        assert_eq!(reply["from-tag"], "caller");
        let reply = call.ask("subscribe request", &json!({"from-tag": "caller", "flags": ["siprec"]}));
        assert_eq!(reply["tag-medias"][0]["tag"], "caller", "{reply}");
        assert!(reply["media-labels"].is_object(), "{reply}");
    };
    subscribe_answer: "subscribe answer" => |call, _| {
        talk(call);
        let tag = subscribe(call)["to-tag"].clone();
        assert_eq!(listens(call, &tag), json!({"result": "ok"}));
        let query = call.query();
        let subscribers = &query["tags"]["caller"]["subscribers"];
        let kinds: Vec<_> = subscribers.as_array().unwrap().iter().map(|one| &one["type"]).collect();
        assert_eq!(kinds, ["offer/answer", "pub/sub"], "{query}");
    };
    unsubscribe: "unsubscribe" => |call, command| {
        talk(call);
        let tag = subscribe(call)["to-tag"].clone();
        listens(call, &tag);
        assert_eq!(call.ask(command, &json!({"to-tag": tag})), json!({"result": "ok"}));
        assert_eq!(call.query()["tags"].as_object().unwrap().len(), 2);
    };
    inject_start: "inject start" => |call, command| inject(call, command);
    inject_stop: "inject stop" => |call, command| {
        inject(call, "inject start");
        let injection = json!({"source-tag": "caller", "to-tag": "made"});
        assert_eq!(call.ask(command, &injection), json!({"result": "ok"}));
    };
    connect: "connect" => |call, command| {
        talk(call);
        let other = Call::new(Relay::shared(), call.encoding);
        talk_as(&other, "third", "fourth");
        let options = json!({"from-tag": "caller", "to-call-id": other.id, "to-tag": "third"});
        assert_eq!(call.ask(command, &options), json!({"result": "ok"}));
        assert_eq!(other.query()["tags"].as_object().unwrap().len(), 4);
        let unknown = json!({"from-tag": "caller", "to-tag": "fifth"});
        assert_eq!(call.ask(command, &unknown), json!({"result": "ok"}));
        assert!(call.query()["tags"]["fifth"].is_object());
    };
    mesh: "mesh" => |call, command| {
        talk(call);
        let other = Call::new(Relay::shared(), call.encoding);
        talk_as(&other, "third", "fourth");
        let options = json!({
            "calls": [call.id, other.id],
            "tags": [{"from": "caller", "to": ["third"]}, {"from": "third", "to": ["caller"]}],
        });
        assert_eq!(call.ask(command, &options), json!({"result": "ok"}));
    };
    create: "create" => |call, command| {
        let reply = call.ask(command, &json!({"from-tag": "made"}));
        assert_eq!((&reply["call-id"], &reply["from-tag"]), (&json!(call.id), &json!("made")));
        assert!(reply["sdp"].as_str().unwrap().contains("a=sendrecv\r\n"), "{reply}");
    };
    create_answer: "create answer" => |call, _| made(call);
    transform: "transform" => |call, command| {
        let codec = json!({"codec": "G722", "payload type": 9, "clock rate": 8000, "channels": 1});
        let media = json!({
            "id": "m1", "type": "audio", "codec": [{"input": codec, "output": codec}],
            "destination": {"family": "IP4", "address": "198.51.100.14", "port": 6152},
        });
        let reply = call.ask(command, &json!({"media": [media]}));
        assert_eq!(reply["result"], "ok", "{reply}");
        assert_eq!(reply["media"][0]["id"], "m1");
        assert_eq!(reply["media"][0]["family"], "IP4");
        assert!(reply["media"][0]["port"].as_u64().is_some_and(|port| port > 0), "{reply}");
        call.ask("delete", &json!({"call-id": reply["call-id"], "delete delay": 0}));
    };
    play_media: "play media" => unsupported;
    stop_media: "stop media" => unsupported;
    play_dtmf: "play DTMF" => unsupported;
}

/// An offer and its answer.
fn talk(call: &Call<'_>) {
    call.offer(&json!({}));
    call.answer(&json!({}));
}

/// The same between others.
fn talk_as(call: &Call<'_>, from: &str, to: &str) {
    let offer = json!({"from-tag": from, "sdp": sdp_at(CALLER)});
    assert_eq!(call.ask("offer", &offer)["result"], "ok");
    let answer = json!({"from-tag": from, "to-tag": to, "sdp": sdp_at(CALLEE)});
    assert_eq!(call.ask("answer", &answer)["result"], "ok");
}

fn published(call: &Call<'_>) -> Value {
    let sdp = lab::sdp::audio_with(CALLER.parse().unwrap(), "sendonly");
    call.ask("publish", &json!({"from-tag": "publisher", "sdp": sdp}))
}

/// Somebody asks to hear the caller.
fn subscribe(call: &Call<'_>) -> Value {
    let reply = call.ask("subscribe request", &json!({"from-tag": "caller"}));
    assert_eq!(reply["result"], "ok", "{reply}");
    reply
}

fn listens(call: &Call<'_>, tag: &Value) -> Value {
    let sdp = sdp_at(CALLEE).replace("sendrecv", "recvonly");
    call.ask("subscribe answer", &json!({"to-tag": tag, "sdp": sdp}))
}

/// A party that was offered something, and answered.
fn made(call: &Call<'_>) {
    assert_eq!(
        call.ask("create", &json!({"from-tag": "made"}))["result"],
        "ok"
    );
    let sdp = lab::sdp::audio(CALLEE.parse().unwrap());
    let answer = json!({"from-tag": "made", "sdp": sdp});
    assert_eq!(call.ask("create answer", &answer)["result"], "ok");
}

/// The caller is heard by somebody who heard nobody.
fn inject(call: &Call<'_>, command: &str) {
    talk(call);
    made(call);
    let injection = json!({"source-tag": "caller", "to-tag": "made"});
    assert_eq!(call.ask(command, &injection), json!({"result": "ok"}));
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
fn every_command_has_a_test() {
    for command in Command::all() {
        let name = command.name();
        assert!(TESTED.contains(&name), "{name}");
    }
}
