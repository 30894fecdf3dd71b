//! `OSRTP`: SRTP if the other side can, RTP else (RFC 8643), and what was done before there was an RFC.

use super::word::{Set, Word, ignored};

/// `OSRTP`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Osrtp {
    /// Offer RTP with keys.
    pub offer: bool,
    /// Offer each medium twice, as RTP and as SRTP.
    pub offer_legacy: bool,
    /// Accept keys in an offer of RTP although the answerer did not.
    pub accept_rfc: bool,
    /// Take a medium that is offered twice as SRTP.
    pub accept_legacy: bool,
}

/// The words of `OSRTP`.
pub(super) const WORDS: &[Word<Set>] = &[
    ignored("offer", |o| o.osrtp.offer = true),
    ignored("offer-rfc", |o| o.osrtp.offer = true),
    ignored("offer-legacy", |o| o.osrtp.offer_legacy = true),
    ignored("accept-rfc", |o| o.osrtp.accept_rfc = true),
    ignored("accept-legacy", |o| o.osrtp.accept_legacy = true),
    ignored("accept", |o| {
        o.osrtp.accept_rfc = true;
        o.osrtp.accept_legacy = true;
    }),
];
