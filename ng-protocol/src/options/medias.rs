//! `media`: the media of `create` and `transform`, described without SDP.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::Options;
use super::value::{each_entry, integer, parse_address, text};
use super::word::{Word, done, find, unescape};
use crate::Value;

/// One medium.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// `id`: names it in the reply.
    pub id: Option<Bytes>,
    /// `type`: as in an m= line.
    pub kind: Option<Bytes>,
    /// `codec` of `create`: what is offered.
    pub codecs: Vec<Bytes>,
    /// `codec` of `transform`: what becomes of what.
    pub transforms: Vec<CodecPair>,
    /// `destination` of `transform`: where it is sent to.
    pub destination: Option<SocketAddr>,
}

/// A codec that comes in and the one that goes out for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the key of the same name")]
pub struct CodecPair {
    pub input: PayloadType,
    pub output: PayloadType,
}

/// A codec with its payload type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the key of the same name")]
pub struct PayloadType {
    pub codec: Option<Bytes>,
    pub payload_type: Option<i64>,
    pub clock_rate: Option<i64>,
    pub channels: Option<i64>,
    pub format: Option<Bytes>,
    pub options: Option<Bytes>,
}

/// Takes a value to its place; `false` if it means nothing there.
type Key<T> = fn(&mut T, &Value) -> bool;

/// The keys of a medium.
pub(super) const MEDIA: &[Word<Key<Media>>] = &[
    done("id", |media, v| text(&mut media.id, v)),
    done("type", |media, v| text(&mut media.kind, v)),
    done("codec", codecs),
    done("codecs", codecs),
    done("destination", destination),
];

/// The keys of a codec of `transform`.
pub(super) const PAYLOAD_TYPE: &[Word<Key<PayloadType>>] = &[
    done("codec", |pt, v| text(&mut pt.codec, v)),
    done("payload-type", |pt, v| integer(&mut pt.payload_type, v)),
    done("clock-rate", |pt, v| integer(&mut pt.clock_rate, v)),
    done("channels", |pt, v| integer(&mut pt.channels, v)),
    done("format", |pt, v| text(&mut pt.format, v)),
    done("options", |pt, v| text(&mut pt.options, v)),
];

/// `media`: a list of dictionaries.
pub(super) fn medias(options: &mut Options, value: &Value) -> bool {
    let Some(items) = value.as_list() else {
        return false;
    };
    let mut understood = true;
    for item in items {
        let mut media = Media::default();
        understood &= fill(&mut media, MEDIA, item);
        options.medias.push(media);
    }
    understood
}

/// Names in `create`, dictionaries of input and output in `transform`.
fn codecs(media: &mut Media, value: &Value) -> bool {
    let Some(items) = value.as_list() else {
        return false;
    };
    let mut understood = true;
    for item in items {
        match item {
            Value::Bytes(name) => media.codecs.push(unescape(name)),
            Value::Dict(_) => {
                let mut pair = CodecPair::default();
                understood &= each_entry(item, |name, value| match name {
                    "input" => fill(&mut pair.input, PAYLOAD_TYPE, value),
                    "output" => fill(&mut pair.output, PAYLOAD_TYPE, value),
                    _ => false,
                });
                media.transforms.push(pair);
            }
            Value::Integer(_) | Value::List(_) => understood = false,
        }
    }
    understood
}

/// `family`, `address` and `port`; the address says which family it is of.
fn destination(media: &mut Media, value: &Value) -> bool {
    let (mut address, mut port) = (None::<IpAddr>, None);
    let understood = each_entry(value, |name, value| match name {
        "address" => {
            address = value.as_str().and_then(parse_address);
            address.is_some()
        }
        "port" => integer(&mut port, value),
        "family" | "address-family" => value.as_str().is_some(),
        _ => false,
    });
    let port = port.and_then(|port| u16::try_from(port).ok());
    media.destination = address.zip(port).map(SocketAddr::from);
    understood && media.destination.is_some()
}

fn fill<T>(place: &mut T, table: &[Word<Key<T>>], value: &Value) -> bool {
    each_entry(value, |name, value| {
        find(table, name).is_some_and(|known| (known.effect)(place, value))
    })
}
