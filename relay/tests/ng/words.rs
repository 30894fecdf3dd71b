//! Every word that a value may be: as the value of its key, and in a string of options.

use ng_protocol::{Support, vocabularies};
use serde_json::{Value, json};

use super::asking::{NOTHING, offer_with};

macro_rules! words {
    ($($name:ident: $place:literal;)*) => {
        $(#[test]
        fn $name() {
            each_word_of($place);
        })*

        #[test]
        fn every_place_has_a_test() {
            let tested = [$($place),*];
            for words in vocabularies() {
                assert!(tested.contains(&words.place) || ELSEWHERE.contains(&words.place), "{}", words.place);
            }
        }
    };
}

/// What is tested word by word in other files, or is no value of a key by itself.
const ELSEWHERE: [&str; 8] = [
    "Keys",
    "Flags",
    "Flags with a value behind them",
    "sections of sdp-attr",
    "codecs of media",
    "media",
    "moh",
    "prefixes of SDES",
];

words! {
    supports: "supports";
    address_family: "address family";
    transport_protocol: "transport protocol";
    endpoint_learning: "endpoint-learning";
    replace: "replace";
    rtcp_mux: "rtcp-mux";
    bundle: "bundle";
    codec: "codec";
    sdp_attr: "sdp-attr";
    sdp_media_remove: "sdp-media-remove";
    extmap: "extmap";
    ice: "ICE";
    ice_lite: "ICE-lite";
    dtls: "DTLS";
    dtls_reverse: "DTLS-reverse";
    dtls_fingerprint: "DTLS-fingerprint";
    sdes: "SDES";
    osrtp: "OSRTP";
    passthrough: "passthrough";
    sip_message_type: "sip-message-type";
    all: "all";
    alias_key: "alias-key";
    media_echo: "media echo";
    drop_traffic: "drop-traffic";
    generate_rtcp: "generate RTCP";
    dtmf_security: "DTMF-security";
    record_call: "record call";
    audio_player: "audio-player";
    t38: "T.38";
}

/// Gives every word of a place in an offer: alone, in a list, and in a string of options.
fn each_word_of(place: &'static str) {
    let words = vocabularies()
        .into_iter()
        .find(|words| words.place == place);
    for (word, support) in words.unwrap().words {
        offer_with(&options(place, word), support, NOTHING);
    }
}

fn options(place: &'static str, word: &'static str) -> Vec<Value> {
    let whole = |value: &str| json!({"rtpp-flags": format!("{}={value}", place.replace(' ', "-"))});
    match place {
        "codec" => vec![
            json!({"codec": {word: ["PCMA"]}}),
            whole(&format!("[{word}=[PCMA]]")),
            json!({"flags": [format!("codec-{word}-PCMA")]}),
        ],
        "sdp-attr" => vec![
            json!({"sdp-attr": {"audio": {word: ["sendrecv>x-other"]}}}),
            json!({"flags": [format!("sdp-attr-{word}-audio-sendrecv>x-other")]}),
        ],
        "extmap" => vec![
            json!({"extmap": {word: ["all"]}}),
            whole(&format!("[{word}=[all]]")),
        ],
        _ => vec![json!({place: word}), json!({place: [word]}), whole(word)],
    }
}

#[test]
fn a_word_that_nobody_knows_changes_nothing() {
    for place in [
        "ICE",
        "rtcp-mux",
        "replace",
        "transport protocol",
        "address family",
        "SDES",
    ] {
        let option = json!({place: "no such word"});
        offer_with(&[option], Support::Ignored, NOTHING);
    }
}
