//! `ICE` and `ICE-lite`.

use super::word::{Set, Word, done, ignored};

/// `ICE`: what happens to ICE attributes on their way through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ice {
    /// Not given, or `default`: as [`Self::Force`] if the SDP that came in has ICE, else none.
    #[default]
    Default,
    /// Strip it.
    Remove,
    /// Strip theirs, insert ours.
    Force,
    /// Keep theirs but relay candidates, add ours as relay candidates.
    ForceRelay,
    /// Add ours with a low priority beside theirs.
    Optional,
}

/// Towards whom we are an ICE-lite agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IceLite {
    /// Nobody.
    Off,
    /// The receiver of this message.
    Forward,
    /// The sender of this message.
    Backward,
    /// Both.
    Both,
}

const OFF: Set = |o| o.ice_lite = Some(IceLite::Off);
const FORWARD: Set = |o| o.ice_lite = Some(IceLite::Forward);
const BACKWARD: Set = |o| o.ice_lite = Some(IceLite::Backward);
const BOTH: Set = |o| o.ice_lite = Some(IceLite::Both);

/// The words of `ICE`.
pub(super) const ICE: &[Word<Set>] = &[
    done("default", |o| o.ice = Ice::Default),
    done("remove", |o| o.ice = Ice::Remove),
    ignored("force", |o| o.ice = Ice::Force),
    ignored("force-relay", |o| o.ice = Ice::ForceRelay),
    ignored("optional", |o| o.ice = Ice::Optional),
    done("reject", |o| o.flags.ice_reject = true),
    ignored("trickle", |o| o.flags.trickle_ice = true),
    ignored("ice2", |o| o.flags.ice2 = true),
    ignored("no-lite", OFF),
    ignored("lite-no", OFF),
    ignored("lite-off", OFF),
    ignored("lite-none", OFF),
    ignored("lite", FORWARD),
    ignored("lite-forward", FORWARD),
    ignored("lite-fwd", FORWARD),
    ignored("lite-fw", FORWARD),
    ignored("lite-offer", FORWARD),
    ignored("lite-backward", BACKWARD),
    ignored("lite-backwards", BACKWARD),
    ignored("lite-reverse", BACKWARD),
    ignored("lite-answer", BACKWARD),
    ignored("lite-back", BACKWARD),
    ignored("lite-bkw", BACKWARD),
    ignored("lite-bk", BACKWARD),
    ignored("lite-both", BOTH),
];

/// The words of `ICE-lite`.
pub(super) const ICE_LITE: &[Word<Set>] = &[
    ignored("off", OFF),
    ignored("no", OFF),
    ignored("none", OFF),
    ignored("forward", FORWARD),
    ignored("fwd", FORWARD),
    ignored("fw", FORWARD),
    ignored("offer", FORWARD),
    ignored("backward", BACKWARD),
    ignored("backwards", BACKWARD),
    ignored("reverse", BACKWARD),
    ignored("answer", BACKWARD),
    ignored("back", BACKWARD),
    ignored("bkw", BACKWARD),
    ignored("bk", BACKWARD),
    ignored("both", BOTH),
];
