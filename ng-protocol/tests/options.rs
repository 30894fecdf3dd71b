//! Every spelling that means something, and none that fails a command.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use bytes::Bytes;
use ng_protocol::{
    AddressFamily, Command, Dict, Dtls, EndpointLearning, Flags, Ice, IceLite, Options, Replace,
    Request, Tos, TransportProtocol, Value,
};
use proptest::prelude::*;

fn request(key: &'static str, value: impl Into<Value>) -> Request {
    let mut dict = Dict::new();
    dict.insert("command", "offer");
    dict.insert(key, value);
    Request::from_dict(&dict).unwrap()
}

fn options(key: &'static str, value: impl Into<Value>) -> Options {
    request(key, value).options
}

fn list(words: &[&'static str]) -> Value {
    Value::List(words.iter().map(|&word| word.into()).collect())
}

/// What a single word of `flags` does.
fn flag(word: &'static str) -> Options {
    options("flags", list(&[word]))
}

#[test]
fn case_hyphen_space_and_underscore_are_one() {
    for spelling in [
        "delete-delay",
        "delete delay",
        "delete_delay",
        "DELETE-Delay",
    ] {
        assert_eq!(options(spelling, 7).delete_delay, Some(7), "{spelling}");
    }
    for spelling in ["call-id", "call-ID", "call id", "Call_ID"] {
        assert!(request(spelling, "x").call_id.is_some(), "{spelling}");
    }
    for spelling in ["SIP-source-address", "sip source address"] {
        assert!(flag(spelling).flags.sip_source_address, "{spelling}");
    }
}

#[test]
fn identity_is_taken_from_its_keys() {
    assert_eq!(
        request("from tag", "x").from_tag.as_deref(),
        Some(&b"x"[..])
    );
    assert_eq!(request("to_tag", "x").to_tag.as_deref(), Some(&b"x"[..]));
    assert_eq!(request("SDP", "").sdp.as_deref(), Some(&b""[..]));
    assert_eq!(
        request("via-branch", 12).via_branch.as_deref(),
        Some(&b"12"[..])
    );
}

#[test]
fn lists_may_be_strings_with_commas() {
    assert_eq!(
        options("replace", "origin, username"),
        options("replace", list(&["origin", "username"]))
    );
    let direction = options("direction", "a,b").direction;
    assert_eq!(direction, [Bytes::from("a"), Bytes::from("b")]);
}

#[test]
fn numbers_may_be_strings() {
    assert_eq!(options("TOS", "184").tos, Some(Tos::Set(184)));
    assert_eq!(options("limit", "5").limit, Some(5));
    assert_eq!(options("limit", -1).limit, Some(-1));
}

#[test]
fn tos_knows_configured_and_unchanged() {
    assert_eq!(options("TOS", 256).tos, Some(Tos::Configured));
    assert_eq!(options("TOS", -1).tos, Some(Tos::Unchanged));
    assert_eq!(options("TOS", 257).tos, None);
}

#[test]
fn a_negative_delete_delay_is_the_configured_one() {
    assert_eq!(options("delete delay", -1).delete_delay, None);
    assert_eq!(options("delete delay", 0).delete_delay, Some(0));
}

#[test]
fn flags_set_what_they_are_called() {
    type Get = fn(&Flags) -> bool;
    let table: &[(&str, Get)] = &[
        ("asymmetric", |f| f.asymmetric),
        ("directional", |f| f.directional),
        ("early media", |f| f.early_media),
        ("fatal", |f| f.fatal),
        ("fast", |f| f.fast),
        ("fragment", |f| f.fragment),
        ("full-rtcp-attribute", |f| f.full_rtcp_attribute),
        ("generate-mid", |f| f.generate_mid),
        ("ICE-reject", |f| f.ice_reject),
        ("reject ICE", |f| f.ice_reject),
        ("inactive", |f| f.inactive),
        ("loop-protect", |f| f.loop_protect),
        ("media-handover", |f| f.media_handover),
        ("NAT-wait", |f| f.nat_wait),
        ("new-branch", |f| f.new_branch),
        ("no-passthrough", |f| f.no_passthrough),
        ("no-port-latching", |f| f.no_port_latching),
        ("no-rtcp-attribute", |f| f.no_rtcp_attribute),
        ("original sendrecv", |f| f.original_sendrecv),
        ("passthrough", |f| f.passthrough),
        ("port-latching", |f| f.port_latching),
        ("provisional", |f| f.provisional),
        ("reset", |f| f.reset),
        ("SIP-source-address", |f| f.sip_source_address),
        ("strict source", |f| f.strict_source),
        ("symmetric", |f| f.symmetric),
        ("to-tag", |f| f.to_tag),
        ("trickle-ICE", |f| f.trickle_ice),
        ("trust address", |f| f.trust_address),
        ("unidirectional", |f| f.unidirectional),
        ("WebRTC", |f| f.webrtc),
    ];
    for (word, get) in table {
        assert!(get(&flag(word).flags), "{word}");
        assert!(!get(&Flags::default()), "{word}");
        assert!(flag(word).unknown.is_empty(), "{word}");
    }
}

#[test]
fn trust_address_and_sip_source_address_exclude_each_other() {
    let flags = options("flags", list(&["SIP-source-address", "trust-address"])).flags;
    assert!(flags.trust_address && !flags.sip_source_address);
}

#[test]
fn flags_may_carry_values_behind_a_prefix() {
    assert!(flag("replace-origin").replace.origin);
    assert!(flag("replace-SDP version").replace.sdp_version);
    assert!(flag("rtcp-mux-accept").rtcp_mux.accept);
    assert_eq!(flag("ICE-remove").ice, Ice::Remove);
    assert_eq!(
        flag("endpoint-learning-off").endpoint_learning,
        Some(EndpointLearning::Off)
    );
    let codecs = flag("codec-strip-telephone-event/8000").codecs;
    assert_eq!(codecs.strip, [&b"telephone-event/8000"[..]]);
    assert_eq!(flag("transcode-PCMU").codecs.transcode, [&b"PCMU"[..]]);
}

#[test]
fn flags_may_be_pairs() {
    assert_eq!(flag("ICE=force").ice, Ice::Force);
    assert_eq!(flag("TOS=40").tos, Some(Tos::Set(40)));
    assert_eq!(flag("ICE-lite=off").ice_lite, Some(IceLite::Off));
    let attributes = flag("sdp-attr-add-audio-x=1").sdp_attr;
    assert_eq!(attributes.audio.add, [&b"x=1"[..]]);
    assert_eq!(flag("bogus=1").unknown, ["flag bogus=1"]);
}

#[test]
fn flags_do_not_nest() {
    let nested = "flags=".repeat(10_000) + "fast";
    let options = options("flags", Value::List(vec![nested.into()]));
    assert!(!options.flags.fast);
    assert_eq!(options.unknown.len(), 1);
    assert!(options.unknown[0].len() < 200);
}

#[test]
fn ice_has_five_ways_and_a_lite_one() {
    for (word, ice) in [
        ("default", Ice::Default),
        ("remove", Ice::Remove),
        ("force", Ice::Force),
        ("force_relay", Ice::ForceRelay),
        ("force-relay", Ice::ForceRelay),
        ("optional", Ice::Optional),
    ] {
        assert_eq!(options("ICE", word).ice, ice, "{word}");
    }
    for (word, lite) in [
        ("lite", IceLite::Forward),
        ("lite-offer", IceLite::Forward),
        ("lite-answer", IceLite::Backward),
        ("lite-both", IceLite::Both),
        ("no-lite", IceLite::Off),
        ("lite-no", IceLite::Off),
    ] {
        assert_eq!(options("ICE", word).ice_lite, Some(lite), "{word}");
    }
    assert_eq!(
        options("ICE-lite", "backward").ice_lite,
        Some(IceLite::Backward)
    );
    assert!(options("ICE", "trickle").flags.trickle_ice);
}

#[test]
fn dtls_is_a_role_or_off() {
    assert_eq!(options("DTLS", "passive").dtls, Some(Dtls::Passive));
    assert_eq!(options("DTLS", list(&["disable"])).dtls, Some(Dtls::Off));
}

#[test]
fn rtcp_mux_require_implies_offer() {
    let mux = options("rtcp-mux", list(&["require"])).rtcp_mux;
    assert!(mux.offer && mux.require && !mux.demux && !mux.accept && !mux.reject);
}

#[test]
fn interfaces_may_be_named_one_by_one() {
    let mut dict = Dict::new();
    dict.insert("command", "offer");
    dict.insert("to-interface", "b");
    dict.insert("from interface", "a");
    let options = Request::from_dict(&dict).unwrap().options;
    assert_eq!(options.direction, [Bytes::from("a"), Bytes::from("b")]);
}

#[test]
fn received_from_is_a_pair_an_address_or_nothing() {
    let address = "192.0.2.1".parse().ok();
    assert_eq!(
        options("received-from", list(&["IP4", "192.0.2.1"])).received_from,
        address
    );
    assert_eq!(
        options("received from", list(&["?", "192.0.2.1"])).received_from,
        address
    );
    assert_eq!(options("received-from", "192.0.2.1").received_from, address);
    let empty = options("received-from", list(&[]));
    assert_eq!(empty, Options::default());
}

#[test]
fn each_transport_protocol_is_known_by_its_name() {
    for protocol in TransportProtocol::ALL {
        let options = options("transport protocol", protocol.as_str());
        assert_eq!(options.transport_protocol, Some(protocol));
    }
    assert!(options("transport-protocol", "accept").transport_protocol_accept);
}

#[test]
fn webrtc_is_many_options_in_one() {
    let options = flag("WebRTC");
    assert_eq!(
        options.transport_protocol,
        Some(TransportProtocol::UdpTlsRtpSavpf)
    );
    assert_eq!(options.ice, Ice::Force);
    assert!(options.rtcp_mux.offer && options.rtcp_mux.require);
    assert!(
        options.flags.trickle_ice && options.flags.no_rtcp_attribute && options.flags.generate_mid
    );
    assert!(options.bundle.offer && options.bundle.require && options.sdes.off);
}

#[test]
fn old_words_are_accepted_silently() {
    let old = options("replace", list(&["session-connection"]));
    assert_eq!(old.replace, Replace::default());
    assert_eq!(old.ignored, ["session-connection"]);
    assert!(old.unknown.is_empty());
}

#[test]
fn unknown_keys_words_and_values_are_collected_and_change_nothing() {
    for (key, value, noted) in [
        ("bogus", "x".into(), "bogus=x"),
        ("bogus", 7.into(), "bogus=7"),
        ("flags", list(&["bogus flag"]), "flag bogus-flag"),
        ("ICE", "bogus".into(), "ice=bogus"),
        ("address family", "IP5".into(), "address-family=IP5"),
        ("transport protocol", "FOO".into(), "transport-protocol=FOO"),
        ("media address", "nowhere".into(), "media-address=nowhere"),
        (
            "replace",
            list(&["everything", "now"]),
            "replace=everything,now",
        ),
        ("delete delay", "soon".into(), "delete-delay=soon"),
        ("supports", list(&["flight"]), "supports=flight"),
        ("direction", Dict::new().into(), "direction={}"),
    ] {
        let mut options = options(key, value);
        let unknown = std::mem::take(&mut options.unknown);
        assert_eq!(unknown.concat(), noted);
        assert_eq!(options, Options::default(), "{key}");
    }
}

#[test]
fn address_families_are_two() {
    assert_eq!(
        options("address-family", "ip4").address_family,
        Some(AddressFamily::Ip4)
    );
    assert_eq!(
        options("address family", "IP6").address_family,
        Some(AddressFamily::Ip6)
    );
}

#[test]
fn rtpp_flags_compose_the_transport_protocol() {
    for (words, protocol) in [
        ("RTP", TransportProtocol::RtpAvp),
        ("AVPF", TransportProtocol::RtpAvpf),
        ("SRTP AVP", TransportProtocol::RtpSavp),
        ("SRTP AVPF", TransportProtocol::RtpSavpf),
        ("DTLS", TransportProtocol::UdpTlsRtpSavp),
        ("DTLS AVPF", TransportProtocol::UdpTlsRtpSavpf),
        ("RTP/SAVP AVPF", TransportProtocol::RtpSavpf),
        ("UDP/TLS/RTP/SAVPF", TransportProtocol::UdpTlsRtpSavpf),
    ] {
        let options = options("rtpp-flags", words);
        assert_eq!(options.transport_protocol, Some(protocol), "{words}");
    }
}

#[test]
fn rtpp_flags_take_lists_and_pairs_in_brackets() {
    let options = options(
        "rtpp_flags",
        " direction=[a b]  codec=[strip=[all] except=[PCMA PCMU]] ",
    );
    assert_eq!(options.direction, [Bytes::from("a"), Bytes::from("b")]);
    assert_eq!(options.codecs.strip, [&b"all"[..]]);
    assert_eq!(options.codecs.except, [&b"PCMA"[..], &b"PCMU"[..]]);
}

#[test]
fn rtpp_flags_direction_may_be_given_twice_or_by_old_names() {
    let twice = options("rtpp-flags", "direction=a direction=b direction=c").direction;
    assert_eq!(twice, [Bytes::from("a"), Bytes::from("b")]);
    let old = options("rtpp-flags", "internal external").direction;
    assert_eq!(old, [Bytes::from("internal"), Bytes::from("external")]);
}

#[test]
fn rtpp_flags_from_tag_implies_directional() {
    let request = request("rtpp-flags", "from-tag=x");
    assert_eq!(request.from_tag.as_deref(), Some(&b"x"[..]));
    assert!(request.options.flags.directional);
}

/// A list of flags, most of them with a beginning that means something.
fn any_flags() -> impl Strategy<Value = Value> {
    let beginning = prop::sample::select(vec![
        "",
        "replace-",
        "rtcp-mux-",
        "ICE-",
        "ICE=",
        "codec-strip-",
        "SDES-",
        "sdp-attr-add-",
        "TOS=",
        "\u{a0}ICE-",
    ]);
    let word =
        (beginning, prop::collection::vec(any::<u8>(), 0..6)).prop_map(|(beginning, rest)| {
            Value::from(Bytes::from([beginning.as_bytes(), &rest].concat()))
        });
    prop::collection::vec(word, 0..6).prop_map(Value::List)
}

proptest! {
    #[test]
    fn no_key_or_value_fails_a_command(
        entries in prop::collection::vec(("[a-zA-Z_ -]{0,12}", any::<Vec<u8>>()), 0..8),
        list in any_flags(),
        flags in "([a-z=\\[\\] -]|ICE|direction|codec){0,40}",
    ) {
        let mut dict = Dict::new();
        dict.insert("command", "answer");
        for (key, value) in entries {
            prop_assume!(key != "command");
            dict.push(Bytes::from(key), Bytes::from(value));
        }
        dict.insert("rtpp-flags", flags.clone());
        dict.insert("flags", flags);
        dict.insert("flags", list);
        let request = Request::from_dict(&dict);
        prop_assert_eq!(request.map(|request| request.command), Ok(Command::Answer));
    }
}
