//! rtpengine's ng control protocol: codec, requests, replies and every flag word. No I/O.
//!
//! A datagram is split by [`Datagram::split`], its dictionary read by [`Datagram::request`] into a [`Request`], and a
//! [`Reply`] is written in the request's encoding by [`Datagram::reply`]. In a stream of bytes a [`Framer`] tells where a
//! datagram ends. Unknown keys, words and values are never errors: they are collected in [`Options::unknown`], those that are
//! known but have no effect here in [`Options::ignored`].

pub mod bencode;
mod command;
mod datagram;
mod framer;
pub mod json;
mod options;
mod reply;
mod request;
mod templates;
mod value;

pub use command::Command;
pub use datagram::{Datagram, Encoding, NoCookie, ProtocolError, decode_payload};
pub use framer::{Frame, Framer, MAX_COOKIE, MAX_DICTIONARY};
pub use options::{
    AddressFamily, AliasKey, All, AttributeChanges, AudioPlayer, Bundle, CodecPair, Codecs, Dtls,
    Dtmf, DtmfSecurity, EndpointLearning, Extmap, Fingerprint, Flags, Ice, IceLite, Media,
    MediaEcho, MediaType, MusicOnHold, Options, Osrtp, PayloadType, Player, Recording, Replace,
    RtcpMux, Sdes, SdpAttributes, SipMessageType, StarCodes, Support, T38, TagFlows, Tos,
    TransportProtocol, Vocabulary, vocabularies,
};
pub use reply::Reply;
pub use request::Request;
pub use templates::Templates;
pub use value::{Dict, Value};
