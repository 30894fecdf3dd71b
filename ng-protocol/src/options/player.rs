//! Playing media: read, but not done. What a digit is replaced by stands here, too.

use bytes::Bytes;

use super::Options;
use super::value::{each_entry, integer, text};
use super::word::{Set, Word, find, ignored, unsupported, words};
use crate::Value;

/// What is asked for about playing media, tones and digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is the key of the same name; ng's documentation says what it does"
)]
pub struct Player {
    pub file: Option<Bytes>,
    pub blob: Option<Bytes>,
    pub blob64: Option<Bytes>,
    pub db_id: Option<i64>,
    pub repeat_times: Option<i64>,
    pub repeat_duration: Option<i64>,
    pub start_pos: Option<i64>,
    pub duration: Option<i64>,
    /// `code` or `digit`, as it was sent.
    pub code: Option<Bytes>,
    pub volume: Option<i64>,
    pub frequencies: Vec<i64>,
    pub pause: Option<i64>,
    pub audio_player: Option<AudioPlayer>,
    pub moh: MusicOnHold,
}

/// `audio-player`: for which media the relay makes the audio itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioPlayer {
    /// As configured.
    Default,
    /// Where it transcodes.
    Transcoding,
    /// Nowhere.
    Off,
    /// Everywhere.
    Always,
}

/// The words of `audio-player`.
pub(super) const AUDIO_PLAYER: &[Word<Set>] = &[
    unsupported("default", |o| {
        o.player.audio_player = Some(AudioPlayer::Default)
    }),
    unsupported("on", |o| {
        o.player.audio_player = Some(AudioPlayer::Transcoding)
    }),
    unsupported("yes", |o| {
        o.player.audio_player = Some(AudioPlayer::Transcoding)
    }),
    unsupported("enable", |o| {
        o.player.audio_player = Some(AudioPlayer::Transcoding)
    }),
    unsupported("enabled", |o| {
        o.player.audio_player = Some(AudioPlayer::Transcoding)
    }),
    unsupported("transcode", |o| {
        o.player.audio_player = Some(AudioPlayer::Transcoding)
    }),
    unsupported("transcoding", |o| {
        o.player.audio_player = Some(AudioPlayer::Transcoding)
    }),
    ignored("no", |o| o.player.audio_player = Some(AudioPlayer::Off)),
    ignored("off", |o| o.player.audio_player = Some(AudioPlayer::Off)),
    ignored("disable", |o| {
        o.player.audio_player = Some(AudioPlayer::Off)
    }),
    ignored("disabled", |o| {
        o.player.audio_player = Some(AudioPlayer::Off)
    }),
    unsupported("force", |o| {
        o.player.audio_player = Some(AudioPlayer::Always)
    }),
    unsupported("forced", |o| {
        o.player.audio_player = Some(AudioPlayer::Always)
    }),
    unsupported("always", |o| {
        o.player.audio_player = Some(AudioPlayer::Always)
    }),
    unsupported("everything", |o| {
        o.player.audio_player = Some(AudioPlayer::Always)
    }),
];

/// `moh`: music for the side that is on hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is the key of the same name; ng's documentation says what it does"
)]
pub struct MusicOnHold {
    pub file: Option<Bytes>,
    pub blob: Option<Bytes>,
    pub db_id: Option<i64>,
    pub connection: Option<Bytes>,
    pub mode: Option<Bytes>,
}

/// Takes a value to its place; `false` if it means nothing there.
type Key = fn(&mut MusicOnHold, &Value) -> bool;

/// The keys of `moh`.
pub(super) const MOH: &[Word<Key>] = &[
    unsupported("file", |moh, v| text(&mut moh.file, v)),
    unsupported("blob", |moh, v| text(&mut moh.blob, v)),
    unsupported("db-id", |moh, v| integer(&mut moh.db_id, v)),
    unsupported("connection", |moh, v| text(&mut moh.connection, v)),
    unsupported("mode", |moh, v| text(&mut moh.mode, v)),
];

/// `moh`
pub(super) fn moh(options: &mut Options, value: &Value) -> bool {
    each_entry(value, |name, value| {
        let Some(known) = find(MOH, name) else {
            return false;
        };
        options.note(known);
        (known.effect)(&mut options.player.moh, value)
    })
}

/// `frequencies`: a number, or a list of them in any form.
pub(super) fn frequencies(options: &mut Options, value: &Value) -> bool {
    let numbers: Vec<Option<i64>> = match value {
        Value::List(items) => items.iter().map(Value::as_integer).collect(),
        Value::Bytes(_) => words(value)
            .into_iter()
            .map(|word| Value::Bytes(word).as_integer())
            .collect(),
        other => vec![other.as_integer()],
    };
    let understood = numbers.iter().all(Option::is_some);
    options
        .player
        .frequencies
        .extend(numbers.into_iter().flatten());
    understood
}
