//! Words compare by one normal form: lower case, `-` for space and underscore.
//!
//! One option reaches us as a flag with hyphens, a flag with spaces, a key with underscores, in any case.

use std::borrow::Cow;

use bytes::Bytes;

use super::Options;
use crate::Value;

/// What becomes of an option that rtpengine knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Support {
    /// It has the effect that rtpengine documents.
    Done,
    /// It is accepted and changes nothing.
    Ignored,
    /// It asks for media to be processed (transcoding, playback, tones), which a relay does not do. A command goes on
    /// without it.
    Unsupported,
}

/// A word that means something, in normal form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<E> {
    pub(super) name: &'static str,
    pub(super) support: Support,
    pub(super) effect: E,
}

/// The effect of a word that stands for itself.
pub(super) type Set = fn(&mut Options);

pub(super) const fn done<E: Copy>(name: &'static str, effect: E) -> Word<E> {
    let support = Support::Done;
    Word {
        name,
        support,
        effect,
    }
}

pub(super) const fn ignored<E: Copy>(name: &'static str, effect: E) -> Word<E> {
    let support = Support::Ignored;
    Word {
        name,
        support,
        effect,
    }
}

pub(super) const fn unsupported<E: Copy>(name: &'static str, effect: E) -> Word<E> {
    let support = Support::Unsupported;
    Word {
        name,
        support,
        effect,
    }
}

/// The normal form of a word: mostly the word itself.
pub(super) fn normalise(word: &[u8]) -> Cow<'_, str> {
    let word = word.trim_ascii();
    let is_other = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b' ' | b'_');
    let text = String::from_utf8_lossy(word);
    if !word.iter().any(is_other) {
        return text;
    }
    let mut normal = text.into_owned();
    normal.make_ascii_lowercase();
    if normal.contains([' ', '_']) {
        normal = normal.replace([' ', '_'], "-");
    }
    normal.into()
}

/// The words of a value: a list's strings, or the parts of a comma-separated string. Integers and the like are left out.
pub(super) fn words(value: &Value) -> Vec<Bytes> {
    match value {
        Value::Bytes(text) => text
            .split(|&byte| byte == b',')
            .map(<[u8]>::trim_ascii)
            .filter(|word| !word.is_empty())
            .map(|word| text.slice_ref(word))
            .collect(),
        Value::List(items) => items.iter().filter_map(Value::as_bytes).cloned().collect(),
        Value::Integer(_) | Value::Dict(_) => Vec::new(),
    }
}

/// The entry of a table for a normalised word.
pub(super) fn find<E: Copy>(table: &[Word<E>], word: &str) -> Option<Word<E>> {
    table.iter().find(|known| known.name == word).copied()
}

/// The entry of a table of prefixes for a normalised word, with how long the prefix is.
pub(super) fn find_prefix<E: Copy>(table: &[Word<E>], word: &str) -> Option<(Word<E>, usize)> {
    let known = table.iter().find(|known| {
        let rest = word.strip_prefix(known.name);
        rest.is_some_and(|rest| !rest.is_empty())
    })?;
    Some((*known, known.name.len()))
}

/// Applies every word of a value; whether all were understood.
pub(super) fn apply(options: &mut Options, table: &[Word<Set>], value: &Value) -> bool {
    each(value, |word| apply_word(options, table, word))
}

/// Applies one word; whether it was understood.
pub(super) fn apply_word(options: &mut Options, table: &[Word<Set>], word: &[u8]) -> bool {
    let Some(known) = find(table, &normalise(word)) else {
        return false;
    };
    options.note(known);
    (known.effect)(options);
    true
}

/// Hands over every word of a string or list; whether all were understood.
pub(super) fn each(value: &Value, mut effect: impl FnMut(&Bytes) -> bool) -> bool {
    let mut understood = matches!(value, Value::Bytes(_) | Value::List(_));
    for word in words(value) {
        understood &= effect(&word);
    }
    understood
}

/// Undoes the escapes of scripts that cannot write `=` and spaces: `--` and `..`.
pub(super) fn unescape(word: &Bytes) -> Bytes {
    let escaped = |pair: &[u8]| pair == b"--" || pair == b"..";
    if !word.windows(2).any(escaped) {
        return word.clone();
    }
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = &word[..];
    while let [first, behind @ ..] = rest {
        let (byte, behind) = match rest {
            [b'-', b'-', behind @ ..] => (b'=', behind),
            [b'.', b'.', behind @ ..] => (b' ', behind),
            _ => (*first, behind),
        };
        plain.push(byte);
        rest = behind;
    }
    Bytes::from(plain)
}
