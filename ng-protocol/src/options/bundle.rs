//! `bundle`: several media on one port (RFC 9143).

use super::word::{Set, Word, ignored};

/// `bundle`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// Accept it towards the offerer.
    pub accept: bool,
    /// Offer it, with a port for each medium to fall back to.
    pub offer: bool,
    /// Refuse it towards the offerer.
    pub reject: bool,
    /// Offer it as if it were accepted already; implies `offer`.
    pub require: bool,
    /// As `require`, and media that cannot be bundled are refused.
    pub strict: bool,
}

/// The words of `bundle`.
pub(super) const WORDS: &[Word<Set>] = &[
    ignored("accept", |o| o.bundle.accept = true),
    ignored("offer", |o| o.bundle.offer = true),
    ignored("reject", |o| o.bundle.reject = true),
    ignored("require", |o| {
        o.bundle.offer = true;
        o.bundle.require = true;
    }),
    ignored("strict", |o| {
        o.bundle.offer = true;
        o.bundle.require = true;
        o.bundle.strict = true;
    }),
];
