//! SDP that keeps every line it does not own (RFC 8866; semantics of rtpengine).
//!
//! [`parse()`] reads a body into a [`Session`] whose lines are slices of that body; [`write()`] prints it again with
//! [`Changes`] applied. What a relay owns is little: the `o=`, `c=` and `m=` lines' addresses and ports, the direction,
//! `a=rtcp`, `a=rtcp-mux`, ICE where it is removed, and what an operator asks to be different: codecs, header extensions,
//! any attribute. All else comes out as it went in; only the order of lines is rtpengine's.

mod address;
mod attributes;
mod bundle;
mod changes;
mod codec_list;
mod codecs;
mod direction;
mod error;
mod extmap;
mod line;
mod media;
mod order;
mod origin;
mod parse;
mod payload;
mod protocol;
mod published;
mod section;
mod session;
mod write;

#[cfg(test)]
mod tests;

pub use address::{Connection, push as push_address};
pub use attributes::{AttributeChanges, AttributeRules};
pub use changes::{Changes, MediaChange, OriginChange, Relay, RtcpLine};
pub use codec_list::CodecList;
pub use codecs::Codecs;
pub use direction::Direction;
pub use error::SdpError;
pub use extmap::{Extension, Extensions, extensions};
pub use line::{Line, MAX_BYTES, MAX_LINES};
pub use media::{Kind, Media, RtcpAttribute};
pub use origin::Origin;
pub use parse::{MAX_FORMATS, MAX_MEDIAS, parse};
pub use payload::{clock_rate, static_number};
pub use protocol::Protocol;
pub use published::{Published, Replace};
pub use session::Session;
pub use write::write;
