//! Framing: `COOKIE SP DICTIONARY`, and the errors that are answered.

use bytes::Bytes;

use crate::{Dict, Reply, Request, Templates, bencode, json};

/// How a dictionary is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Begins with `d`.
    #[default]
    Bencode,
    /// Begins with `{`.
    Json,
}

/// A datagram split into cookie and payload; what the payload holds is not looked at yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Every byte before the first space; empty where there is none ([`Datagram::bare`]).
    pub cookie: Bytes,
    /// Every byte after it.
    pub payload: Bytes,
}

/// The datagram has no space, or nothing before it. It gets no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("datagram has no cookie")]
pub struct NoCookie;

/// Why a payload is not a request. The text is the `error-reason` of the reply, as rtpengine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// Nothing follows the cookie.
    #[error("Invalid data (no payload)")]
    NoPayload,
    /// The payload begins with neither `d` nor `{`.
    #[error("Invalid NG data format")]
    Format,
    /// Malformed bencode, or beyond its limits.
    #[error("Could not decode bencode dictionary")]
    Bencode(#[source] bencode::DecodeError),
    /// Malformed JSON.
    #[error("Failed to parse JSON document")]
    Json,
    /// JSON beyond the limits of a request.
    #[error("Could not decode JSON dictionary")]
    JsonLimit,
    /// No `command`.
    #[error("Dictionary contains no key \"command\"")]
    NoCommand,
    /// A `command` that rtpengine does not know either.
    #[error("Unrecognized command")]
    UnknownCommand,
    /// More than any call takes, of what is said.
    #[error("Too many {0}")]
    TooMany(&'static str),
}

impl ProtocolError {
    /// The error as a reply.
    #[must_use]
    pub fn reply(&self) -> Reply {
        Reply::error(self.to_string())
    }
}

impl Datagram {
    /// Splits a datagram at its first space.
    ///
    /// # Errors
    /// [`NoCookie`]: do not answer.
    pub fn split(mut datagram: Bytes) -> Result<Self, NoCookie> {
        let space = datagram
            .iter()
            .position(|&byte| byte == b' ')
            .ok_or(NoCookie)?;
        let cookie = datagram.split_to(space);
        if cookie.is_empty() {
            return Err(NoCookie);
        }
        Ok(Self {
            cookie,
            payload: datagram.slice(1..),
        })
    }

    /// A dictionary alone, as ng-plain has it: its reply has no cookie either.
    #[must_use]
    pub fn bare(payload: Bytes) -> Self {
        Self {
            cookie: Bytes::new(),
            payload,
        }
    }

    /// The encoding a reply to this datagram has: the payload's own, bencode where it is neither.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        encoding(&self.payload).unwrap_or_default()
    }

    /// Reads the request.
    ///
    /// # Errors
    /// A [`ProtocolError`]: answer it.
    pub fn request(&self) -> Result<Request, ProtocolError> {
        self.request_with(&Templates::NONE)
    }

    /// Reads the request where options have names.
    ///
    /// # Errors
    /// A [`ProtocolError`]: answer it.
    pub fn request_with(&self, templates: &Templates) -> Result<Request, ProtocolError> {
        Request::from_dict_with(&decode_payload(&self.payload)?, templates)
    }

    /// Writes the datagram that answers this one.
    #[must_use]
    pub fn reply(&self, reply: &Reply) -> Vec<u8> {
        // A reply with the statistics of a call fits: growing means copying.
        let mut out = Vec::with_capacity(4096);
        if !self.cookie.is_empty() {
            out.extend_from_slice(&self.cookie);
            out.push(b' ');
        }
        match self.encoding() {
            Encoding::Bencode => bencode::encode_dict(reply.dict(), &mut out),
            Encoding::Json => json::encode_dict(reply.dict(), &mut out),
        }
        out
    }
}

/// Decodes the dictionary of a payload, by its first byte.
///
/// # Errors
/// A [`ProtocolError`]: answer it.
pub fn decode_payload(payload: &Bytes) -> Result<Dict, ProtocolError> {
    if payload.is_empty() {
        return Err(ProtocolError::NoPayload);
    }
    match encoding(payload) {
        Some(Encoding::Bencode) => bencode::decode_dict(payload).map_err(ProtocolError::Bencode),
        Some(Encoding::Json) => json::decode_dict(payload).map_err(|error| match error {
            json::DecodeError::Syntax => ProtocolError::Json,
            json::DecodeError::Limit => ProtocolError::JsonLimit,
        }),
        None => Err(ProtocolError::Format),
    }
}

fn encoding(payload: &[u8]) -> Option<Encoding> {
    match payload.first()? {
        b'd' => Some(Encoding::Bencode),
        b'{' => Some(Encoding::Json),
        _ => None,
    }
}
