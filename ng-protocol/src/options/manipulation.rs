//! `sdp-attr`, `sdp-media-remove` and `extmap`: changes to the SDP that goes out, as text.

use bytes::Bytes;

use super::Options;
use super::value::each_entry;
use super::word::{Word, done, each, find, normalise, unescape, words};
use crate::Value;

/// The kinds of media sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is the word of the same name in an m= line"
)]
pub enum MediaType {
    Audio,
    Video,
    Image,
    Message,
    Text,
    Application,
    /// None of these.
    Other,
}

/// The words of `sdp-media-remove`.
pub(super) const MEDIA_TYPES: &[Word<MediaType>] = &[
    done("audio", MediaType::Audio),
    done("video", MediaType::Video),
    done("image", MediaType::Image),
    done("message", MediaType::Message),
    done("text", MediaType::Text),
    done("application", MediaType::Application),
    done("other", MediaType::Other),
];

/// `sdp-attr`: what is done to the attributes of the session and of each kind of media section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the kind of section of the same name")]
pub struct SdpAttributes {
    /// The session's own.
    pub global: AttributeChanges,
    pub audio: AttributeChanges,
    pub video: AttributeChanges,
    pub image: AttributeChanges,
    pub message: AttributeChanges,
    pub text: AttributeChanges,
    pub application: AttributeChanges,
}

/// Changes to a list of attributes; they are what stands behind `a=`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeChanges {
    /// Added.
    pub add: Vec<Bytes>,
    /// Removed.
    pub remove: Vec<Bytes>,
    /// Replaced: the old one and the new one.
    pub substitute: Vec<(Bytes, Bytes)>,
}

type Section = fn(&mut SdpAttributes) -> &mut AttributeChanges;

/// The sections that `sdp-attr` knows.
pub(super) const SECTIONS: &[Word<Section>] = &[
    done("global", |sdp| &mut sdp.global),
    done("none", |sdp| &mut sdp.global),
    done("audio", |sdp| &mut sdp.audio),
    done("video", |sdp| &mut sdp.video),
    done("image", |sdp| &mut sdp.image),
    done("message", |sdp| &mut sdp.message),
    done("text", |sdp| &mut sdp.text),
    done("application", |sdp| &mut sdp.application),
];

/// Takes a value to its place; `false` if it means nothing there.
type Change = fn(&mut AttributeChanges, &Value) -> bool;

/// What `sdp-attr` can do to attributes. Each is a flag, too: `sdp-attr-add-audio-ptime:20`.
pub(super) const CHANGES: &[Word<Change>] = &[
    done("add", |changes, value| collect(&mut changes.add, value)),
    done("remove", |changes, value| {
        collect(&mut changes.remove, value)
    }),
    done("substitute", substitute),
];

/// `sdp-attr` as a dictionary of sections, each a dictionary of changes.
pub(super) fn attributes(options: &mut Options, value: &Value) -> bool {
    each_entry(value, |name, changes| {
        let Some(section) = find(SECTIONS, name) else {
            return false;
        };
        options.note(section);
        each_entry(changes, |name, value| {
            change(options, section.effect, name, value)
        })
    })
}

/// A change as a flag: the section, `-`, and the attribute.
pub(super) fn attribute(options: &mut Options, kind: &str, value: &Value) -> bool {
    each(value, |word| {
        let Some(dash) = word.iter().position(|&byte| byte == b'-') else {
            return false;
        };
        let Some(section) = find(SECTIONS, &normalise(&word[..dash])) else {
            return false;
        };
        let attribute = Value::List(vec![word.slice(dash + 1..).into()]);
        change(options, section.effect, kind, &attribute)
    })
}

fn change(options: &mut Options, section: Section, name: &str, value: &Value) -> bool {
    let Some(known) = find(CHANGES, name) else {
        return false;
    };
    options.note(known);
    (known.effect)(section(&mut options.sdp_attr), value)
}

/// Pairs: lists of two, or strings with a `>` between.
fn substitute(changes: &mut AttributeChanges, value: &Value) -> bool {
    let single = |item: &Value| item.as_bytes().is_some_and(|text| !text.contains(&b'>'));
    let pairs = match value {
        // One pair may stand there without a list around it.
        Value::List(items) if items.len() == 2 && items.iter().all(single) => vec![value.clone()],
        Value::List(items) => items.clone(),
        _ => words(value).into_iter().map(Value::Bytes).collect(),
    };
    let mut understood = !pairs.is_empty();
    for value in &pairs {
        let pair = pair(value);
        understood &= pair.is_some();
        changes.substitute.extend(pair);
    }
    understood
}

fn pair(value: &Value) -> Option<(Bytes, Bytes)> {
    if let Some([old, new, ..]) = value.as_list() {
        return Some((unescape(old.as_bytes()?), unescape(new.as_bytes()?)));
    }
    let text = value.as_bytes()?;
    let mark = text.iter().position(|&byte| byte == b'>')?;
    Some((
        unescape(&text.slice(..mark)),
        unescape(&text.slice(mark + 1..)),
    ))
}

/// `sdp-media-remove`
pub(super) fn media_remove(options: &mut Options, value: &Value) -> bool {
    each(value, |word| {
        let Some(kind) = find(MEDIA_TYPES, &normalise(word)) else {
            return false;
        };
        options.note(kind);
        if !options.sdp_media_remove.contains(&kind.effect) {
            options.sdp_media_remove.push(kind.effect);
        }
        true
    })
}

/// `extmap`: header extensions (RFC 8285) by their URI, or `all`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extmap {
    /// Removed from the SDP.
    pub strip: Vec<Bytes>,
    /// Removed from the SDP towards the other side and from the packets, and accepted towards the offerer.
    pub mask: Vec<Bytes>,
}

type Extensions = fn(&mut Extmap) -> &mut Vec<Bytes>;

/// The keys of `extmap`.
pub(super) const EXTMAP: &[Word<Extensions>] = &[
    done("strip", |extmap| &mut extmap.strip),
    done("mask", |extmap| &mut extmap.mask),
];

/// `extmap`
pub(super) fn extmap(options: &mut Options, value: &Value) -> bool {
    each_entry(value, |name, value| {
        let Some(list) = find(EXTMAP, name) else {
            return false;
        };
        options.note(list);
        collect((list.effect)(&mut options.extmap), value)
    })
}

fn collect(place: &mut Vec<Bytes>, value: &Value) -> bool {
    each(value, |word| {
        place.push(unescape(word));
        true
    })
}
