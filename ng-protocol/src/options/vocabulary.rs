//! Every word there is, to be looked at from outside.

use super::word::{Support, Word};
use super::{
    bundle, codecs, dtls, dtmf, flags, ice, keys, manipulation, medias, osrtp, player, recording,
    replace, rtcp, sdes, selection, t38, transport,
};

/// The words that may stand in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// The place, as it is called in `docs/ng-options.md`: mostly the key whose words these are.
    pub place: &'static str,
    /// Each word in normal form with what becomes of it.
    pub words: Vec<(&'static str, Support)>,
}

fn of<E>(place: &'static str, words: &[Word<E>]) -> Vocabulary {
    let words = words.iter().map(|word| (word.name, word.support)).collect();
    Vocabulary { place, words }
}

/// Every word of every place.
#[must_use]
pub fn vocabularies() -> Vec<Vocabulary> {
    let mut keys = of("Keys", keys::KEYS);
    // These two hold other options.
    let holders = ["flags", "rtpp-flags"].map(|name| (name, Support::Done));
    keys.words.extend(holders);
    // What stands behind a prefix is a value of its key.
    let support = |key| keys.words.iter().find(|(name, _)| *name == key);
    let prefixes = flags::PREFIXES.iter().map(|(prefix, key)| {
        let support = support(*key).map_or(Support::Ignored, |(_, support)| *support);
        (*prefix, support)
    });
    let prefixes = Vocabulary {
        place: "Flags with a value behind them",
        words: prefixes.collect(),
    };
    vec![
        keys,
        of("Flags", flags::WORDS),
        prefixes,
        of("supports", keys::SUPPORTS),
        of("address family", transport::FAMILY),
        of("transport protocol", transport::PROTOCOLS),
        of("endpoint-learning", transport::LEARNING),
        of("replace", replace::WORDS),
        of("rtcp-mux", rtcp::MUX),
        of("bundle", bundle::WORDS),
        of("codec", codecs::WORDS),
        of("sdp-attr", manipulation::CHANGES),
        of("sections of sdp-attr", manipulation::SECTIONS),
        of("sdp-media-remove", manipulation::MEDIA_TYPES),
        of("extmap", manipulation::EXTMAP),
        of("ICE", ice::ICE),
        of("ICE-lite", ice::ICE_LITE),
        of("DTLS", dtls::DTLS),
        of("DTLS-reverse", dtls::REVERSE),
        of("DTLS-fingerprint", dtls::FINGERPRINT),
        of("SDES", sdes::WORDS),
        of("prefixes of SDES", sdes::PREFIXES),
        of("OSRTP", osrtp::WORDS),
        of("passthrough", keys::PASSTHROUGH),
        of("sip-message-type", selection::SIP_MESSAGE_TYPE),
        of("all", selection::ALL),
        of("alias-key", selection::ALIAS_KEY),
        of("media", medias::MEDIA),
        of("codecs of media", medias::PAYLOAD_TYPE),
        of("media echo", selection::ECHO),
        of("drop-traffic", selection::DROP_TRAFFIC),
        of("generate RTCP", rtcp::GENERATE),
        of("DTMF-security", dtmf::SECURITY),
        of("record call", recording::RECORD_CALL),
        of("audio-player", player::AUDIO_PLAYER),
        of("moh", player::MOH),
        of("T.38", t38::WORDS),
    ]
}
