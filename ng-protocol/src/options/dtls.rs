//! `DTLS`, `DTLS-reverse` and `DTLS-fingerprint`.

use super::word::{Set, Word, ignored};

/// `DTLS`: the role we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtls {
    /// No DTLS is offered or accepted.
    Off,
    /// We wait for the handshake.
    Passive,
    /// We begin the handshake.
    Active,
}

/// `DTLS-fingerprint`: the hash that our certificate is named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the hash of that name")]
pub enum Fingerprint {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// The words of `DTLS`.
pub(super) const DTLS: &[Word<Set>] = &[
    ignored("passive", |o| o.dtls = Some(Dtls::Passive)),
    ignored("active", |o| o.dtls = Some(Dtls::Active)),
    ignored("no", |o| o.dtls = Some(Dtls::Off)),
    ignored("off", |o| o.dtls = Some(Dtls::Off)),
    ignored("disabled", |o| o.dtls = Some(Dtls::Off)),
    ignored("disable", |o| o.dtls = Some(Dtls::Off)),
];

/// The words of `DTLS-reverse`.
pub(super) const REVERSE: &[Word<Set>] = &[
    ignored("passive", |o| o.dtls_reverse = Some(Dtls::Passive)),
    ignored("active", |o| o.dtls_reverse = Some(Dtls::Active)),
    ignored("no", |o| o.dtls_reverse = Some(Dtls::Off)),
    ignored("off", |o| o.dtls_reverse = Some(Dtls::Off)),
    ignored("disabled", |o| o.dtls_reverse = Some(Dtls::Off)),
    ignored("disable", |o| o.dtls_reverse = Some(Dtls::Off)),
];

/// The words of `DTLS-fingerprint`.
pub(super) const FINGERPRINT: &[Word<Set>] = &[
    ignored("sha-1", |o| o.dtls_fingerprint = Some(Fingerprint::Sha1)),
    ignored("sha-224", |o| {
        o.dtls_fingerprint = Some(Fingerprint::Sha224)
    }),
    ignored("sha-256", |o| {
        o.dtls_fingerprint = Some(Fingerprint::Sha256)
    }),
    ignored("sha-384", |o| {
        o.dtls_fingerprint = Some(Fingerprint::Sha384)
    }),
    ignored("sha-512", |o| {
        o.dtls_fingerprint = Some(Fingerprint::Sha512)
    }),
];
