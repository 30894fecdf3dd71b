//! `replace`: parts of the session description that are rewritten beyond what relaying needs.

use super::word::{Set, Word, done, ignored};

/// `replace`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replace {
    /// The address in o=.
    pub origin: bool,
    /// All of o=.
    pub origin_full: bool,
    /// s=
    pub session_name: bool,
    /// The user name in o=.
    pub username: bool,
    /// The version in o=, when the body changed.
    pub sdp_version: bool,
    /// The version in o=, always.
    pub force_increment_sdp_version: bool,
    /// A zero address of a medium on hold.
    pub zero_address: bool,
}

/// The words of `replace`.
pub(super) const WORDS: &[Word<Set>] = &[
    done("origin", |o| o.replace.origin = true),
    done("origin-full", |o| o.replace.origin_full = true),
    done("session-name", |o| o.replace.session_name = true),
    done("username", |o| o.replace.username = true),
    done("sdp-version", |o| o.replace.sdp_version = true),
    done("force-increment-sdp-ver", |o| {
        o.replace.force_increment_sdp_version = true
    }),
    done("force-increment-sdp-version", |o| {
        o.replace.force_increment_sdp_version = true
    }),
    done("zero-address", |o| o.replace.zero_address = true),
    // The address in c= is always replaced; old scripts still ask for it.
    ignored("session-connection", |_| {}),
];
