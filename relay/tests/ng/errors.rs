//! Every error text, word for word: clients compare them.

use lab::Encoding;
use serde_json::{Value, json};

use super::asking::{CALLEE, CALLER, Call, ENCODINGS, sdp_at, with};
use super::relay::Relay;

/// Asserts that a command about a call is refused in these words, in both encodings. `prepare` says what comes before.
#[track_caller]
fn refused(prepare: impl Fn(&Call<'_>), command: &str, options: &Value, reason: &str) {
    for encoding in ENCODINGS {
        let call = Call::new(Relay::shared(), encoding);
        prepare(&call);
        let reply = call.ask(command, options);
        assert_eq!(reply, error(reason), "{command} {options}");
    }
}

/// An error reply: two entries and no more.
fn error(reason: &str) -> Value {
    json!({"result": "error", "error-reason": reason})
}

fn nothing(_: &Call<'_>) {}

fn answered(call: &Call<'_>) {
    call.offer(&json!({"label": "A"}));
    call.answer(&json!({"label": "B"}));
}

/// Asserts how a payload is answered.
#[track_caller]
fn answers(payload: &str, encoding: Encoding, reason: &str) {
    let reply = Relay::shared()
        .exchange(payload.as_bytes())
        .expect("a reply");
    let reply = match encoding {
        Encoding::Bencode => lab::bencode::decode(&reply).unwrap(),
        Encoding::Json => serde_json::from_slice(&reply).unwrap(),
    };
    assert_eq!(reply, error(reason), "{payload}");
}

#[test]
fn invalid_data_no_payload() {
    answers("", Encoding::Bencode, "Invalid data (no payload)");
}

#[test]
fn could_not_decode_bencode_dictionary() {
    answers(
        "d7:command",
        Encoding::Bencode,
        "Could not decode bencode dictionary",
    );
}

#[test]
fn failed_to_parse_json_document() {
    answers(
        "{\"command\"",
        Encoding::Json,
        "Failed to parse JSON document",
    );
}

#[test]
fn invalid_ng_data_format() {
    answers("ping", Encoding::Bencode, "Invalid NG data format");
}

#[test]
fn too_many_codecs() {
    let codecs = json!({"codec": {"strip": vec!["PCMU"; 129]}});
    refused(nothing, "offer", &codecs, "Too many codecs");
}

fn publish(call: &Call<'_>, party: usize, sdp: &str) {
    let options = json!({"from-tag": format!("p{party}"), "sdp": sdp});
    assert_eq!(call.ask("publish", &options)["result"], "ok");
}

/// Audio, and so many sections more.
fn long_sdp(more: usize) -> String {
    lab::sdp::audio(CALLER.parse().unwrap()) + &"m=text 0 RTP/AVP 98\r\n".repeat(more)
}

#[test]
fn too_many_media_in_one_call() {
    let eight = |call: &Call<'_>| (0..8).for_each(|party| publish(call, party, &long_sdp(127)));
    let ninth = json!({"from-tag": "p8", "sdp": long_sdp(0)});
    refused(eight, "publish", &ninth, "Too many media in one call");
}

#[test]
fn too_many_subscriptions_in_one_call() {
    // Each of so many hears all others.
    const PARTIES: usize = 92;
    let tags = |parties: std::ops::Range<usize>| -> Vec<String> {
        parties.map(|party| format!("p{party}")).collect()
    };
    let all_hear = |sources: std::ops::Range<usize>| {
        let all = tags(0..PARTIES);
        let flows = tags(sources).into_iter();
        let flows = flows.map(|tag| json!({"from": tag, "to": all}));
        json!({"tags": flows.collect::<Vec<_>>()})
    };
    let most = |call: &Call<'_>| {
        (0..PARTIES).for_each(|party| publish(call, party, &long_sdp(0)));
        for sources in [0..40, 40..80] {
            let reply = call.ask("mesh", &all_hear(sources));
            assert_eq!(reply["result"], "ok", "{reply}");
        }
    };
    let rest = all_hear(80..PARTIES);
    refused(most, "mesh", &rest, "Too many subscriptions in one call");
}

#[test]
fn dictionary_contains_no_key_command() {
    let reason = "Dictionary contains no key \"command\"";
    answers("d3:sdp1:xe", Encoding::Bencode, reason);
    answers("{\"sdp\": \"x\"}", Encoding::Json, reason);
}

#[test]
fn unrecognized_command() {
    refused(nothing, "dance", &json!({}), "Unrecognized command");
}

#[test]
fn unsupported() {
    for command in ["play media", "stop media", "play DTMF"] {
        refused(
            answered,
            command,
            &json!({"from-tag": "caller"}),
            "unsupported",
        );
    }
}

#[test]
fn no_call_id_in_message() {
    for command in ["offer", "answer", "delete", "query", "block media"] {
        for encoding in ENCODINGS {
            let request = json!({"command": command, "from-tag": "a", "to-tag": "b", "sdp": "v=0"});
            let reply = Relay::shared().ask(encoding, &request);
            assert_eq!(reply, error("No call-id in message"), "{command}");
        }
    }
}

#[test]
fn no_from_tag_in_message() {
    let sdp = json!({"sdp": lab::sdp::audio("192.0.2.1:4000".parse().unwrap())});
    refused(nothing, "offer", &sdp, "No from-tag in message");
}

#[test]
fn no_to_tag_in_message() {
    let sdp = lab::sdp::audio("192.0.2.1:4000".parse().unwrap());
    let answer = json!({"from-tag": "caller", "sdp": sdp});
    refused(answered, "answer", &answer, "No to-tag in message");
}

#[test]
fn no_sdp_body_in_message() {
    let tags = json!({"from-tag": "caller", "to-tag": "callee"});
    refused(nothing, "offer", &tags, "No SDP body in message");
    refused(answered, "answer", &tags, "No SDP body in message");
}

#[test]
fn unknown_call_id_of_answer_and_query() {
    let sdp = lab::sdp::audio("192.0.2.1:4000".parse().unwrap());
    let answer = json!({"from-tag": "a", "to-tag": "b", "sdp": sdp});
    refused(nothing, "answer", &answer, "Unknown call-id");
    refused(nothing, "query", &json!({}), "Unknown call-id");
}

#[test]
fn unknown_call_id_in_capitals_of_blocking() {
    for command in [
        "block media",
        "unblock media",
        "block DTMF",
        "unblock DTMF",
        "silence media",
        "unsilence media",
    ] {
        refused(nothing, command, &json!({}), "Unknown call-ID");
    }
}

#[test]
fn failed_to_parse_sdp() {
    let offer = json!({"from-tag": "caller", "sdp": "nonsense"});
    refused(nothing, "offer", &offer, "Failed to parse SDP");
}

#[test]
fn incomplete_sdp_specification() {
    let sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    let offer = json!({"from-tag": "caller", "sdp": sdp});
    refused(nothing, "offer", &offer, "Incomplete SDP specification");
}

#[test]
fn error_rewriting_sdp() {
    let sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
    let offer = json!({"from-tag": "caller", "sdp": sdp});
    refused(nothing, "offer", &offer, "Error rewriting SDP");
}

#[test]
fn invalid_dialogue_association() {
    let sdp = lab::sdp::audio("192.0.2.1:4000".parse().unwrap());
    let offer = json!({"from-tag": "a", "to-tag": "a", "sdp": sdp});
    refused(nothing, "offer", &offer, "Invalid dialogue association");
}

#[test]
fn ran_out_of_ports() {
    for encoding in ENCODINGS {
        let relay = Relay::start(&["--port-min=41000", "--port-max=41007"]);
        let first = Call::new(&relay, encoding);
        first.offer(&json!({}));
        let second = Call::new(&relay, encoding);
        let sdp = lab::sdp::audio("192.0.2.1:4000".parse().unwrap());
        let reply = second.ask("offer", &json!({"from-tag": "caller", "sdp": sdp}));
        assert_eq!(reply, error("Ran out of ports"));
        assert_eq!(
            second.query(),
            error("Unknown call-id"),
            "the call is not there"
        );
    }
}

#[test]
fn parallel_session_limit_reached() {
    let relay = Relay::start(&["--max-sessions=1"]);
    for encoding in ENCODINGS {
        let first = Call::new(&relay, encoding);
        first.offer(&json!({}));
        let second = Call::new(&relay, encoding);
        let sdp = lab::sdp::audio("192.0.2.1:4000".parse().unwrap());
        let offer = json!({"from-tag": "caller", "sdp": sdp});
        let text = "Parallel session limit reached";
        assert_eq!(second.ask("offer", &offer), error(text));
        let knowing = with(offer, &json!({"supports": ["load limit"]}));
        let reply = second.ask("offer", &knowing);
        assert_eq!(reply, json!({"result": "load limit", "message": text}));
        // A call that is there already is served.
        first.offer(&json!({}));
    }
}

#[test]
fn call_id_not_found_or_tags_didnt_match() {
    let text = "Call-ID not found or tags didn't match";
    refused(nothing, "delete", &json!({"flags": ["fatal"]}), text);
    for encoding in ENCODINGS {
        let reply = Call::new(Relay::shared(), encoding).ask("delete", &json!({}));
        assert_eq!(reply, json!({"result": "ok", "warning": text}));
    }
}

#[test]
fn invalid_limit() {
    refused(
        nothing,
        "list",
        &json!({"limit": -1}),
        "invalid limit, must be >= 0",
    );
}

#[test]
fn no_monologue_matching_the_given_label() {
    let nobody = json!({"label": "nobody"});
    refused(
        answered,
        "block media",
        &nobody,
        "No monologue matching the given label",
    );
}

#[test]
fn failed_to_parse_network_address() {
    let nowhere = json!({"address": "nowhere"});
    refused(
        answered,
        "block media",
        &nowhere,
        "Failed to parse network address",
    );
}

#[test]
fn failed_to_match_address_to_any_tag() {
    let stranger = json!({"address": "192.0.2.99"});
    refused(
        answered,
        "block media",
        &stranger,
        "Failed to match address to any tag",
    );
}

#[test]
fn from_tag_given_but_no_such_tag_exists() {
    let nobody = json!({"from-tag": "nobody"});
    refused(
        answered,
        "block media",
        &nobody,
        "From-tag given, but no such tag exists",
    );
}

#[test]
fn media_flow_not_found() {
    let flow = |option: Value| with(json!({"from-tag": "caller"}), &option);
    for (option, reason) in [
        (
            json!({"to-tag": "nobody"}),
            "Media flow not found (to-tag not found)",
        ),
        (
            json!({"to-label": "nobody"}),
            "Media flow not found (to-label not found)",
        ),
        (
            json!({"to-tag": "caller"}),
            "Media flow not found (to-tag not subscribed)",
        ),
    ] {
        refused(answered, "block media", &flow(option), reason);
    }
}

/// A call that another one can become part of: its parties are called as in every call here.
fn answered_twice(call: &Call<'_>) {
    answered(call);
    let other = json!({"call-id": format!("{}-other", call.id)});
    let sdp = json!({"from-tag": "caller", "sdp": sdp_at(CALLER)});
    assert_eq!(call.ask("offer", &with(sdp, &other))["result"], "ok");
}

#[test]
fn unknown_calls_of_subscriptions() {
    let sdp = sdp_at(CALLER);
    for (command, options, reason) in [
        ("subscribe request", json!({}), "Unknown call-ID(s)"),
        (
            "subscribe answer",
            json!({"to-tag": "b", "sdp": sdp}),
            "Unknown call-ID",
        ),
        ("unsubscribe", json!({"to-tag": "b"}), "Unknown call-ID"),
        (
            "connect",
            json!({"from-tag": "a", "to-tag": "b"}),
            "Unknown call ID(s)",
        ),
        (
            "create answer",
            json!({"from-tag": "a", "sdp": sdp}),
            "unknown call-ID",
        ),
        (
            "inject start",
            json!({"source-tag": "a", "to-tag": "b"}),
            "Unknown call-ID(s)",
        ),
    ] {
        refused(nothing, command, &options, reason);
    }
}

#[test]
fn no_sdp_body_in_message_of_a_publisher() {
    let publisher = json!({"from-tag": "p"});
    refused(nothing, "publish", &publisher, "No SDP body in message");
}

#[test]
fn to_tag_not_found() {
    let sdp = sdp_at(CALLEE);
    let answer = json!({"to-tag": "nobody", "sdp": sdp});
    refused(answered, "subscribe answer", &answer, "To-tag not found");
    let nobody = json!({"to-tag": "nobody"});
    refused(answered, "unsubscribe", &nobody, "To-tag not found");
    let injection = json!({"source-tag": "caller", "to-tag": "nobody"});
    refused(answered, "inject start", &injection, "To-tag not found");
}

#[test]
fn from_tag_not_found() {
    let connection = json!({"from-tag": "nobody", "to-tag": "callee"});
    refused(
        answered,
        "connect",
        &connection,
        "From-tag given, but no such tag exists",
    );
    let answer = json!({"from-tag": "nobody", "sdp": sdp_at(CALLER)});
    refused(answered, "create answer", &answer, "from-tag not found");
    let source = json!({"from-tag": "nobody", "to-tag": "callee", "flags": ["directional"]});
    refused(answered, "unsubscribe", &source, "From-tag not found");
}

#[test]
fn failed_to_merge_two_calls_into_one_tag_collision() {
    for encoding in ENCODINGS {
        let call = Call::new(Relay::shared(), encoding);
        answered_twice(&call);
        let other = format!("{}-other", call.id);
        let connection = json!({"from-tag": "caller", "to-tag": "caller", "to-call-id": other});
        let reason = "Failed to merge two calls into one (tag collision)";
        assert_eq!(call.ask("connect", &connection), error(reason));
        call.ask("delete", &json!({"call-id": other, "delete delay": 0}));
    }
}

#[test]
fn source_tag_not_found() {
    let nobody = json!({"source-tag": "nobody", "to-tag": "callee"});
    refused(answered, "inject start", &nobody, "Source-tag not found");
    let none = json!({"to-tag": "callee"});
    refused(answered, "inject start", &none, "No source-tag in message");
}

#[test]
fn trying_to_inject_to_self() {
    let itself = json!({"source-tag": "caller", "to-tag": "caller"});
    refused(
        answered,
        "inject start",
        &itself,
        "Trying to inject to self",
    );
}

#[test]
fn failed_to_stop_inject() {
    let never = json!({"source-tag": "caller", "to-tag": "callee"});
    refused(answered, "inject stop", &never, "Failed to stop inject");
}

#[test]
fn failed_to_set_up_transform() {
    refused(
        nothing,
        "transform",
        &json!({}),
        "Failed to set up transform",
    );
}
