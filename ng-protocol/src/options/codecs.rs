//! `codec`: which codecs the other side is offered.

use bytes::Bytes;

use super::value::each_entry;
use super::word::{Word, done, each, find, ignored, unescape, unsupported};
use crate::{Command, Request, Value};

/// `codec`: lists of codecs as they were written, `opus/48000/2` or `PCMA`, or the words `all` and `full`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codecs {
    /// Removed as if they had not been there.
    pub strip: Vec<Bytes>,
    /// Kept although `strip` or `mask` names all.
    pub except: Vec<Bytes>,
    /// As `except`, and put in this order.
    pub offer: Vec<Bytes>,
    /// Accepted towards the offerer although the answerer refused them.
    pub accept: Vec<Bytes>,
    /// Taken no notice of.
    pub ignore: Vec<Bytes>,
    /// As `mask`, and transcoding is on.
    pub consume: Vec<Bytes>,
    /// Not offered, but accepted towards the offerer.
    pub mask: Vec<Bytes>,
    /// Parameters for codecs that are transcoded to.
    pub set: Vec<Bytes>,
    /// Offered although they were not there.
    pub transcode: Vec<Bytes>,
}

/// One of the lists.
pub(super) type List = fn(&mut Codecs) -> &mut Vec<Bytes>;

/// The keys of `codec`. Each is a key of its own, too, with `codec-` before it, and a flag with a codec behind it.
pub(super) const WORDS: &[Word<List>] = &[
    done("strip", |codecs| &mut codecs.strip),
    done("except", |codecs| &mut codecs.except),
    done("offer", |codecs| &mut codecs.offer),
    ignored("ignore", |codecs| &mut codecs.ignore),
    ignored("accept", |codecs| &mut codecs.accept),
    done("consume", |codecs| &mut codecs.consume),
    done("mask", |codecs| &mut codecs.mask),
    ignored("set", |codecs| &mut codecs.set),
    unsupported("transcode", |codecs| &mut codecs.transcode),
];

/// The dictionary of lists.
pub(super) fn apply(request: &mut Request, value: &Value) -> bool {
    each_entry(value, |name, value| apply_list(request, name, value))
}

/// One list. Those that only mean something where codecs are offered are left alone elsewhere.
pub(super) fn apply_list(request: &mut Request, name: &str, value: &Value) -> bool {
    let Some(list) = find(WORDS, name) else {
        return false;
    };
    let everywhere = matches!(list.name, "strip" | "except" | "offer" | "ignore");
    if !everywhere && !offers_codecs(request.command) {
        return true;
    }
    request.options.note(list);
    let place = (list.effect)(&mut request.options.codecs);
    each(value, |word| {
        place.push(unescape(word));
        true
    })
}

fn offers_codecs(command: Command) -> bool {
    matches!(
        command,
        Command::Offer | Command::SubscribeRequest | Command::Publish | Command::PlayMedia
    )
}
