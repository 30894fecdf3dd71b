//! Calls: a line each, and one with all there is to say about it, in rtpengine's columns.

use std::fmt::Write;

use ng_protocol::{Dict, Value};

use super::{SessionDetails, SessionSummary};

/// A line for each call.
pub(super) fn list(sessions: &[SessionSummary]) -> String {
    let mut out = String::with_capacity(sessions.len() * 200);
    for session in sessions {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "callid: {:>60} | deletionmark:{:>4} | created:{:>12} | proxy:{} | redis_keyspace:0 | foreign:no",
            session.call_id,
            yes_no(session.deleted),
            session.created,
            session.proxy,
        );
    }
    out
}

/// One call.
pub(super) fn whole(details: &SessionDetails) -> String {
    let summary = &details.summary;
    let mut out = format!(
        "\ncallid: {}\ndeletionmark: {}\ncreated: {}\nproxy: {}\ntos: {}\nlast_signal: {}\nredis_keyspace: 0\nforeign: no\n\n",
        summary.call_id,
        yes_no(summary.deleted),
        summary.created,
        summary.proxy,
        details.tos,
        details.last_signal,
    );
    for (first, party) in parties(details)
        .zip(0..)
        .map(|(party, at)| (at == 0, party))
    {
        out += &tag(party, first, details.now);
    }
    out + "\n"
}

/// One party of a call; `None` if it has none of that tag.
pub(super) fn one_tag(details: &SessionDetails, name: &str) -> Option<String> {
    let mut parties = parties(details).zip(0..);
    let (party, at) = parties.find(|(party, _)| text(party, "tag") == name)?;
    Some(tag(party, at == 0, details.now))
}

fn parties(details: &SessionDetails) -> impl Iterator<Item = &Dict> {
    let tags = details.description.get("tags").and_then(Value::as_dict);
    let tags = tags.into_iter().flat_map(Dict::iter);
    tags.filter_map(|(_, party)| party.as_dict())
}

/// The party that began the call is its FROM_TAG.
fn tag(party: &Dict, first: bool, now: u64) -> String {
    let kind = if first { "FROM_TAG" } else { "TO_TAG" };
    let age = now.saturating_sub(number(party, "created").unsigned_abs());
    let mut out = format!(
        "--- Tag '{}', type: {kind}, label '{}', branch '{}', callduration {age}.000000\n",
        text(party, "tag"),
        text(party, "label"),
        text(party, "via-branch"),
    );
    for (key, said) in [
        ("subscriptions", "subscribed to"),
        ("subscribers", "subscription of"),
    ] {
        for edge in dicts(party, key) {
            let _ = writeln!(out, "---     {said} '{}'", text(edge, "tag"));
        }
    }
    for media in dicts(party, "medias") {
        let codec = match text(media, "codec") {
            codec if codec.is_empty() => "unknown codec".to_owned(),
            codec => codec,
        };
        let _ = writeln!(
            out,
            "------ Media #{} ({} over {}) using {codec}",
            number(media, "index"),
            text(media, "type"),
            text(media, "protocol"),
        );
        for stream in dicts(media, "streams") {
            out += &port(stream);
        }
    }
    out
}

fn port(stream: &Dict) -> String {
    let nobody = Dict::new();
    let dict = |key| stream.get(key).and_then(Value::as_dict).unwrap_or(&nobody);
    let (endpoint, stats) = (dict("endpoint"), dict("stats"));
    let mut flags = strings(stream, "flags");
    let rtcp = if flags.any(|flag| flag == "RTCP")
        && !strings(stream, "flags").any(|flag| flag == "RTP")
    {
        " (RTCP)"
    } else {
        ""
    };
    let place = match text(stream, "kernel reason") {
        reason if !reason.is_empty() => format!(", in user space: {reason}"),
        _ if strings(stream, "flags").any(|flag| flag == "kernelized") => ", in kernel".to_owned(),
        _ => String::new(),
    };
    format!(
        "-------- Port {:>15}:{:<5} <> {:>15}:{:<5}{rtcp}, SSRC {:x}, {} p, {} b, {} e, {} ts{place}\n",
        text(stream, "local address"),
        number(stream, "local port"),
        text(endpoint, "address"),
        number(endpoint, "port"),
        number(stream, "SSRC"),
        number(stats, "packets"),
        number(stats, "bytes"),
        number(stats, "errors"),
        number(stream, "last packet"),
    )
}

fn text(dict: &Dict, key: &str) -> String {
    let bytes = dict.get(key).and_then(Value::as_bytes);
    bytes.map_or_else(String::new, |bytes| {
        String::from_utf8_lossy(bytes).into_owned()
    })
}

fn number(dict: &Dict, key: &str) -> i64 {
    dict.get(key).and_then(Value::as_integer).unwrap_or(0)
}

fn dicts<'a>(dict: &'a Dict, key: &str) -> impl Iterator<Item = &'a Dict> {
    let items = dict.get(key).and_then(Value::as_list).unwrap_or_default();
    items.iter().filter_map(Value::as_dict)
}

fn strings<'a>(dict: &'a Dict, key: &str) -> impl Iterator<Item = &'a str> {
    let items = dict.get(key).and_then(Value::as_list).unwrap_or_default();
    items.iter().filter_map(Value::as_str)
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
