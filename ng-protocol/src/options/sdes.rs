//! `SDES`: keys of SRTP in the SDP (RFC 4568).

use bytes::Bytes;

use super::Options;
use super::word::{self, Set, Word, each, find_prefix, ignored, normalise, unescape};
use crate::Value;

/// `SDES`. The positive twins of the session parameters say that they are not to be passed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is the word of the same name; ng's documentation says what it does"
)]
pub struct Sdes {
    pub off: bool,
    pub unencrypted_srtp: bool,
    pub unencrypted_srtcp: bool,
    pub unauthenticated_srtp: bool,
    pub encrypted_srtp: bool,
    pub encrypted_srtcp: bool,
    pub authenticated_srtp: bool,
    pub lifetime: bool,
    pub pad: bool,
    pub static_: bool,
    pub nonew: bool,
    pub prefer: bool,
    /// Suites that alone are offered.
    pub only: Vec<Bytes>,
    /// Suites that are not offered.
    pub no: Vec<Bytes>,
    /// Suites that come first, in this order.
    pub order: Vec<Bytes>,
    /// Suites that are chosen from for the offerer, the best first.
    pub offerer_pref: Vec<Bytes>,
}

/// The words of `SDES`.
pub(super) const WORDS: &[Word<Set>] = &[
    ignored("no", |o| o.sdes.off = true),
    ignored("off", |o| o.sdes.off = true),
    ignored("disabled", |o| o.sdes.off = true),
    ignored("disable", |o| o.sdes.off = true),
    ignored("unencrypted-srtp", |o| o.sdes.unencrypted_srtp = true),
    ignored("unencrypted-srtcp", |o| o.sdes.unencrypted_srtcp = true),
    ignored("unauthenticated-srtp", |o| {
        o.sdes.unauthenticated_srtp = true
    }),
    ignored("encrypted-srtp", |o| o.sdes.encrypted_srtp = true),
    ignored("encrypted-srtcp", |o| o.sdes.encrypted_srtcp = true),
    ignored("authenticated-srtp", |o| o.sdes.authenticated_srtp = true),
    ignored("lifetime", |o| o.sdes.lifetime = true),
    ignored("pad", |o| o.sdes.pad = true),
    ignored("static", |o| o.sdes.static_ = true),
    ignored("nonew", |o| o.sdes.nonew = true),
    ignored("prefer", |o| o.sdes.prefer = true),
    ignored("priority", |o| o.sdes.prefer = true),
];

/// The list that a word's rest goes to.
pub(super) type List = fn(&mut Sdes) -> &mut Vec<Bytes>;

/// The words of `SDES` with suites behind them: one, or several between semicolons.
pub(super) const PREFIXES: &[Word<List>] = &[
    ignored("only-", |sdes| &mut sdes.only),
    ignored("no-", |sdes| &mut sdes.no),
    ignored("order:", |sdes| &mut sdes.order),
    ignored("offerer-pref:", |sdes| &mut sdes.offerer_pref),
];

pub(super) fn apply(options: &mut Options, value: &Value) -> bool {
    each(value, |raw| {
        let Some((prefix, length)) = find_prefix(PREFIXES, &normalise(raw)) else {
            return word::apply_word(options, WORDS, raw);
        };
        options.note(prefix);
        let suites = unescape(&raw.slice_ref(&raw.trim_ascii()[length..]));
        let suites = suites
            .split(|&byte| byte == b';')
            .filter(|suite| !suite.is_empty())
            .map(|suite| suites.slice_ref(suite));
        (prefix.effect)(&mut options.sdes).extend(suites);
        true
    })
}
