//! `T.38`: faxes converted between T.38 and audio: read, but not done.

use super::word::{Set, Word, unsupported};

/// `T.38`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is the word of the same name; ng's documentation says what it does"
)]
pub struct T38 {
    pub decode: bool,
    pub force: bool,
    pub stop: bool,
    pub no_ecm: bool,
    pub no_v17: bool,
    pub no_v27ter: bool,
    pub no_v29: bool,
    pub no_v34: bool,
    pub no_iaf: bool,
    pub fec: bool,
    /// `T.38-version`
    pub version: Option<i64>,
}

/// The words of `T.38`.
pub(super) const WORDS: &[Word<Set>] = &[
    unsupported("decode", |o| o.t38.decode = true),
    unsupported("force", |o| o.t38.force = true),
    unsupported("stop", |o| o.t38.stop = true),
    unsupported("no-ecm", |o| o.t38.no_ecm = true),
    unsupported("no-v17", |o| o.t38.no_v17 = true),
    unsupported("no-v.17", |o| o.t38.no_v17 = true),
    unsupported("no-v27ter", |o| o.t38.no_v27ter = true),
    unsupported("no-v.27ter", |o| o.t38.no_v27ter = true),
    unsupported("no-v29", |o| o.t38.no_v29 = true),
    unsupported("no-v.29", |o| o.t38.no_v29 = true),
    unsupported("no-v34", |o| o.t38.no_v34 = true),
    unsupported("no-v.34", |o| o.t38.no_v34 = true),
    unsupported("no-iaf", |o| o.t38.no_iaf = true),
    unsupported("fec", |o| o.t38.fec = true),
];
