//! Every word of `flags`: as a flag with hyphens and with spaces, and in a string of options.

use ng_protocol::Support;
use serde_json::{Value, json};

use super::asking::{
    Asked, CALLEE, Call, NOTHING, Shows, assert_all_tested, offer_with, sdp_at, support, with,
};

macro_rules! flags {
    ($($name:ident: $($flag:literal),+ => $shows:expr;)*) => {
        $(#[test]
        fn $name() {
            each(&[$($flag),+], $shows);
        })*

        #[test]
        fn every_flag_has_a_test() {
            assert_all_tested("Flags", &[$($($flag),+),*]);
        }
    };
}

flags! {
    all: "all" => NOTHING;
    allow_asymmetric_codecs: "allow-asymmetric-codecs", "allow-asymmetric-codec" => |asked| {
        let renumbered = json!({"sdp": sdp_at(CALLEE).replace("101", "100")});
        let answered = asked.call.answer(&renumbered);
        assert!(!answered.contains("rtpmap:100"), "{answered}");
        let answered = asked.call.answer(&with(renumbered, &asked.option));
        assert!(answered.contains("rtpmap:100 telephone-event"), "{answered}");
    };
    allow_no_codec_media: "allow-no-codec-media", "allow-no-codec-medias", "allow-empty-codec-media",
        "allow-empty-codec-medias" => |asked| {
        let stripped = json!({"codec": {"strip": ["VP8"]}});
        assert!(!asked.call.offer(&stripped).contains("m=video 0 "));
        let offered = asked.call.offer(&with(stripped, &asked.option));
        assert!(offered.contains("m=video 0 RTP/AVP 0\r"), "{offered}");
    };
    allow_transcoding: "allow-transcoding" => NOTHING;
    always_transcode: "always-transcode" => NOTHING;
    asymmetric: "asymmetric" => |asked| assert!(media_flags(asked).contains(&json!("asymmetric")));
    asymmetric_codecs: "asymmetric-codecs", "symmetric-codecs", "reorder-codecs" => NOTHING;
    audio_player: "audio-player", "player" => NOTHING;
    bidirectional: "bidirectional" => |asked| {
        asked.call.answer(&json!({}));
        let request = with(json!({"from-tag": "caller"}), &asked.option);
        let offered = asked.call.ask("subscribe request", &request);
        assert!(offered["sdp"].as_str().unwrap().contains("a=sendrecv\r\n"), "{offered}");
    };
    block_dtmf: "block-dtmf" => NOTHING;
    block_egress: "block-egress" => NOTHING;
    block_short: "block-short", "block-shorts", "block-short-packets" => NOTHING;
    debug: "debug", "debugging" => NOTHING;
    detect_dtmf: "detect-dtmf" => NOTHING;
    directional: "directional" => NOTHING;
    discard_recording: "discard-recording" => NOTHING;
    early_media: "early-media" => NOTHING;
    egress: "egress" => |asked| {
        asked.call.answer(&json!({}));
        let flow = json!({"from-tag": "caller", "to-tag": "listener"});
        asked.call.ask("subscribe request", &flow);
        assert_eq!(asked.call.ask("silence media", &flow)["result"], "ok");
        let refused = asked.call.ask("silence media", &with(flow, &asked.option));
        assert_eq!(refused["error-reason"], "Media flow not found (to-tag not subscribed)");
    };
    exclude_recording: "exclude-recording" => NOTHING;
    fatal: "fatal" => |asked| {
        let unknown = Call::new(asked.call.relay, asked.call.encoding);
        assert_eq!(unknown.ask("delete", &asked.option)["result"], "error");
        assert_eq!(unknown.ask("delete", &json!({}))["result"], "ok");
    };
    fast: "fast" => |asked| {
        let reply = asked.call.ask("delete", &asked.option);
        assert_eq!(reply, json!({"result": "ok"}));
    };
    force_transcoding: "force-transcoding" => NOTHING;
    fragment: "fragment" => |asked| {
        let fragment = json!({"from-tag": "caller", "sdp": "a=mid:0\r\na=end-of-candidates\r\n"});
        let asking = with(fragment, &asked.option);
        let reply = asked.call.ask("offer", &asking);
        assert_eq!(reply, json!({"result": "ok"}));
    };
    full_rtcp_attribute: "full-rtcp-attribute" => |asked| has(asked, "a=rtcp:", " IN IP4 127.");
    generate_mid: "generate-mid" => |asked| has(asked, "a=mid:", "1");
    generate_rtcp: "generate-rtcp" => NOTHING;
    ice_reject: "ice-reject", "reject-ice" => |asked| {
        let answered = asked.call.answer(&asked.option);
        assert!(!answered.contains("a=ice-ufrag"), "{answered}");
    };
    inactive: "inactive" => |asked| has(asked, "a=inactive", "");
    inject_dtmf: "inject-dtmf" => NOTHING;
    loop_protect: "loop-protect" => |asked| {
        has(asked, "a=rtpengine:", "");
        let again = Call::new(asked.call.relay, asked.call.encoding);
        let looped = with(asked.option.clone(), &json!({"sdp": asked.sdp}));
        assert_eq!(again.offer(&looped), asked.sdp);
        assert_eq!(again.query()["result"], "error");
    };
    media_handover: "media-handover" => |asked| assert!(stream_flags(asked).contains(&json!("media handover")));
    mirror_rtcp: "mirror-rtcp", "rtcp-mirror" => NOTHING;
    mix: "mix", "mixed" => NOTHING;
    nat_wait: "nat-wait" => NOTHING;
    new_branch: "new-branch" => NOTHING;
    no_codec_renegotiation: "no-codec-renegotiation", "reuse-codecs" => |asked| {
        asked.call.answer(&json!({"sdp": sdp_at(CALLEE).replace("0 8 101", "8 0 101")}));
        let offered = asked.call.offer(&asked.option);
        assert!(offered.contains("RTP/AVP 8 0 101"), "{offered}");
        assert!(asked.call.offer(&json!({})).contains("RTP/AVP 0 8 101"));
    };
    no_jitter_buffer: "no-jitter-buffer" => NOTHING;
    no_passthrough: "no-passthrough" => NOTHING;
    no_player: "no-player", "no-audio-player" => NOTHING;
    no_port_latching: "no-port-latching" => NOTHING;
    no_redis_update: "no-redis-update" => NOTHING;
    no_rtcp_attribute: "no-rtcp-attribute" => |asked| {
        assert!(asked.plain.contains("a=rtcp:"), "{}", asked.plain);
        assert!(!asked.sdp.contains("a=rtcp:"), "{}", asked.sdp);
    };
    no_tls_id: "no-tls-id" => NOTHING;
    original_sendrecv: "original-sendrecv" => NOTHING;
    pad_crypto: "pad-crypto" => NOTHING;
    passthrough: "passthrough" => NOTHING;
    pause: "pause" => NOTHING;
    pierce_nat: "pierce-nat" => NOTHING;
    port_latching: "port-latching" => |asked| {
        let moved = json!({"sdp": sdp_at("192.0.2.1:4100")});
        asked.call.answer(&json!({}));
        let before = asked.call.answer(&json!({}));
        asked.call.offer(&with(moved, &asked.option));
        assert_eq!(asked.call.answer(&json!({})), before);
    };
    provisional: "provisional" => NOTHING;
    record_call: "record-call" => NOTHING;
    recording_announcement: "recording-announcement" => NOTHING;
    recording_vsc: "recording-vsc" => |asked| {
        let codes = || asked.call.query()["tags"]["caller"]["VSC"].as_array().map(Vec::len);
        assert_eq!(codes(), Some(0));
        asked.call.offer(&json!({"vsc-start-rec": "*9"}));
        assert_eq!(codes(), Some(1));
    };
    recrypt: "recrypt" => NOTHING;
    reset: "reset" => |asked| {
        asked.call.offer(&json!({"rtcp-mux": ["require"]}));
        assert!(asked.call.offer(&json!({})).contains("a=rtcp-mux"));
        let offered = asked.call.offer(&asked.option);
        assert!(!offered.contains("a=rtcp-mux"), "{offered}");
    };
    single_codec: "single-codec" => |asked| {
        let answered = asked.call.answer(&asked.option);
        assert!(answered.contains("PCMU") && !answered.contains("PCMA"), "{answered}");
    };
    sip_source_address: "sip-source-address" => NOTHING;
    siprec: "siprec" => NOTHING;
    skip_recording_db: "skip-recording-db", "skip-recording-database" => NOTHING;
    static_codecs: "static-codecs", "static-codec" => |asked| {
        asked.call.answer(&json!({"sdp": sdp_at(CALLEE).replace("0 8 101", "8")}));
        let offered = asked.call.offer(&asked.option);
        assert!(offered.contains("RTP/AVP 8\r"), "{offered}");
        assert!(asked.call.offer(&json!({})).contains("RTP/AVP 0 8 101"));
    };
    strict_source: "strict-source" => |asked| {
        assert!(stream_flags(asked).contains(&json!("strict source address")));
    };
    strip_extmap: "strip-extmap" => |asked| {
        assert!(asked.plain.contains("a=extmap"), "{}", asked.plain);
        assert!(!asked.sdp.contains("a=extmap"), "{}", asked.sdp);
    };
    symmetric: "symmetric" => NOTHING;
    to_tag: "to-tag" => |asked| {
        asked.call.answer(&json!({}));
        let stranger = json!({"from-tag": "caller", "to-tag": "nobody"});
        let refused = asked.call.ask("delete", &with(stranger.clone(), &asked.option));
        assert!(refused["warning"].is_string(), "{refused}");
        assert!(asked.call.ask("delete", &stranger)["warning"].is_null());
    };
    trickle_ice: "trickle-ice" => NOTHING;
    trust_address: "trust-address" => NOTHING;
    unidirectional: "unidirectional" => NOTHING;
    unsubscribe: "unsubscribe" => NOTHING;
    webrtc: "webrtc" => |asked| has(asked, "a=rtcp-mux", "");
}

/// Gives each of the flags in an offer, in each spelling.
fn each(flags: &[&str], shows: Shows) {
    for flag in flags {
        let spaced = flag.replace('-', " ").to_uppercase();
        let options = [
            json!({"flags": [flag]}),
            json!({"flags": [spaced]}),
            json!({"flags": format!("trust-address,{flag}")}),
            json!({"rtpp-flags": format!("trust-address {flag} TOS=184")}),
        ];
        offer_with(&options, support("Flags", flag), shows);
    }
}

/// Asserts that there is a line with this beginning and end (or middle) with the flag, and none without it.
#[track_caller]
fn has(asked: &Asked<'_>, beginning: &str, rest: &str) {
    let is_there = |sdp: &str| {
        let mut lines = sdp.lines();
        lines.any(|line| {
            line.strip_prefix(beginning)
                .is_some_and(|end| end.contains(rest))
        })
    };
    assert!(is_there(&asked.sdp), "{}", asked.sdp);
    assert!(!is_there(&asked.plain), "{}", asked.plain);
}

/// Flags of the caller's medium.
fn media_flags(asked: &Asked<'_>) -> Vec<Value> {
    let medium = &asked.call.query()["tags"]["caller"]["medias"][0];
    medium["flags"].as_array().cloned().unwrap_or_default()
}

/// Flags of the caller's RTP stream.
fn stream_flags(asked: &Asked<'_>) -> Vec<Value> {
    let medium = &asked.call.query()["tags"]["caller"]["medias"][0];
    let stream = &medium["streams"][0];
    stream["flags"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_flag_that_nobody_knows_changes_nothing() {
    offer_with(
        &[json!({"flags": ["no such flag"]})],
        Support::Ignored,
        NOTHING,
    );
}
