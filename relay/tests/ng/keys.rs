//! Every key: with hyphens, spaces and underscores.

use ng_protocol::Support;
use serde_json::{Value, json};

use super::asking::{
    Asked, CALLER, Call, ENCODINGS, NOTHING, Shows, assert_all_tested, offer_with, sdp_at, spelled,
    support, with,
};
use super::relay::Relay;

macro_rules! keys {
    ($($name:ident: $($key:literal),+ = $value:tt => $shows:expr;)*) => {
        $(#[test]
        fn $name() {
            each(&[$($key),+], &json!($value), $shows);
        })*

        #[test]
        fn every_key_has_a_test() {
            assert_all_tested("Keys", &[IDENTITY, &[$($($key),+),*]].concat());
        }
    };
}

/// The keys that have tests of their own below: those that say what a request is about, and one that takes a file.
const IDENTITY: &[&str] = &[
    "command",
    "call-id",
    "from-tag",
    "to-tag",
    "via-branch",
    "sdp",
    "template",
];

keys! {
    flags: "flags" = ["no-rtcp-attribute"] => lacks_rtcp;
    rtpp_flags: "rtpp-flags" = "no-rtcp-attribute" => lacks_rtcp;
    supports: "supports" = ["load limit"] => NOTHING;
    direction: "direction" = ["b", "a"] => |asked| offers_address(asked, "a");
    from_interface: "from-interface" = "b" => |asked| {
        let answered = asked.call.answer(&json!({}));
        let address = asked.call.relay.address("b").to_string();
        assert!(answered.contains(&address), "{answered}");
    };
    to_interface: "to-interface" = "b" => |asked| offers_address(asked, "b");
    interface: "interface" = "b" => NOTHING;
    peer: "peer" = "::1" => |asked| {
        let published = json!({"from-tag": "caller", "sdp": sdp_at(CALLER), "interface": "b"});
        let call = Call::new(asked.call.relay, asked.call.encoding);
        let answered = call.ask("publish", &with(published, &asked.option))["sdp"].to_string();
        assert!(answered.contains(&call.relay.address("a").to_string()), "{answered}");
    };
    inbound_peer: "inbound-peer" = "::1" => |asked| {
        let (call, _) = offer_on_b(asked);
        let answered = call.answer(&json!({}));
        assert!(answered.contains(&call.relay.address("a").to_string()), "{answered}");
    };
    outbound_peer: "outbound-peer" = "::1" => |asked| {
        let (call, offered) = offer_on_b(asked);
        assert!(offered.contains(&call.relay.address("a").to_string()), "{offered}");
    };
    address_family: "address-family" = "IP6" => |asked| contains(asked, "IP6 ::1");
    media_address: "media-address" = "203.0.113.9" => |asked| contains(asked, "IN IP4 203.0.113.9");
    received_from: "received-from" = ["IP4", "203.0.113.7"] => |asked| {
        let by_sip = with(asked.option.clone(), &json!({"flags": ["SIP source address"]}));
        let call = Call::new(asked.call.relay, asked.call.encoding);
        call.offer(&by_sip);
        assert_eq!(endpoint(&call), "203.0.113.7");
        assert_eq!(endpoint(&asked.call), "192.0.2.1");
    };
    endpoint_learning: "endpoint-learning" = "off" => NOTHING;
    tos: "tos" = 184 => NOTHING;
    replace: "replace" = ["origin"] => |asked| contains(asked, "o=lab 1 1 IN IP4 127.");
    transport_protocol: "transport-protocol" = "RTP/AVPF" => |asked| contains(asked, "RTP/AVPF");
    rtcp_mux: "rtcp-mux" = ["offer"] => |asked| contains(asked, "a=rtcp-mux");
    bundle: "bundle" = ["offer"] => NOTHING;
    sdp_attr: "sdp-attr" = {"audio": {"add": ["x-added"]}} => |asked| contains(asked, "a=x-added");
    sdp_attr_add: "sdp-attr-add" = "audio-x-added" => |asked| contains(asked, "a=x-added");
    sdp_attr_remove: "sdp-attr-remove" = "audio-ptime:20" => |asked| lacks(asked, "a=ptime:20");
    sdp_attr_substitute: "sdp-attr-substitute" = "audio-ptime:20>x-other" => |asked| {
        contains(asked, "a=x-other");
        lacks(asked, "a=ptime:20");
    };
    sdp_media_remove: "sdp-media-remove" = ["video"] => |asked| lacks(asked, "m=video");
    extmap: "extmap" = {"strip": ["all"]} => |asked| lacks(asked, "a=extmap");
    codec: "codec", "codecs" = {"strip": ["PCMU"]} => |asked| lacks(asked, "PCMU");
    codec_strip: "codec-strip" = ["PCMU"] => |asked| lacks(asked, "PCMU");
    codec_except: "codec-except" = ["PCMA"] => |asked| kept_of_all(asked, "PCMA");
    codec_offer: "codec-offer" = ["PCMA"] => |asked| kept_of_all(asked, "PCMA");
    codec_ignore: "codec-ignore" = ["PCMA"] => NOTHING;
    codec_accept: "codec-accept" = ["PCMA"] => NOTHING;
    codec_consume: "codec-consume" = ["PCMA"] => |asked| lacks(asked, "PCMA");
    codec_mask: "codec-mask" = ["PCMA"] => |asked| lacks(asked, "PCMA");
    codec_set: "codec-set" = ["PCMA/8000"] => NOTHING;
    codec_transcode: "codec-transcode", "transcode" = ["opus"] => NOTHING;
    ptime: "ptime" = 30 => |asked| contains(asked, "a=ptime:30");
    ptime_reverse: "ptime-reverse", "reverse-ptime" = 30 => |asked| {
        let answered = asked.call.answer(&json!({}));
        assert!(answered.contains("a=ptime:30"), "{answered}");
    };
    ice: "ice" = "remove" => |asked| lacks(asked, "a=ice-ufrag");
    ice_lite: "ice-lite" = "forward" => NOTHING;
    dtls: "dtls" = "off" => NOTHING;
    dtls_reverse: "dtls-reverse" = "passive" => NOTHING;
    dtls_fingerprint: "dtls-fingerprint" = "SHA-1" => NOTHING;
    sdes: "sdes" = ["off"] => NOTHING;
    osrtp: "osrtp" = ["accept"] => NOTHING;
    passthrough: "passthrough", "passthru" = "on" => NOTHING;
    delete_delay: "delete-delay" = 60 => |asked| {
        asked.call.ask("delete", &asked.option);
        assert_eq!(asked.call.query()["result"], "ok");
        asked.call.ask("delete", &json!({"delete delay": 0}));
        assert_eq!(asked.call.query()["result"], "error");
    };
    limit: "limit" = 1 => |asked| {
        let _more = [(); 2].map(|()| {
            let call = Call::new(asked.call.relay, asked.call.encoding);
            call.offer(&json!({}));
            call
        });
        let listed = asked.call.ask("list", &asked.option)["calls"].clone();
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    };
    metadata: "metadata" = "about it" => |asked| assert_eq!(asked.call.query()["metadata"], "about it");
    sip_code: "sip-code", "sip-response-code" = "200" => |asked| {
        // The answer is final: another tag is another party.
        asked.call.answer(&asked.option);
        asked.call.answer(&json!({"to-tag": "other"}));
        assert_eq!(parties(&asked.call), 3);
    };
    sip_message_type: "sip-message-type" = "sip_request" => NOTHING;
    xmlrpc_callback: "xmlrpc-callback" = "192.0.2.1" => NOTHING;
    body: "body" = "list numsessions" => NOTHING;
    label: "label", "from-label" = "the caller" => |asked| {
        assert_eq!(asked.call.query()["tags"]["caller"]["label"], "the caller");
    };
    to_label: "to-label" = "the callee" => |asked| {
        asked.call.answer(&json!({}));
        assert_eq!(asked.call.query()["tags"]["callee"]["label"], "the callee");
    };
    set_label: "set-label" = "named" => NOTHING;
    address: "address" = "192.0.2.1" => |asked| selects(asked, &json!({"address": "192.0.2.99"}));
    all: "all" = "none" => NOTHING;
    from_tags: "from-tags" = ["caller"] => NOTHING;
    tags: "tags" = [{"from": "caller", "to": ["callee"]}] => NOTHING;
    calls: "calls" = ["no-call"] => NOTHING;
    media: "media", "medias" = [{"id": "1", "type": "audio"}] => NOTHING;
    source_call_id: "source-call-id" = "no-call" => NOTHING;
    source_tag: "source-tag" = "nobody" => NOTHING;
    to_call_id: "to-call-id" = "no-call" => NOTHING;
    instance: "instance" = "no-instance" => NOTHING;
    alias_key: "alias-key" = "SDP" => |asked| {
        asked.call.answer(&json!({"sip-code": 200}));
        asked.call.answer(&json!({"to-tag": "third"}));
        asked.call.answer(&with(json!({"to-tag": "fourth"}), &asked.option));
        let query = asked.call.query();
        assert_eq!(query["tags"]["callee"]["tag-aliases"], json!(["fourth"]), "{query}");
        assert!(query["tags"]["third"].is_object(), "{query}");
    };
    media_echo: "media-echo" = "both" => NOTHING;
    drop_traffic: "drop-traffic" = "start" => NOTHING;
    generate_rtcp: "generate-rtcp" = "on" => NOTHING;
    delay_buffer: "delay-buffer" = 100 => NOTHING;
    t38: "t.38", "t38" = ["decode"] => NOTHING;
    t38_version: "t.38-version", "t38-version" = 0 => NOTHING;
    dtmf_security: "dtmf-security" = "drop" => NOTHING;
    dtmf_security_trigger: "dtmf-security-trigger", "dtmf-security-trigger-end" = "drop" => NOTHING;
    trigger: "trigger" = "**" => |asked| {
        asked.call.ask("block DTMF", &asked.option);
        assert_eq!(dialled(&asked.call), [json!({"type": "block DTMF", "trigger": "**", "active": 1})]);
        asked.call.ask("unblock DTMF", &json!({}));
        assert_eq!(dialled(&asked.call), Vec::<Value>::new());
    };
    end_trigger: "trigger-end", "end-trigger" = "##" => |asked| {
        asked.call.ask("block DTMF", &with(json!({"trigger": "**"}), &asked.option));
        let end = json!({"type": "unblock DTMF", "trigger": "##", "active": 0});
        assert_eq!(dialled(&asked.call).last(), Some(&end));
    };
    trigger_end: "trigger-end-time", "end-trigger-time", "trigger-end-digits", "end-trigger-digits" = 5 => NOTHING;
    dtmf_delay: "dtmf-delay" = 500 => NOTHING;
    dtmf_log_dest: "dtmf-log-dest", "dtmf-log-destination" = "127.0.0.1:9" => NOTHING;
    record_call: "record-call" = "no" => NOTHING;
    recording_dir: "recording-dir", "recording-directory", "recording-folder", "recording-path", "output-dir",
        "output-directory", "output-folder", "output-path" = "/nowhere" => NOTHING;
    recording_file: "recording-file", "recording-dest", "recording-destination", "output-file", "output-dest",
        "output-destination" = "/nowhere/x" => NOTHING;
    recording_pattern: "recording-pattern", "output-pattern" = "%c" => NOTHING;
    recording_media_slots: "recording-media-slot-offer", "recording-media-slot-answer", "recording-media-slots"
        = 2 => NOTHING;
    vsc_start: "vsc-start-rec", "vsc-start-recording" = "*9" => |asked| star_code(asked, "start");
    vsc_stop: "vsc-stop-rec", "vsc-stop-recording" = "*9" => |asked| star_code(asked, "stop");
    vsc_start_stop: "vsc-start-stop-rec", "vsc-start-stop-recording" = "*9" => |asked| {
        star_code(asked, "start/stop");
    };
    vsc_pause: "vsc-pause-rec", "vsc-pause-recording" = "*9" => |asked| star_code(asked, "pause");
    vsc_pause_resume: "vsc-pause-resume-rec", "vsc-pause-resume-recording" = "*9" => |asked| {
        star_code(asked, "pause/resume");
    };
    vsc_start_pause_resume: "vsc-start-pause-resume-rec", "vsc-start-pause-resume-recording" = "*9" => |asked| {
        star_code(asked, "start/pause/resume");
    };
    pause: "pause" = "yes" => NOTHING;
    file: "file", "blob", "blob64" = "/nowhere/x.wav" => NOTHING;
    playing: "db-id", "repeat-times", "repeat-duration", "start-pos", "duration", "volume" = 7 => NOTHING;
    code: "code", "digit" = "5" => NOTHING;
    frequency: "frequency", "frequencies" = [400, 425] => NOTHING;
    audio_player: "audio-player", "player" = "off" => NOTHING;
    moh: "moh" = {"file": "/nowhere/x.wav", "mode": "sendrecv"} => NOTHING;
}

/// Gives each of the keys in an offer, in each spelling.
fn each(keys: &[&str], value: &Value, shows: Shows) {
    for key in keys {
        offer_with(&spelled(key, value), support("Keys", key), shows);
    }
}

#[track_caller]
fn contains(asked: &Asked<'_>, text: &str) {
    assert!(asked.sdp.contains(text), "{}", asked.sdp);
    assert!(!asked.plain.contains(text), "{}", asked.plain);
}

#[track_caller]
fn lacks(asked: &Asked<'_>, text: &str) {
    assert!(asked.plain.contains(text), "{}", asked.plain);
    assert!(!asked.sdp.contains(text), "{}", asked.sdp);
}

fn lacks_rtcp(asked: &Asked<'_>) {
    lacks(asked, "a=rtcp:");
}

/// Asserts that with the option a codec alone is left when all are to go.
#[track_caller]
fn kept_of_all(asked: &Asked<'_>, codec: &str) {
    let all = with(asked.option.clone(), &json!({"flags": ["codec-strip-all"]}));
    let call = Call::new(asked.call.relay, asked.call.encoding);
    let sdp = call.offer(&all);
    let names: Vec<_> = sdp
        .lines()
        .filter(|line| line.starts_with("a=rtpmap:"))
        .collect();
    assert!(
        names
            .iter()
            .all(|name| name.contains(codec) || name.contains("VP8")),
        "{sdp}"
    );
    assert!(sdp.contains(codec), "{sdp}");
}

#[track_caller]
fn offers_address(asked: &Asked<'_>, interface: &str) {
    let address = asked.call.relay.address(interface).to_string();
    assert!(asked.sdp.contains(&address), "{}", asked.sdp);
}

/// A call whose `direction` names interface `b` for both sides beside the option, and what the callee is offered.
fn offer_on_b<'r>(asked: &Asked<'r>) -> (Call<'r>, String) {
    let call = Call::new(asked.call.relay, asked.call.encoding);
    let offered = call.offer(&with(json!({"direction": ["b", "b"]}), &asked.option));
    (call, offered)
}

/// The address that the caller's media are sent to.
fn endpoint(call: &Call<'_>) -> String {
    let medium = &call.query()["tags"]["caller"]["medias"][0];
    let address = &medium["streams"][0]["endpoint"]["address"];
    address.as_str().unwrap_or_default().to_owned()
}

/// What the caller may dial.
fn dialled(call: &Call<'_>) -> Vec<Value> {
    let codes = &call.query()["tags"]["caller"]["VSC"];
    codes.as_array().cloned().expect("a list")
}

/// Asserts that the option is a code for those who may dial any.
#[track_caller]
fn star_code(asked: &Asked<'_>, effect: &str) {
    assert_eq!(dialled(&asked.call), Vec::<Value>::new());
    asked.call.offer(&json!({"flags": ["recording VSC"]}));
    let code = json!({"type": format!("{effect} recording"), "trigger": "*9", "active": 1});
    assert_eq!(dialled(&asked.call), [code]);
}

fn parties(call: &Call<'_>) -> usize {
    call.query()["tags"]
        .as_object()
        .map_or(0, |tags| tags.len())
}

/// Asserts that the option selects a party where another value does not.
#[track_caller]
fn selects(asked: &Asked<'_>, other: &Value) {
    asked.call.answer(&json!({}));
    let right = asked.call.ask("block media", &asked.option);
    assert_eq!(right["result"], "ok", "{right}");
    let wrong = asked.call.ask("block media", other);
    assert_eq!(wrong["result"], "error", "{wrong}");
}

/// A call in each encoding.
fn new_calls() -> impl Iterator<Item = Call<'static>> {
    ENCODINGS
        .into_iter()
        .map(|encoding| Call::new(Relay::shared(), encoding))
}

#[test]
fn command() {
    for call in new_calls() {
        let reply = call.relay.ask(call.encoding, &json!({"command": "ping"}));
        assert_eq!(reply, json!({"result": "pong"}));
        let unknown = call.relay.ask(call.encoding, &json!({"Command": "ping"}));
        assert_eq!(
            unknown["error-reason"],
            "Dictionary contains no key \"command\""
        );
    }
}

#[test]
fn call_id() {
    for call in new_calls() {
        call.offer(&json!({}));
        for option in spelled("call-id", &json!(call.id)) {
            let query = with(json!({"command": "query"}), &option);
            assert_eq!(
                call.relay.ask(call.encoding, &query)["result"],
                "ok",
                "{query}"
            );
        }
    }
}

#[test]
fn from_tag() {
    for call in new_calls() {
        for option in spelled("from-tag", &json!("caller")) {
            let sdp = sdp_at(CALLER);
            let reply = call.ask("offer", &with(json!({"sdp": sdp}), &option));
            assert_eq!(reply["result"], "ok", "{option}");
            assert!(call.query()["tags"]["caller"].is_object());
        }
    }
}

#[test]
fn to_tag() {
    for call in new_calls() {
        for option in spelled("to-tag", &json!("callee")) {
            call.offer(&json!({}));
            let sdp = sdp_at(CALLER);
            let answer = json!({"sdp": sdp, "from-tag": "caller"});
            let reply = call.ask("answer", &with(answer, &option));
            assert_eq!(reply["result"], "ok", "{option}");
            assert!(call.query()["tags"]["callee"].is_object());
            call.ask("delete", &json!({"delete-delay": 0}));
        }
    }
}

#[test]
fn via_branch() {
    for call in new_calls() {
        for option in spelled("via-branch", &json!("z9hG4bK1")) {
            let first = call.offer(&option);
            assert_eq!(call.offer(&option), first, "the same branch");
            let second = call.offer(&json!({"via-branch": "z9hG4bK2"}));
            assert_ne!(
                lab::sdp::media(&second),
                lab::sdp::media(&first),
                "another branch"
            );
            assert_eq!(parties(&call), 3);
        }
    }
}

#[test]
fn sdp() {
    for call in new_calls() {
        let sdp = json!(sdp_at(CALLER));
        for option in [json!({"sdp": sdp}), json!({"SDP": sdp})] {
            let reply = call.ask("offer", &with(json!({"from-tag": "caller"}), &option));
            assert!(reply["sdp"].is_string(), "{reply}");
        }
    }
}

#[test]
fn template() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let lines = "[rtpengine]\ntemplates = flags\n[flags]\nmuxed = rtcp-mux=[offer]\nanswer = no-rtcp-attribute\n";
    std::io::Write::write_all(&mut file, lines.as_bytes()).unwrap();
    let relay = Relay::start(&[&format!("--config-file={}", file.path().display())]);
    for encoding in ENCODINGS {
        let call = Call::new(&relay, encoding);
        assert!(!call.offer(&json!({})).contains("a=rtcp-mux"));
        assert!(
            call.offer(&json!({"template": "muxed"}))
                .contains("a=rtcp-mux")
        );
        // What is called as the command needs no name.
        assert!(!call.answer(&json!({})).contains("a=rtcp:"));
    }
}

#[test]
fn a_key_that_nobody_knows_changes_nothing() {
    let options = [
        json!({"no such key": "x"}),
        json!({"no-such-key": {"x": [1]}}),
    ];
    offer_with(&options, Support::Ignored, NOTHING);
}
