//! The words of the `flags` list.

use bytes::Bytes;

use super::types::{Ice, TransportProtocol};
use super::word::{find, find_prefix, normalise};
use super::{Options, keys};
use crate::{Request, Value};

/// Switches that matter to a relay. Every name is rtpengine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is the flag of the same name; ng's documentation says what it does"
)]
pub struct Flags {
    pub all: bool,
    pub asymmetric: bool,
    pub bidirectional: bool,
    pub directional: bool,
    pub early_media: bool,
    pub fatal: bool,
    pub fast: bool,
    pub fragment: bool,
    pub full_rtcp_attribute: bool,
    pub generate_mid: bool,
    pub ice_reject: bool,
    pub inactive: bool,
    pub loop_protect: bool,
    pub media_handover: bool,
    pub nat_wait: bool,
    pub new_branch: bool,
    pub no_passthrough: bool,
    pub no_port_latching: bool,
    pub no_rtcp_attribute: bool,
    pub original_sendrecv: bool,
    pub pad_crypto: bool,
    pub passthrough: bool,
    pub port_latching: bool,
    pub provisional: bool,
    pub reset: bool,
    pub sip_source_address: bool,
    pub strict_source: bool,
    pub symmetric: bool,
    pub to_tag: bool,
    pub trickle_ice: bool,
    pub trust_address: bool,
    pub unidirectional: bool,
    pub webrtc: bool,
}

type Effect = fn(&mut Options);

/// Normalised word to effect.
const WORDS: &[(&str, Effect)] = &[
    ("all", |o| o.flags.all = true),
    ("asymmetric", |o| o.flags.asymmetric = true),
    ("bidirectional", |o| o.flags.bidirectional = true),
    ("directional", |o| o.flags.directional = true),
    ("early-media", |o| o.flags.early_media = true),
    ("fatal", |o| o.flags.fatal = true),
    ("fast", |o| o.flags.fast = true),
    ("fragment", |o| o.flags.fragment = true),
    ("full-rtcp-attribute", |o| {
        o.flags.full_rtcp_attribute = true
    }),
    ("generate-mid", |o| o.flags.generate_mid = true),
    ("ice-reject", |o| o.flags.ice_reject = true),
    ("reject-ice", |o| o.flags.ice_reject = true),
    ("inactive", |o| o.flags.inactive = true),
    ("loop-protect", |o| o.flags.loop_protect = true),
    ("media-handover", |o| o.flags.media_handover = true),
    ("nat-wait", |o| o.flags.nat_wait = true),
    ("new-branch", |o| o.flags.new_branch = true),
    ("no-passthrough", |o| o.flags.no_passthrough = true),
    ("no-port-latching", |o| o.flags.no_port_latching = true),
    ("no-rtcp-attribute", |o| o.flags.no_rtcp_attribute = true),
    ("original-sendrecv", |o| o.flags.original_sendrecv = true),
    ("pad-crypto", |o| o.flags.pad_crypto = true),
    ("passthrough", |o| o.flags.passthrough = true),
    ("port-latching", |o| o.flags.port_latching = true),
    ("provisional", |o| o.flags.provisional = true),
    ("reset", |o| o.flags.reset = true),
    ("sip-source-address", |o| trust_address(o, false)),
    ("strict-source", |o| o.flags.strict_source = true),
    ("symmetric", |o| o.flags.symmetric = true),
    ("to-tag", |o| o.flags.to_tag = true),
    ("trickle-ice", |o| o.flags.trickle_ice = true),
    ("trust-address", |o| trust_address(o, true)),
    ("unidirectional", |o| o.flags.unidirectional = true),
    ("webrtc", webrtc),
];

/// Words of rtpengine's that nothing here acts on yet.
#[rustfmt::skip]
const DEFERRED: &[&str] = &[
    "allow-asymmetric-codec", "allow-asymmetric-codecs", "allow-empty-codec-media",
    "allow-empty-codec-medias", "allow-no-codec-media", "allow-no-codec-medias",
    "allow-transcoding", "always-transcode", "asymmetric-codecs", "audio-player", "block-dtmf",
    "block-egress", "block-short", "block-short-packets", "block-shorts", "debug", "debugging",
    "detect-dtmf", "discard-recording", "egress", "exclude-recording", "force-transcoding",
    "generate-rtcp", "inject-dtmf", "mirror-rtcp", "mix", "mixed", "no-audio-player",
    "no-codec-renegotiation", "no-jitter-buffer", "no-player", "no-redis-update", "no-tls-id",
    "pierce-nat", "player", "record-call", "recording-announcement", "recording-vsc", "recrypt",
    "reorder-codecs", "reuse-codecs", "rtcp-mirror", "single-codec", "siprec",
    "skip-recording-database", "skip-recording-db", "static-codec", "static-codecs", "strip-extmap",
    "symmetric-codecs", "unsubscribe",
];

/// Flags that carry a value behind a prefix, and the key that the value is for. Longer prefixes first.
const PREFIXES: &[(&str, &str)] = &[
    ("replace-", "replace"),
    ("rtcp-mux-", "rtcp-mux"),
    ("endpoint-learning-", "endpoint-learning"),
    ("ice-lite-", "ice-lite"),
    ("ice-", "ice"),
    ("osrtp-", "osrtp"),
    ("bundle-", "bundle"),
    ("sdes-", "sdes"),
    ("t38-", "t.38"),
    ("t.38-", "t.38"),
    ("from-tags-", "from-tags"),
    ("transcode-", "codec-transcode"),
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
    if let Some(effect) = find(WORDS, &word) {
        effect(&mut request.options);
    } else if let Some((key, value)) = known_pair(&raw) {
        keys::apply_option(request, &key, &Value::Bytes(value));
    } else if let Some((key, rest)) = find_prefix(PREFIXES, &word) {
        // Prefixes are ASCII, and so as long in the raw word; the value behind keeps its spelling.
        let prefix = word.len() - rest.len();
        let value = Value::Bytes(raw.slice(prefix..));
        keys::apply_option(request, key, &value);
    } else if DEFERRED.contains(&word.as_str()) {
        request.options.deferred.push((word, Value::Integer(1)));
    } else {
        let shown: String = word.chars().take(64).collect();
        request.options.unknown.push(format!("flag {shown}"));
    }
}

/// Takes `key=value` apart if the key is one; what stands behind a prefix may hold a `=`, too.
fn known_pair(raw: &Bytes) -> Option<(String, Bytes)> {
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
    for (key, word) in [("sdes", "off"), ("bundle", "offer"), ("bundle", "require")] {
        options.deferred.push((key.to_owned(), Value::from(word)));
    }
}
