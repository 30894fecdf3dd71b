//! rtpengine's ng control protocol: codec, requests, replies and every flag word. No I/O.
//!
//! A datagram is split by [`Datagram::split`], its dictionary read by [`Datagram::request`] into a [`Request`], and a
//! [`Reply`] is written in the request's encoding by [`Datagram::reply`]. Unknown keys, words and values are never errors:
//! they are collected in [`Options::unknown`].

pub mod bencode;
mod command;
mod datagram;
pub mod json;
mod options;
mod reply;
mod request;
mod value;

pub use command::Command;
pub use datagram::{Datagram, Encoding, NoCookie, ProtocolError, decode_payload};
pub use options::{
    AddressFamily, Dtls, EndpointLearning, Flags, Ice, IceLite, Options, Replace, RtcpMux, Tos,
    TransportProtocol,
};
pub use reply::Reply;
pub use request::Request;
pub use value::{Dict, Value};
