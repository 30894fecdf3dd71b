//! What Kamailio 6 writes when its script leaves the flags to the relay (`rtpengine_offer(flags, viabranch)`): its own keys in its
//! own order, and the script's string as it is.

use lab::Encoding;
use serde_json::{Value, json};

use super::asking::{CALLEE, CALLER, Call, sdp_at};
use super::relay::Relay;

/// A message: in a request of SIP, or in a reply.
fn message(
    call: &Call<'_>,
    command: &str,
    in_reply: bool,
    flags: &str,
    sdp: Option<String>,
) -> Value {
    let mut message = json!({"supports": ["load limit"]});
    let entries = message.as_object_mut().unwrap();
    let mut add = |key: &str, value: Value| entries.insert(key.to_owned(), value);
    if let Some(sdp) = sdp {
        add("sdp", json!(sdp));
    }
    let kind = if in_reply { "sip_reply" } else { "sip_request" };
    add("sip-message-type", json!(kind));
    add("call-id", json!(call.id));
    if command != "delete" {
        add("via-branch", json!("z9hG4bK776asdhds"));
    }
    add("from-tag", json!("caller"));
    if command == "answer" {
        add("to-tag", json!("callee"));
    }
    if !flags.is_empty() {
        add("rtpp-flags", json!(flags));
    }
    add("command", json!(command));
    message
}

#[track_caller]
fn ask(call: &Call<'_>, command: &str, flags: &str, sdp: Option<&str>) -> Value {
    let message = message(call, command, command == "answer", flags, sdp.map(sdp_at));
    let reply = call.relay.ask(call.encoding, &message);
    assert_eq!(reply["result"], "ok", "{message}: {reply}");
    reply
}

fn sdp(reply: &Value) -> &str {
    reply["sdp"].as_str().unwrap()
}

fn new_call() -> Call<'static> {
    Call::new(Relay::shared(), Encoding::Bencode)
}

#[test]
fn a_call_is_offered_answered_and_deleted() {
    let call = new_call();
    let flags =
        "replace-origin ICE=remove direction=a direction=b trust-address via-branch=1 TOS=184";
    let offered = ask(&call, "offer", flags, Some(CALLER));
    let towards_callee = Relay::shared().address("b").to_string();
    assert!(sdp(&offered).contains(&format!("c=IN IP4 {towards_callee}")));
    assert!(sdp(&offered).contains(&format!("o=lab 1 1 IN IP4 {towards_callee}")));
    assert!(!sdp(&offered).contains("a=ice-"), "{offered}");
    let answered = ask(&call, "answer", "replace-origin ICE=remove", Some(CALLEE));
    let towards_caller = Relay::shared().address("a").to_string();
    assert!(sdp(&answered).contains(&format!("c=IN IP4 {towards_caller}")));
    ask(&call, "query", "", None);
    let deleted = ask(&call, "delete", "", None);
    assert!(deleted["warning"].is_null(), "{deleted}");
}

#[test]
fn words_make_up_the_transport_protocol() {
    let offered = ask(&new_call(), "offer", "RTP AVPF", Some(CALLER));
    assert!(sdp(&offered).contains(" RTP/AVPF "), "{offered}");
}

#[test]
fn lists_and_dictionaries_stand_in_brackets() {
    let flags =
        "codec=[strip=[all] except=[PCMA telephone-event]] rtcp-mux=[offer] replace=[origin]";
    let offered = ask(&new_call(), "offer", flags, Some(CALLER));
    let text = sdp(&offered);
    assert!(text.contains("PCMA") && !text.contains("PCMU"), "{text}");
    assert!(text.contains("a=rtcp-mux"), "{text}");
}

#[test]
fn a_to_tag_among_the_flags_is_a_to_tag_and_a_flag() {
    let call = new_call();
    ask(&call, "offer", "", Some(CALLER));
    ask(&call, "answer", "", Some(CALLEE));
    let stranger = ask(&call, "delete", "to-tag=nobody", None);
    assert!(stranger["warning"].is_string(), "{stranger}");
    let callee = ask(&call, "delete", "to-tag=callee", None);
    assert!(callee["warning"].is_null(), "{callee}");
}

#[test]
fn what_nobody_knows_fails_nothing() {
    let flags = "bogus other=thing more=[a b] deep=[[[[x]]]] [ ] = ==";
    ask(&new_call(), "offer", flags, Some(CALLER));
}
