//! What real clients send, byte for byte where it was captured from them (Kamailio 5.6, rtpengine-ng-client, the npm
//! client), in their documented shape otherwise (Kamailio 6, OpenSIPS 4). The messages double as the fuzz corpus.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use ng_protocol::{
    AddressFamily, Command, Datagram, Encoding, Ice, Reply, Request, SipMessageType, Tos,
    TransportProtocol,
};

macro_rules! captured {
    ($name:literal) => {
        Datagram::split(Bytes::from_static(include_bytes!(concat!(
            "__fuzz__/datagram/corpus/",
            $name
        ))))
        .unwrap()
    };
}

fn names(names: &[Bytes]) -> Vec<&str> {
    names
        .iter()
        .map(|name| std::str::from_utf8(name).unwrap())
        .collect()
}

#[test]
fn kamailio_5_6_pings() {
    let ping = captured!("kamailio-5.6-ping");
    assert_eq!(ping.cookie, "0_9017_0");
    assert_eq!(ping.request().unwrap(), Request::new(Command::Ping));
    assert_eq!(ping.reply(&Reply::pong()), b"0_9017_0 d6:result4:ponge");
}

#[test]
fn kamailio_5_6_offers() {
    let request = captured!("kamailio-5.6-offer").request().unwrap();
    assert_eq!(request.command, Command::Offer);
    assert_eq!(request.call_id.as_deref(), Some(&b"a84b4c76e66710"[..]));
    assert_eq!(request.from_tag.as_deref(), Some(&b"uac-1928301774"[..]));
    assert_eq!(request.to_tag, None);
    assert_eq!(request.via_branch.as_deref(), Some(&b"z9hG4bKINVITE"[..]));
    assert!(request.sdp.clone().unwrap().starts_with(b"v=0\r\no=alice "));
    let options = &request.options;
    assert!(options.supports_load_limit);
    assert_eq!(options.ice, Ice::Remove);
    assert_eq!(options.tos, Some(Tos::Set(184)));
    // Sent as an integer under one spelling and as a string under the other.
    assert_eq!(options.delete_delay, Some(5));
    assert_eq!(
        options.media_address,
        Some(Ipv4Addr::new(192, 0, 2, 1).into())
    );
    assert_eq!(options.address_family, Some(AddressFamily::Ip6));
    assert_eq!(names(&options.direction), ["ext", "int"]);
    assert!(options.flags.trust_address && options.flags.loop_protect);
    assert!(options.replace.origin && !options.replace.origin_full);
    assert_eq!(options.transport_protocol, Some(TransportProtocol::RtpAvp));
    assert!(options.rtcp_mux.demux && !options.rtcp_mux.offer);
    assert_eq!(options.received_from, Some(Ipv4Addr::LOCALHOST.into()));
    assert_eq!(names(&options.codecs.strip), ["G729"]);
    assert!(options.sdes.off);
    assert_eq!(options.unknown, [""; 0]);
}

#[test]
fn kamailio_5_6_answers_with_the_offerers_tag_as_from_tag() {
    let request = captured!("kamailio-5.6-answer").request().unwrap();
    assert_eq!(request.command, Command::Answer);
    assert_eq!(request.from_tag.as_deref(), Some(&b"uac-1928301774"[..]));
    assert_eq!(request.to_tag.as_deref(), Some(&b"uas-314159"[..]));
    assert!(request.options.flags.symmetric);
}

#[test]
fn kamailio_5_6_sends_to_tag_on_delete_without_the_flag_of_that_name() {
    let request = captured!("kamailio-5.6-delete").request().unwrap();
    assert_eq!(request.command, Command::Delete);
    assert_eq!(request.to_tag.as_deref(), Some(&b"uas-314159"[..]));
    assert!(!request.options.flags.to_tag);
}

#[test]
fn kamailio_6_leaves_its_flags_to_us() {
    let request = captured!("kamailio-6-offer").request().unwrap();
    let options = &request.options;
    assert!(options.replace.origin && options.flags.trust_address);
    assert_eq!(options.ice, Ice::Remove);
    assert_eq!(names(&options.direction), ["pub", "priv"]);
    assert_eq!(
        options.transport_protocol,
        Some(TransportProtocol::RtpSavpf)
    );
    assert!(options.rtcp_mux.demux);
    assert_eq!(options.tos, Some(Tos::Set(184)));
    assert_eq!(options.delete_delay, Some(5));
    assert_eq!(
        options.media_address,
        Some(Ipv4Addr::new(192, 0, 2, 1).into())
    );
    assert_eq!(request.to_tag.as_deref(), Some(&b"b"[..]));
    assert!(options.flags.to_tag);
    // `via-branch=1` is for the proxy; the branch came under its own key.
    assert_eq!(request.via_branch.as_deref(), Some(&b"z9hG4bK1"[..]));
    assert_eq!(options.sip_message_type, Some(SipMessageType::Request));
    assert_eq!(names(&options.codecs.strip), ["all"]);
    assert_eq!(names(&options.codecs.except), ["PCMA"]);
    assert_eq!(options.unknown, ["flag bogus", "flag other=thing"]);
}

#[test]
fn rtpengine_ng_client_sends_words_with_spaces_alike_in_both_encodings() {
    let (bencode, json) = (
        captured!("ng-client-bencode-offer"),
        captured!("ng-client-json-offer"),
    );
    assert_eq!(bencode.encoding(), Encoding::Bencode);
    assert_eq!(json.encoding(), Encoding::Json);
    let mut request = bencode.request().unwrap();
    let mut other = json.request().unwrap();
    // The keys come in another order; the request is the same.
    request.options.ignored.sort_unstable();
    other.options.ignored.sort_unstable();
    assert_eq!(request, other);

    let options = request.options;
    assert!(options.flags.trust_address && options.flags.strict_source && options.flags.reset);
    assert!(options.flags.no_rtcp_attribute && options.flags.generate_mid);
    assert!(options.flags.port_latching && options.flags.symmetric);
    assert_eq!(options.ice, Ice::Force);
    assert_eq!(options.address_family, Some(AddressFamily::Ip6));
    assert_eq!(options.media_address, "2001:db8::1".parse::<IpAddr>().ok());
    assert_eq!(options.metadata.as_deref(), Some(&b"hello"[..]));
    assert!(options.replace.origin);
    assert!(options.rtcp_mux.offer && options.rtcp_mux.accept);
    assert_eq!(names(&options.codecs.strip), ["G729"]);
    assert_eq!(names(&options.codecs.except), ["PCMA"]);
    assert_eq!(options.unknown, [""; 0]);
}

#[test]
fn rtpengine_ng_client_gets_json_for_json() {
    let delete = captured!("ng-client-json-delete");
    let reply = Reply::ok().warning("Call-ID not found or tags didn't match");
    assert_eq!(
        String::from_utf8(delete.reply(&reply)).unwrap(),
        r#"0.707826872197078 {"result":"ok","warning":"Call-ID not found or tags didn't match"}"#
    );
}

#[test]
fn the_npm_client_has_cookies_of_36_bytes() {
    let offer = captured!("npm-offer");
    assert_eq!(offer.cookie.len(), 36);
    assert_eq!(offer.reply(&Reply::ok())[36], b' ');
    let request = offer.request().unwrap();
    assert_eq!(names(&request.options.direction), ["public", "private"]);
    assert_eq!(request.options.delete_delay, Some(0));
    assert!(request.options.flags.strict_source && request.options.flags.port_latching);
    assert_eq!(names(&request.options.codecs.strip), ["opus"]);
    assert_eq!(names(&request.options.codecs.transcode), ["PCMU"]);
    assert_eq!(request.options.unknown, [""; 0]);
    assert_eq!(
        captured!("npm-list").request().unwrap().command,
        Command::List
    );
    assert_eq!(
        captured!("npm-statistics").request().unwrap().command,
        Command::Statistics
    );
}

#[test]
fn opensips_spells_differently_and_means_the_same() {
    let request = captured!("opensips-4-offer").request().unwrap();
    let options = &request.options;
    assert!(!options.supports_load_limit);
    assert_eq!(options.address_family, Some(AddressFamily::Ip4));
    assert_eq!(names(&options.direction), ["internal", "external"]);
    assert!(options.replace.sdp_version && options.replace.zero_address);
    assert!(options.replace.session_name && options.replace.origin);
    assert_eq!(options.delete_delay, Some(5));
    assert_eq!(options.received_from, None);
    assert_eq!(names(&options.codecs.mask), ["opus"]);
    assert_eq!(options.unknown, [""; 0]);
}

#[test]
fn opensips_deletes_without_any_tag() {
    let request = captured!("opensips-4-delete").request().unwrap();
    assert_eq!((request.from_tag, request.to_tag), (None, None));
}
