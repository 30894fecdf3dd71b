//! The keys of a request's dictionary.

use bytes::Bytes;

use super::transport::Tos;
use super::value::{address, endpoint, integer, parse_address, text, unsigned};
use super::word::{Set, Word, apply, done, each, find, ignored, normalise, unsupported, words};
use super::{
    Options, bundle, codecs, dtls, dtmf, flags, ice, manipulation, medias, osrtp, player,
    recording, replace, rtcp, rtpp_flags, sdes, selection, t38, transport,
};
use crate::{Command, Request, Templates, Value};

/// Takes a value to its place; `false` if the value means nothing there.
pub(super) type Key = fn(&mut Request, &Value) -> bool;

/// Every key but those that hold other options: `flags` and `rtpp-flags`.
pub(super) const KEYS: &[Word<Key>] = &[
    // Identity.
    done("command", |_, _| true),
    done("call-id", |r, v| text(&mut r.call_id, v)),
    done("from-tag", |r, v| text(&mut r.from_tag, v)),
    done("to-tag", |r, v| text(&mut r.to_tag, v)),
    done("via-branch", |r, v| text(&mut r.via_branch, v)),
    done("sdp", |r, v| text(&mut r.sdp, v)),
    // Addresses and interfaces.
    done("direction", direction),
    done("from-interface", |r, v| interface(r, v, 0)),
    done("to-interface", |r, v| interface(r, v, 1)),
    done("interface", |r, v| text(&mut r.options.interface, v)),
    done("peer", |r, v| address(&mut r.options.peer, v)),
    done("inbound-peer", |r, v| {
        address(&mut r.options.inbound_peer, v)
    }),
    done("outbound-peer", |r, v| {
        address(&mut r.options.outbound_peer, v)
    }),
    done("address-family", |r, v| {
        apply(&mut r.options, transport::FAMILY, v)
    }),
    done("media-address", |r, v| {
        address(&mut r.options.media_address, v)
    }),
    done("received-from", received_from),
    done("endpoint-learning", |r, v| {
        apply(&mut r.options, transport::LEARNING, v)
    }),
    done("tos", |r, v| tos(&mut r.options, v)),
    // The session description.
    done("replace", |r, v| apply(&mut r.options, replace::WORDS, v)),
    done("transport-protocol", |r, v| {
        apply(&mut r.options, transport::PROTOCOLS, v)
    }),
    done("rtcp-mux", |r, v| apply(&mut r.options, rtcp::MUX, v)),
    done("bundle", |r, v| apply(&mut r.options, bundle::WORDS, v)),
    done("sdp-attr", |r, v| {
        manipulation::attributes(&mut r.options, v)
    }),
    done("sdp-attr-add", |r, v| {
        manipulation::attribute(&mut r.options, "add", v)
    }),
    done("sdp-attr-remove", |r, v| {
        manipulation::attribute(&mut r.options, "remove", v)
    }),
    done("sdp-attr-substitute", |r, v| {
        manipulation::attribute(&mut r.options, "substitute", v)
    }),
    done("sdp-media-remove", |r, v| {
        manipulation::media_remove(&mut r.options, v)
    }),
    done("extmap", |r, v| manipulation::extmap(&mut r.options, v)),
    // Codecs.
    done("codec", codecs::apply),
    done("codecs", codecs::apply),
    done("codec-strip", |r, v| codecs::apply_list(r, "strip", v)),
    done("codec-except", |r, v| codecs::apply_list(r, "except", v)),
    done("codec-offer", |r, v| codecs::apply_list(r, "offer", v)),
    ignored("codec-ignore", |r, v| codecs::apply_list(r, "ignore", v)),
    ignored("codec-accept", |r, v| codecs::apply_list(r, "accept", v)),
    done("codec-consume", |r, v| codecs::apply_list(r, "consume", v)),
    done("codec-mask", |r, v| codecs::apply_list(r, "mask", v)),
    ignored("codec-set", |r, v| codecs::apply_list(r, "set", v)),
    unsupported("codec-transcode", |r, v| {
        codecs::apply_list(r, "transcode", v)
    }),
    unsupported("transcode", |r, v| codecs::apply_list(r, "transcode", v)),
    done("ptime", |r, v| {
        r.command != Command::Offer || unsigned(&mut r.options.ptime, v)
    }),
    done("ptime-reverse", ptime_reverse),
    done("reverse-ptime", ptime_reverse),
    // ICE and keys.
    done("ice", |r, v| apply(&mut r.options, ice::ICE, v)),
    ignored("ice-lite", |r, v| apply(&mut r.options, ice::ICE_LITE, v)),
    ignored("dtls", |r, v| apply(&mut r.options, dtls::DTLS, v)),
    ignored("dtls-reverse", |r, v| {
        apply(&mut r.options, dtls::REVERSE, v)
    }),
    ignored("dtls-fingerprint", |r, v| {
        apply(&mut r.options, dtls::FINGERPRINT, v)
    }),
    ignored("sdes", |r, v| sdes::apply(&mut r.options, v)),
    ignored("osrtp", |r, v| apply(&mut r.options, osrtp::WORDS, v)),
    ignored("passthrough", |r, v| apply(&mut r.options, PASSTHROUGH, v)),
    ignored("passthru", |r, v| apply(&mut r.options, PASSTHROUGH, v)),
    // The call.
    done("supports", |r, v| apply(&mut r.options, SUPPORTS, v)),
    done("delete-delay", |r, v| {
        unsigned(&mut r.options.delete_delay, v)
    }),
    done("limit", |r, v| integer(&mut r.options.limit, v)),
    done("metadata", |r, v| text(&mut r.options.metadata, v)),
    done("template", |r, v| text(&mut r.options.template, v)),
    done("sip-code", |r, v| integer(&mut r.options.sip_code, v)),
    done("sip-response-code", |r, v| {
        integer(&mut r.options.sip_code, v)
    }),
    ignored("sip-message-type", |r, v| {
        apply(&mut r.options, selection::SIP_MESSAGE_TYPE, v)
    }),
    done("xmlrpc-callback", |r, v| {
        address(&mut r.options.xmlrpc_callback, v)
    }),
    done("body", |r, v| text(&mut r.options.body, v)),
    // Parties and flows.
    done("label", |r, v| text(&mut r.options.label, v)),
    done("from-label", |r, v| text(&mut r.options.label, v)),
    done("to-label", |r, v| text(&mut r.options.to_label, v)),
    done("set-label", |r, v| text(&mut r.options.set_label, v)),
    done("address", |r, v| text(&mut r.options.address, v)),
    done("all", |r, v| apply(&mut r.options, selection::ALL, v)),
    done("from-tags", |r, v| collect(&mut r.options.from_tags, v)),
    done("tags", |r, v| selection::tags(&mut r.options, v)),
    done("calls", |r, v| collect(&mut r.options.calls, v)),
    done("media", |r, v| medias::medias(&mut r.options, v)),
    done("medias", |r, v| medias::medias(&mut r.options, v)),
    done("source-call-id", |r, v| {
        text(&mut r.options.source_call_id, v)
    }),
    done("source-tag", |r, v| text(&mut r.options.source_tag, v)),
    done("to-call-id", |r, v| text(&mut r.options.to_call_id, v)),
    done("instance", |r, v| text(&mut r.options.instance, v)),
    done("alias-key", |r, v| {
        apply(&mut r.options, selection::ALIAS_KEY, v)
    }),
    // What becomes of media.
    done("media-echo", |r, v| {
        apply(&mut r.options, selection::ECHO, v)
    }),
    done("drop-traffic", |r, v| {
        apply(&mut r.options, selection::DROP_TRAFFIC, v)
    }),
    done("generate-rtcp", |r, v| {
        apply(&mut r.options, rtcp::GENERATE, v)
    }),
    unsupported("delay-buffer", |r, v| {
        integer(&mut r.options.delay_buffer, v)
    }),
    unsupported("t.38", |r, v| apply(&mut r.options, t38::WORDS, v)),
    unsupported("t38", |r, v| apply(&mut r.options, t38::WORDS, v)),
    unsupported("t.38-version", |r, v| {
        integer(&mut r.options.t38.version, v)
    }),
    unsupported("t38-version", |r, v| integer(&mut r.options.t38.version, v)),
    // DTMF.
    done("dtmf-security", |r, v| {
        security(&mut r.options, v, |dtmf| &mut dtmf.security)
    }),
    done("dtmf-security-trigger", |r, v| {
        security(&mut r.options, v, |dtmf| &mut dtmf.security_trigger)
    }),
    done("dtmf-security-trigger-end", |r, v| {
        security(&mut r.options, v, |dtmf| &mut dtmf.security_trigger_end)
    }),
    unsupported("dtmf-delay", |r, v| integer(&mut r.options.dtmf.delay, v)),
    done("dtmf-log-dest", |r, v| {
        endpoint(&mut r.options.dtmf.log_dest, v)
    }),
    done("dtmf-log-destination", |r, v| {
        endpoint(&mut r.options.dtmf.log_dest, v)
    }),
    done("trigger", |r, v| text(&mut r.options.dtmf.trigger, v)),
    done("trigger-end", |r, v| {
        text(&mut r.options.dtmf.trigger_end, v)
    }),
    done("end-trigger", |r, v| {
        text(&mut r.options.dtmf.trigger_end, v)
    }),
    done("trigger-end-time", |r, v| {
        integer(&mut r.options.dtmf.trigger_end_time, v)
    }),
    done("end-trigger-time", |r, v| {
        integer(&mut r.options.dtmf.trigger_end_time, v)
    }),
    done("trigger-end-digits", |r, v| {
        integer(&mut r.options.dtmf.trigger_end_digits, v)
    }),
    done("end-trigger-digits", |r, v| {
        integer(&mut r.options.dtmf.trigger_end_digits, v)
    }),
    // Recording.
    done("record-call", |r, v| {
        apply(&mut r.options, recording::RECORD_CALL, v)
    }),
    ignored("recording-dir", path),
    ignored("recording-directory", path),
    ignored("recording-folder", path),
    ignored("recording-path", path),
    ignored("output-dir", path),
    ignored("output-directory", path),
    ignored("output-folder", path),
    ignored("output-path", path),
    ignored("recording-file", file),
    ignored("recording-dest", file),
    ignored("recording-destination", file),
    ignored("output-file", file),
    ignored("output-dest", file),
    ignored("output-destination", file),
    ignored("recording-pattern", pattern),
    ignored("output-pattern", pattern),
    ignored("recording-media-slot-offer", |r, v| {
        integer(&mut r.options.recording.slot_offer, v)
    }),
    ignored("recording-media-slot-answer", |r, v| {
        integer(&mut r.options.recording.slot_answer, v)
    }),
    ignored("recording-media-slots", |r, v| {
        integer(&mut r.options.recording.slots, v)
    }),
    done("vsc-start-rec", |r, v| {
        text(&mut r.options.recording.codes.start, v)
    }),
    done("vsc-start-recording", |r, v| {
        text(&mut r.options.recording.codes.start, v)
    }),
    done("vsc-stop-rec", |r, v| {
        text(&mut r.options.recording.codes.stop, v)
    }),
    done("vsc-stop-recording", |r, v| {
        text(&mut r.options.recording.codes.stop, v)
    }),
    done("vsc-start-stop-rec", |r, v| {
        text(&mut r.options.recording.codes.start_stop, v)
    }),
    done("vsc-start-stop-recording", |r, v| {
        text(&mut r.options.recording.codes.start_stop, v)
    }),
    done("vsc-pause-rec", |r, v| {
        text(&mut r.options.recording.codes.pause, v)
    }),
    done("vsc-pause-recording", |r, v| {
        text(&mut r.options.recording.codes.pause, v)
    }),
    done("vsc-pause-resume-rec", |r, v| {
        text(&mut r.options.recording.codes.pause_resume, v)
    }),
    done("vsc-pause-resume-recording", |r, v| {
        text(&mut r.options.recording.codes.pause_resume, v)
    }),
    done("vsc-start-pause-resume-rec", |r, v| {
        text(&mut r.options.recording.codes.start_pause_resume, v)
    }),
    done("vsc-start-pause-resume-recording", |r, v| {
        text(&mut r.options.recording.codes.start_pause_resume, v)
    }),
    done("pause", pause),
    // Playing.
    unsupported("file", |r, v| text(&mut r.options.player.file, v)),
    unsupported("blob", |r, v| text(&mut r.options.player.blob, v)),
    unsupported("blob64", |r, v| text(&mut r.options.player.blob64, v)),
    unsupported("db-id", |r, v| integer(&mut r.options.player.db_id, v)),
    unsupported("repeat-times", |r, v| {
        integer(&mut r.options.player.repeat_times, v)
    }),
    unsupported("repeat-duration", |r, v| {
        integer(&mut r.options.player.repeat_duration, v)
    }),
    unsupported("start-pos", |r, v| {
        integer(&mut r.options.player.start_pos, v)
    }),
    unsupported("duration", |r, v| {
        integer(&mut r.options.player.duration, v)
    }),
    done("code", |r, v| text(&mut r.options.player.code, v)),
    done("digit", |r, v| text(&mut r.options.player.code, v)),
    done("volume", |r, v| integer(&mut r.options.player.volume, v)),
    unsupported("frequency", |r, v| player::frequencies(&mut r.options, v)),
    unsupported("frequencies", |r, v| player::frequencies(&mut r.options, v)),
    unsupported("audio-player", |r, v| {
        apply(&mut r.options, player::AUDIO_PLAYER, v)
    }),
    unsupported("player", |r, v| {
        apply(&mut r.options, player::AUDIO_PLAYER, v)
    }),
    unsupported("moh", |r, v| player::moh(&mut r.options, v)),
];

/// The words of `supports`.
pub(super) const SUPPORTS: &[Word<Set>] = &[done("load-limit", |o| o.supports_load_limit = true)];

/// The words of `passthrough`.
pub(super) const PASSTHROUGH: &[Word<Set>] = &[
    ignored("on", |o| o.flags.passthrough = true),
    ignored("yes", |o| o.flags.passthrough = true),
    ignored("enable", |o| o.flags.passthrough = true),
    ignored("enabled", |o| o.flags.passthrough = true),
    ignored("no", |o| o.flags.no_passthrough = true),
    ignored("off", |o| o.flags.no_passthrough = true),
    ignored("disable", |o| o.flags.no_passthrough = true),
    ignored("disabled", |o| o.flags.no_passthrough = true),
];

/// Applies one key of a request's dictionary, whatever it is.
pub(crate) fn apply_key(request: &mut Request, key: &[u8], value: &Value, templates: &Templates) {
    match normalise(key).as_ref() {
        "flags" => {
            for word in words(value) {
                flags::apply(request, &word);
                expand(request, templates);
            }
        }
        "rtpp-flags" => rtpp_flags::apply(request, value, templates),
        key => {
            apply_option(request, key, value);
            expand(request, templates);
        }
    }
}

/// Applies a template. Templates do not nest.
pub(crate) fn apply_template(request: &mut Request, template: &Bytes) {
    let options = Value::Bytes(template.clone());
    rtpp_flags::apply(request, &options, &Templates::NONE);
}

/// Applies the template that the last option named, in its place.
pub(super) fn expand(request: &mut Request, templates: &Templates) {
    let Some(name) = request.options.template.take() else {
        return;
    };
    match templates.get(&name) {
        Some(template) => apply_template(request, template),
        None => request
            .options
            .unknown
            .push(describe("template", &name.into())),
    }
}

/// Applies one key that may also stand inside `flags` as `key=value`; `flags` itself may not, so nothing nests.
pub(super) fn apply_option(request: &mut Request, key: &str, value: &Value) {
    let known = find(KEYS, key);
    if let Some(known) = known {
        request.options.note(known);
    }
    if !known.is_some_and(|known| (known.effect)(request, value)) {
        request.options.unknown.push(describe(key, value));
    }
}

/// Whether the key, in normal form, is one that rtpengine knows.
pub(super) fn is_known(key: &str) -> bool {
    find(KEYS, key).is_some()
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

fn collect(place: &mut Vec<Bytes>, value: &Value) -> bool {
    each(value, |word| {
        place.push(word.clone());
        true
    })
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
    request.options.set_direction(place, name.clone());
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

fn tos(options: &mut Options, value: &Value) -> bool {
    options.tos = value.as_integer().and_then(|tos| match tos {
        ..=-1 => Some(Tos::Unchanged),
        256 => Some(Tos::Configured),
        other => u8::try_from(other).ok().map(Tos::Set),
    });
    options.tos.is_some()
}

/// It only means something in an offer, and so does its twin.
fn ptime_reverse(request: &mut Request, value: &Value) -> bool {
    request.command != Command::Offer || unsigned(&mut request.options.ptime_reverse, value)
}

fn security(
    options: &mut Options,
    value: &Value,
    place: fn(&mut dtmf::Dtmf) -> &mut Option<dtmf::DtmfSecurity>,
) -> bool {
    each(value, |word| {
        let Some(known) = find(dtmf::SECURITY, &normalise(word)) else {
            return false;
        };
        options.note(known);
        *place(&mut options.dtmf) = Some(known.effect);
        true
    })
}

fn path(request: &mut Request, value: &Value) -> bool {
    text(&mut request.options.recording.path, value)
}

fn file(request: &mut Request, value: &Value) -> bool {
    text(&mut request.options.recording.file, value)
}

fn pattern(request: &mut Request, value: &Value) -> bool {
    text(&mut request.options.recording.pattern, value)
}

/// `yes` with `stop recording`, a time in ms with `play DTMF`.
fn pause(request: &mut Request, value: &Value) -> bool {
    let options = &mut request.options;
    options.recording.pause |= value.as_str() == Some("yes");
    options.recording.pause || integer(&mut options.player.pause, value)
}
