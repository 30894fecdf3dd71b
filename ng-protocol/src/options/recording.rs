//! Recording: when, where to, and the star codes that control it.

use bytes::Bytes;

use super::word::{Set, Word, done};

/// What is asked for about recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// `record call`, as a key or a flag.
    pub call: Option<bool>,
    /// `recording-dir` and its other names: the directory.
    pub path: Option<Bytes>,
    /// `recording-pattern`: how the file is named.
    pub pattern: Option<Bytes>,
    /// `recording-file` and its other names: the file.
    pub file: Option<Bytes>,
    /// `stop recording` with `pause=yes` or the flag `pause`: the file stays open.
    pub pause: bool,
    /// `recording-media-slot-offer`: the offerer's place in a recording of several.
    pub slot_offer: Option<i64>,
    /// `recording-media-slot-answer`: the answerer's.
    pub slot_answer: Option<i64>,
    /// `recording-media-slots`: how many there are.
    pub slots: Option<i64>,
    /// `vsc-*`
    pub codes: StarCodes,
}

/// `vsc-*`: digits that a party dials to control the recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says what it does")]
pub struct StarCodes {
    pub start: Option<Bytes>,
    pub stop: Option<Bytes>,
    pub start_stop: Option<Bytes>,
    pub pause: Option<Bytes>,
    pub pause_resume: Option<Bytes>,
    pub start_pause_resume: Option<Bytes>,
}

/// The words of `record call`.
pub(super) const RECORD_CALL: &[Word<Set>] = &[
    done("yes", |o| o.recording.call = Some(true)),
    done("on", |o| o.recording.call = Some(true)),
    done("no", |o| o.recording.call = Some(false)),
    done("off", |o| o.recording.call = Some(false)),
    done("discard", |o| o.flags.discard_recording = true),
];
