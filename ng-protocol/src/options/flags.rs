//! The words of the `flags` list.

use std::borrow::Cow;

use bytes::Bytes;

use super::ice::Ice;
use super::player::AudioPlayer;
use super::selection::All;
use super::transport::TransportProtocol;
use super::word::{Set, Word, done, find, ignored, normalise, unsupported};
use super::{Options, keys};
use crate::{Request, Value};

/// Switches. Every name is rtpengine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is the flag of the same name; ng's documentation says what it does"
)]
pub struct Flags {
    pub allow_asymmetric_codecs: bool,
    pub allow_no_codec_media: bool,
    pub allow_transcoding: bool,
    pub asymmetric: bool,
    pub bidirectional: bool,
    pub block_dtmf: bool,
    pub block_egress: bool,
    pub block_short: bool,
    pub debug: bool,
    pub detect_dtmf: bool,
    pub directional: bool,
    pub discard_recording: bool,
    pub early_media: bool,
    pub egress: bool,
    pub exclude_recording: bool,
    pub fatal: bool,
    pub fast: bool,
    pub force_transcoding: bool,
    pub fragment: bool,
    pub full_rtcp_attribute: bool,
    pub generate_mid: bool,
    pub ice2: bool,
    pub ice_reject: bool,
    pub inactive: bool,
    pub inject_dtmf: bool,
    pub loop_protect: bool,
    pub media_handover: bool,
    pub mirror_rtcp: bool,
    pub mix: bool,
    pub nat_wait: bool,
    pub new_branch: bool,
    pub no_jitter_buffer: bool,
    pub no_passthrough: bool,
    pub no_port_latching: bool,
    pub no_redis_update: bool,
    pub no_rtcp_attribute: bool,
    pub no_tls_id: bool,
    pub original_sendrecv: bool,
    pub passthrough: bool,
    pub pierce_nat: bool,
    pub port_latching: bool,
    pub provisional: bool,
    pub recording_announcement: bool,
    pub recording_vsc: bool,
    pub recrypt: bool,
    pub reset: bool,
    pub reuse_codecs: bool,
    pub single_codec: bool,
    pub sip_source_address: bool,
    pub siprec: bool,
    pub skip_recording_db: bool,
    pub static_codecs: bool,
    pub strict_source: bool,
    pub symmetric: bool,
    pub to_tag: bool,
    pub trickle_ice: bool,
    pub trust_address: bool,
    pub unidirectional: bool,
    pub unsubscribe: bool,
    pub webrtc: bool,
}

const MIRROR_RTCP: Set = |o| o.flags.mirror_rtcp = true;
const NO_CODEC_MEDIA: Set = |o| o.flags.allow_no_codec_media = true;
const PLAYER: Set = |o| o.player.audio_player = Some(AudioPlayer::Transcoding);
const NO_PLAYER: Set = |o| o.player.audio_player = Some(AudioPlayer::Off);

/// The words of `flags`.
pub(super) const WORDS: &[Word<Set>] = &[
    done("all", |o| o.all = Some(All::All)),
    done("allow-asymmetric-codecs", |o| {
        o.flags.allow_asymmetric_codecs = true
    }),
    done("allow-asymmetric-codec", |o| {
        o.flags.allow_asymmetric_codecs = true
    }),
    done("allow-no-codec-media", NO_CODEC_MEDIA),
    done("allow-no-codec-medias", NO_CODEC_MEDIA),
    done("allow-empty-codec-media", NO_CODEC_MEDIA),
    done("allow-empty-codec-medias", NO_CODEC_MEDIA),
    done("allow-transcoding", |o| o.flags.allow_transcoding = true),
    unsupported("always-transcode", |o| {
        o.codecs.accept.push(Bytes::from_static(b"all"))
    }),
    done("asymmetric", |o| o.flags.asymmetric = true),
    ignored("asymmetric-codecs", |_| {}),
    unsupported("audio-player", PLAYER),
    done("bidirectional", |o| o.flags.bidirectional = true),
    done("block-dtmf", |o| o.flags.block_dtmf = true),
    unsupported("block-egress", |o| o.flags.block_egress = true),
    done("block-short", |o| o.flags.block_short = true),
    done("block-shorts", |o| o.flags.block_short = true),
    done("block-short-packets", |o| o.flags.block_short = true),
    done("debug", |o| o.flags.debug = true),
    done("debugging", |o| o.flags.debug = true),
    unsupported("detect-dtmf", |o| o.flags.detect_dtmf = true),
    done("directional", |o| o.flags.directional = true),
    done("discard-recording", |o| o.flags.discard_recording = true),
    ignored("early-media", |o| o.flags.early_media = true),
    done("egress", |o| o.flags.egress = true),
    done("exclude-recording", |o| o.flags.exclude_recording = true),
    done("fatal", |o| o.flags.fatal = true),
    done("fast", |o| o.flags.fast = true),
    unsupported("force-transcoding", |o| o.flags.force_transcoding = true),
    done("fragment", |o| o.flags.fragment = true),
    done("full-rtcp-attribute", |o| {
        o.flags.full_rtcp_attribute = true
    }),
    done("generate-mid", |o| o.flags.generate_mid = true),
    done("generate-rtcp", |o| o.generate_rtcp = Some(true)),
    done("ice-reject", |o| o.flags.ice_reject = true),
    done("reject-ice", |o| o.flags.ice_reject = true),
    done("inactive", |o| o.flags.inactive = true),
    unsupported("inject-dtmf", |o| o.flags.inject_dtmf = true),
    done("loop-protect", |o| o.flags.loop_protect = true),
    done("media-handover", |o| o.flags.media_handover = true),
    done("mirror-rtcp", MIRROR_RTCP),
    done("rtcp-mirror", MIRROR_RTCP),
    unsupported("mix", |o| o.flags.mix = true),
    unsupported("mixed", |o| o.flags.mix = true),
    done("nat-wait", |o| o.flags.nat_wait = true),
    done("new-branch", |o| o.flags.new_branch = true),
    done("no-codec-renegotiation", |o| o.flags.reuse_codecs = true),
    done("reuse-codecs", |o| o.flags.reuse_codecs = true),
    ignored("no-jitter-buffer", |o| o.flags.no_jitter_buffer = true),
    ignored("no-passthrough", |o| o.flags.no_passthrough = true),
    ignored("no-player", NO_PLAYER),
    ignored("no-audio-player", NO_PLAYER),
    done("no-port-latching", |o| o.flags.no_port_latching = true),
    ignored("no-redis-update", |o| o.flags.no_redis_update = true),
    done("no-rtcp-attribute", |o| o.flags.no_rtcp_attribute = true),
    ignored("no-tls-id", |o| o.flags.no_tls_id = true),
    done("original-sendrecv", |o| o.flags.original_sendrecv = true),
    ignored("pad-crypto", |o| o.sdes.pad = true),
    ignored("passthrough", |o| o.flags.passthrough = true),
    done("pause", |o| o.recording.pause = true),
    done("pierce-nat", |o| o.flags.pierce_nat = true),
    unsupported("player", PLAYER),
    done("port-latching", |o| o.flags.port_latching = true),
    done("provisional", |o| o.flags.provisional = true),
    done("record-call", |o| o.recording.call = Some(true)),
    unsupported("recording-announcement", |o| {
        o.flags.recording_announcement = true
    }),
    done("recording-vsc", |o| o.flags.recording_vsc = true),
    ignored("recrypt", |o| o.flags.recrypt = true),
    ignored("reorder-codecs", |_| {}),
    done("reset", |o| o.flags.reset = true),
    done("single-codec", |o| o.flags.single_codec = true),
    done("sip-source-address", |o| trust_address(o, false)),
    done("siprec", |o| o.flags.siprec = true),
    ignored("skip-recording-db", |o| o.flags.skip_recording_db = true),
    ignored("skip-recording-database", |o| {
        o.flags.skip_recording_db = true
    }),
    done("static-codec", |o| o.flags.static_codecs = true),
    done("static-codecs", |o| o.flags.static_codecs = true),
    done("strict-source", |o| o.flags.strict_source = true),
    done("strip-extmap", |o| {
        o.extmap.strip.push(Bytes::from_static(b"all"))
    }),
    ignored("symmetric", |o| o.flags.symmetric = true),
    ignored("symmetric-codecs", |_| {}),
    done("to-tag", |o| o.flags.to_tag = true),
    ignored("trickle-ice", |o| o.flags.trickle_ice = true),
    done("trust-address", |o| trust_address(o, true)),
    ignored("unidirectional", |o| o.flags.unidirectional = true),
    done("unsubscribe", |o| o.flags.unsubscribe = true),
    done("webrtc", webrtc),
];

/// Flags that carry a value behind a prefix, and the key that the value is for. Longer prefixes first.
pub(super) const PREFIXES: &[(&str, &str)] = &[
    ("replace-", "replace"),
    ("rtcp-mux-", "rtcp-mux"),
    ("endpoint-learning-", "endpoint-learning"),
    ("ice-lite-", "ice-lite"),
    ("ice-", "ice"),
    ("osrtp-", "osrtp"),
    ("bundle-", "bundle"),
    ("sdes-", "sdes"),
    ("t38-", "t38"),
    ("t.38-", "t.38"),
    ("from-tags-", "from-tags"),
    ("transcode-", "transcode"),
    ("codec-strip-", "codec-strip"),
    ("codec-except-", "codec-except"),
    ("codec-offer-", "codec-offer"),
    ("codec-accept-", "codec-accept"),
    ("codec-ignore-", "codec-ignore"),
    ("codec-consume-", "codec-consume"),
    ("codec-set-", "codec-set"),
    ("codec-transcode-", "codec-transcode"),
    ("codec-mask-", "codec-mask"),
    ("sdp-attr-add-", "sdp-attr-add"),
    ("sdp-attr-remove-", "sdp-attr-remove"),
    ("sdp-attr-substitute-", "sdp-attr-substitute"),
];

/// Applies one word of the `flags` list.
pub(super) fn apply(request: &mut Request, raw: &Bytes) {
    let raw = raw.slice_ref(raw.trim_ascii());
    let word = normalise(&raw);
    if let Some(known) = find(WORDS, &word) {
        request.options.note(known);
        (known.effect)(&mut request.options);
    } else if let Some((key, value)) = known_pair(&raw) {
        keys::apply_option(request, &key, &Value::Bytes(value));
    } else if let Some((key, length)) = find_prefix(PREFIXES, &word) {
        // Prefixes are ASCII, and so as long in the raw word; the value behind keeps its spelling, and its commas.
        let value = Value::List(vec![raw.slice(length..).into()]);
        keys::apply_option(request, key, &value);
    } else {
        let shown: String = word.chars().take(64).collect();
        request.options.unknown.push(format!("flag {shown}"));
    }
}

/// The key of the prefix that a word has, and how long the prefix is.
fn find_prefix(table: &[(&str, &'static str)], word: &str) -> Option<(&'static str, usize)> {
    let has = |prefix: &str| word.len() > prefix.len() && word.starts_with(prefix);
    let (prefix, key) = table.iter().find(|(prefix, _)| has(prefix))?;
    Some((key, prefix.len()))
}

/// Takes `key=value` apart if the key is one; what stands behind a prefix may hold a `=`, too.
fn known_pair(raw: &Bytes) -> Option<(Cow<'_, str>, Bytes)> {
    let equals = raw.iter().position(|&byte| byte == b'=')?;
    let key = normalise(&raw[..equals]);
    keys::is_known(&key).then(|| (key, raw.slice(equals + 1..)))
}

/// The two flags are opposites; the last one counts.
fn trust_address(options: &mut Options, trust: bool) {
    options.flags.trust_address = trust;
    options.flags.sip_source_address = !trust;
}

/// Everything that a browser needs, in one word.
fn webrtc(options: &mut Options) {
    options.flags.webrtc = true;
    options.flags.trickle_ice = true;
    options.flags.no_rtcp_attribute = true;
    options.flags.generate_mid = true;
    options.transport_protocol = Some(TransportProtocol::UdpTlsRtpSavpf);
    options.ice = Ice::Force;
    options.rtcp_mux.offer = true;
    options.rtcp_mux.require = true;
    options.bundle.offer = true;
    options.bundle.require = true;
    options.sdes.off = true;
}
