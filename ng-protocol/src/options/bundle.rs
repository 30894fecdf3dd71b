//! `bundle`: several media on one port (RFC 9143).

use super::word::{Set, Word, done};

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
    done("accept", |o| o.bundle.accept = true),
    done("offer", |o| o.bundle.offer = true),
    done("reject", |o| o.bundle.reject = true),
    done("require", |o| {
        o.bundle.offer = true;
        o.bundle.require = true;
    }),
    done("strict", |o| {
        o.bundle.offer = true;
        o.bundle.require = true;
        o.bundle.strict = true;
    }),
];
