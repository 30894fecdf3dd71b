//! The keys of a request's dictionary.

use std::net::IpAddr;

use bytes::Bytes;

use super::choices::{DTLS, FAMILY, ICE, ICE_LITE, LEARNING, SWITCH, TRANSPORTS};
use super::types::{IceLite, Tos};
use super::word::{find, normalise, words};
use super::{Options, flags, rtpp_flags};
use crate::{Request, Value};

/// Takes a value to its place; `false` if the value means nothing there.
type Effect = fn(&mut Request, &Value) -> bool;

/// Normalised key to effect.
const KEYS: &[(&str, Effect)] = &[
    ("command", |_, _| true),
    ("call-id", |r, v| text(&mut r.call_id, v)),
    ("from-tag", |r, v| text(&mut r.from_tag, v)),
    ("to-tag", |r, v| text(&mut r.to_tag, v)),
    ("via-branch", |r, v| text(&mut r.via_branch, v)),
    ("sdp", |r, v| text(&mut r.sdp, v)),
    ("supports", |r, v| {
        all(v, |word| supports(&mut r.options, word))
    }),
    ("replace", |r, v| {
        all(v, |word| replace(&mut r.options, word))
    }),
    ("rtcp-mux", |r, v| {
        all(v, |word| rtcp_mux(&mut r.options, word))
    }),
    ("ice", |r, v| all(v, |word| ice(&mut r.options, word))),
    ("ice-lite", |r, v| {
        pick(&mut r.options.ice_lite, ICE_LITE, v)
    }),
    ("dtls", |r, v| pick(&mut r.options.dtls, DTLS, v)),
    ("direction", direction),
    ("from-interface", |r, v| interface(r, v, 0)),
    ("to-interface", |r, v| interface(r, v, 1)),
    ("interface", |r, v| text(&mut r.options.interface, v)),
    ("address-family", |r, v| {
        pick(&mut r.options.address_family, FAMILY, v)
    }),
    ("media-address", |r, v| {
        address(&mut r.options.media_address, v)
    }),
    ("received-from", received_from),
    ("transport-protocol", |r, v| transport(&mut r.options, v)),
    ("delete-delay", |r, v| delete_delay(&mut r.options, v)),
    ("endpoint-learning", |r, v| {
        pick(&mut r.options.endpoint_learning, LEARNING, v)
    }),
    ("tos", |r, v| tos(&mut r.options, v)),
    ("limit", |r, v| integer(&mut r.options.limit, v)),
    ("label", |r, v| text(&mut r.options.label, v)),
    ("from-label", |r, v| text(&mut r.options.label, v)),
    ("to-label", |r, v| text(&mut r.options.to_label, v)),
    ("set-label", |r, v| text(&mut r.options.set_label, v)),
    ("metadata", |r, v| text(&mut r.options.metadata, v)),
    ("passthrough", |r, v| passthrough(&mut r.options, v)),
    ("passthru", |r, v| passthrough(&mut r.options, v)),
];

/// Keys of rtpengine's that nothing here acts on yet.
#[rustfmt::skip]
const DEFERRED: &[&str] = &[
    "address", "alias-key", "all", "audio-player", "blob", "blob64", "bundle", "calls", "code",
    "codec", "codec-accept", "codec-consume", "codec-except", "codec-ignore", "codec-mask",
    "codec-offer", "codec-set", "codec-strip", "codec-transcode", "codecs", "db-id", "delay-buffer",
    "digit", "drop-traffic", "dtls-fingerprint", "dtls-reverse", "dtmf-delay", "dtmf-log-dest",
    "dtmf-log-destination", "dtmf-security", "dtmf-security-trigger", "dtmf-security-trigger-end",
    "duration", "extmap", "file", "frequencies", "frequency", "from-tags", "generate-rtcp",
    "inbound-peer", "instance", "media", "media-echo", "medias", "moh", "osrtp", "outbound-peer",
    "output-dest", "output-destination", "output-dir", "output-directory", "output-file",
    "output-folder", "output-path", "output-pattern", "pause", "peer", "player", "ptime",
    "ptime-reverse", "record-call", "recording-dest", "recording-destination", "recording-dir",
    "recording-directory", "recording-file", "recording-folder", "recording-media-slot-answer",
    "recording-media-slot-offer", "recording-media-slots", "recording-path", "recording-pattern",
    "repeat-duration", "repeat-times", "reverse-ptime", "sdes", "sdp-attr", "sdp-attr-add",
    "sdp-attr-remove", "sdp-attr-substitute", "sdp-media-remove", "sip-code", "sip-message-type",
    "sip-response-code", "source-call-id", "source-tag", "start-pos", "t.38", "t.38-version", "t38",
    "t38-version", "tags", "template", "to-call-id", "trigger", "trigger-end", "trigger-end-digits",
    "trigger-end-time", "volume", "vsc-pause-rec", "vsc-pause-resume-rec",
    "vsc-start-pause-resume-rec", "vsc-start-rec", "vsc-start-stop-rec", "vsc-stop-rec",
    "xmlrpc-callback",
];

/// Applies one key of a request's dictionary, whatever it is.
pub(crate) fn apply(request: &mut Request, key: &[u8], value: &Value) {
    match normalise(key).as_str() {
        "flags" => words(value)
            .iter()
            .for_each(|word| flags::apply(request, word)),
        "rtpp-flags" => rtpp_flags::apply(request, value),
        key => apply_option(request, key, value),
    }
}

/// Applies one key that may also stand inside `flags` as `key=value`; `flags` itself may not, so nothing nests.
pub(super) fn apply_option(request: &mut Request, key: &str, value: &Value) {
    let understood = match find(KEYS, key) {
        Some(effect) => effect(request, value),
        None => {
            let known = DEFERRED.contains(&key);
            if known {
                let option = (key.to_owned(), value.clone());
                request.options.deferred.push(option);
            }
            known
        }
    };
    if !understood {
        request.options.unknown.push(describe(key, value));
    }
}

/// Whether the key, in normal form, is one that rtpengine knows.
pub(super) fn is_known(key: &str) -> bool {
    find(KEYS, key).is_some() || DEFERRED.contains(&key)
}

fn describe(key: &str, value: &Value) -> String {
    /// Longest key or value worth a place in a log line, in bytes.
    const SHOWN: usize = 64;
    let value = match value {
        Value::Bytes(bytes) => bytes.clone(),
        Value::Integer(integer) => Bytes::from(integer.to_string()),
        Value::List(_) => Bytes::from(words(value).join(&b","[..])),
        Value::Dict(_) => Bytes::from_static(b"{}"),
    };
    let key: String = key.chars().take(SHOWN).collect();
    let value = &value[..value.len().min(SHOWN)];
    format!("{key}={}", value.escape_ascii())
}

/// A string; numbers are taken by their digits.
fn text(place: &mut Option<Bytes>, value: &Value) -> bool {
    let text = match value {
        Value::Bytes(bytes) => bytes.clone(),
        Value::Integer(integer) => Bytes::from(integer.to_string()),
        Value::List(_) | Value::Dict(_) => return false,
    };
    *place = Some(text);
    true
}

fn integer(place: &mut Option<i64>, value: &Value) -> bool {
    *place = value.as_integer();
    place.is_some()
}

fn address(place: &mut Option<IpAddr>, value: &Value) -> bool {
    *place = value.as_str().and_then(parse_address);
    place.is_some()
}

/// An address, with or without the brackets of an IPv6 one.
fn parse_address(text: &str) -> Option<IpAddr> {
    text.trim().trim_matches(['[', ']']).parse().ok()
}

/// The choice of a table that the value names; of several, the last.
fn pick<E: Copy>(place: &mut Option<E>, table: &[(&str, E)], value: &Value) -> bool {
    !words(value).is_empty()
        && all(value, |word| {
            let choice = find(table, word);
            *place = choice.or(*place);
            choice.is_some()
        })
}

/// Applies every word of a value; whether all were understood.
fn all(value: &Value, mut effect: impl FnMut(&str) -> bool) -> bool {
    let mut understood = true;
    for word in words(value) {
        understood &= effect(&normalise(&word));
    }
    understood
}

fn supports(options: &mut Options, word: &str) -> bool {
    let load_limit = word == "load-limit";
    options.supports_load_limit |= load_limit;
    load_limit
}

fn replace(options: &mut Options, word: &str) -> bool {
    let replace = &mut options.replace;
    match word {
        "origin" => replace.origin = true,
        "origin-full" => replace.origin_full = true,
        "session-name" => replace.session_name = true,
        "username" => replace.username = true,
        "sdp-version" => replace.sdp_version = true,
        "force-increment-sdp-ver" | "force-increment-sdp-version" => {
            replace.force_increment_sdp_version = true;
        }
        "zero-address" => replace.zero_address = true,
        // The address in c= is always replaced; old scripts still ask for it.
        "session-connection" => {}
        _ => return false,
    }
    true
}

fn rtcp_mux(options: &mut Options, word: &str) -> bool {
    let mux = &mut options.rtcp_mux;
    match word {
        "offer" => mux.offer = true,
        "require" => {
            mux.offer = true;
            mux.require = true;
        }
        "demux" => mux.demux = true,
        "accept" => mux.accept = true,
        "reject" => mux.reject = true,
        _ => return false,
    }
    true
}

fn ice(options: &mut Options, word: &str) -> bool {
    if let Some(ice) = find(ICE, word) {
        options.ice = ice;
        return true;
    }
    match word {
        "trickle" => options.flags.trickle_ice = true,
        "reject" => options.flags.ice_reject = true,
        "lite" => options.ice_lite = Some(IceLite::Forward),
        "no-lite" => options.ice_lite = Some(IceLite::Off),
        "ice2" => options
            .deferred
            .push(("ice".to_owned(), Value::from("ice2"))),
        _ => {
            let lite = word
                .strip_prefix("lite-")
                .and_then(|towards| find(ICE_LITE, towards));
            if lite.is_none() {
                return false;
            }
            options.ice_lite = lite;
        }
    }
    true
}

fn direction(request: &mut Request, value: &Value) -> bool {
    // Two `direction=` options of a string of flags come one by one.
    let direction = &mut request.options.direction;
    let names = words(value);
    let understood = !names.is_empty();
    direction.extend(names);
    direction.truncate(2);
    understood
}

fn interface(request: &mut Request, value: &Value, place: usize) -> bool {
    let Some(name) = value.as_bytes() else {
        return false;
    };
    let direction = &mut request.options.direction;
    if direction.len() <= place {
        direction.resize(place + 1, Bytes::new());
    }
    direction[place] = name.clone();
    true
}

/// `[IP4|IP6|?, address]`, an address alone, or an empty list, which says nothing.
fn received_from(request: &mut Request, value: &Value) -> bool {
    let words = words(value);
    let Some(last) = words.last() else {
        return true;
    };
    request.options.received_from = std::str::from_utf8(last).ok().and_then(parse_address);
    request.options.received_from.is_some()
}

fn transport(options: &mut Options, value: &Value) -> bool {
    // In an answer `accept` stands for "as offered", which is what no value means.
    value.as_str() == Some("accept") || pick(&mut options.transport_protocol, TRANSPORTS, value)
}

fn passthrough(options: &mut Options, value: &Value) -> bool {
    let mut on = None;
    let understood = pick(&mut on, SWITCH, value);
    options.flags.passthrough |= on == Some(true);
    options.flags.no_passthrough |= on == Some(false);
    understood
}

fn delete_delay(options: &mut Options, value: &Value) -> bool {
    let delay = value.as_integer();
    options.delete_delay = delay.and_then(|seconds| u32::try_from(seconds).ok());
    delay.is_some()
}

fn tos(options: &mut Options, value: &Value) -> bool {
    options.tos = value.as_integer().and_then(|tos| match tos {
        ..=-1 => Some(Tos::Unchanged),
        256 => Some(Tos::Configured),
        other => u8::try_from(other).ok().map(Tos::Set),
    });
    options.tos.is_some()
}
