//! One media section: an `m=` line and what follows it.

use std::net::{IpAddr, SocketAddr};

use super::{Connection, Direction, Line, Protocol, payload};

/// The discard port, which stands for "not known yet" (RFC 8840 section 4.1.1).
const TRICKLE_PORT: u16 = 9;

/// What an `m=` line carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `audio`
    Audio,
    /// `video`
    Video,
    /// Anything else: `image`, `message`, `application`, `text`.
    Other(String),
}

impl Kind {
    /// What this word in an `m=` line stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "audio" => Self::Audio,
            "video" => Self::Video,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The word in the `m=` line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Other(word) => word,
        }
    }
}

/// An `a=rtcp` line (RFC 3605).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtcpAttribute {
    /// Where RTCP is received.
    pub port: u16,
    /// The address, where it is not that of RTP.
    pub address: Option<IpAddr>,
}

/// A media section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Audio, video or something else.
    pub kind: Kind,
    /// Where RTP is received; 0: rejected, or a bundle-only section of an offer (RFC 9143).
    pub port: u16,
    /// Consecutive port pairs (`m=audio 5004/2`), usually 1.
    pub port_count: u16,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The formats, payload types for RTP, as written.
    pub formats: Vec<String>,
    /// The section's own `c=` line, else the session's; [`parse`](super::parse()) refuses a section without either.
    pub connection: Option<Connection>,
    /// The section's own direction, else the session's, else sendrecv.
    pub direction: Direction,
    /// The `a=rtcp` line.
    pub rtcp: Option<RtcpAttribute>,
    /// Whether there is an `a=rtcp-mux` (RFC 5761), or an `a=rtcp` that names the RTP port.
    pub rtcp_mux: bool,
    /// Lines after the `m=` line, in order, those parsed above included.
    pub lines: Vec<Line>,
    /// The direction is the session's.
    pub(super) direction_is_inherited: bool,
    /// The section or the session names an ICE user fragment.
    pub(super) ice: bool,
}

impl Media {
    /// A section that says nothing but that it is refused.
    #[must_use]
    pub fn refused(kind: &str, protocol: Protocol) -> Self {
        Self {
            kind: Kind::from_word(kind),
            port: 0,
            port_count: 1,
            protocol,
            formats: Vec::new(),
            connection: None,
            direction: Direction::Inactive,
            rtcp: None,
            rtcp_mux: false,
            lines: Vec::new(),
            direction_is_inherited: false,
            ice: false,
        }
    }

    /// Port 0: refused by an answerer, or taken away by an offerer.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.port == 0
    }

    /// The old form of hold: a connection address of zero. Together with port 9 and ICE it means that the address is yet
    /// to be found (RFC 8840 section 4.1.1).
    #[must_use]
    pub fn is_on_hold(&self) -> bool {
        self.has_zero_address() && !(self.ice && self.port == TRICKLE_PORT)
    }

    pub(super) fn has_zero_address(&self) -> bool {
        self.connection
            .is_some_and(|connection| connection.is_zero())
    }

    /// Where the party receives RTP; `None` for rejected media and for a zero address.
    #[must_use]
    pub fn rtp_endpoint(&self) -> Option<SocketAddr> {
        let connection = self.connection.filter(|connection| !connection.is_zero())?;
        (self.port != 0).then(|| SocketAddr::new(connection.address, self.port))
    }

    /// Where the party receives RTCP if it does not multiplex: `a=rtcp`, else the port after RTP's. With `a=rtcp-mux`
    /// the RTP endpoint.
    #[must_use]
    pub fn rtcp_endpoint(&self) -> Option<SocketAddr> {
        let rtp = self.rtp_endpoint()?;
        if self.rtcp_mux {
            Some(rtp)
        } else {
            self.rtcp_fallback_endpoint()
        }
    }

    /// Where the party receives RTCP if multiplexing is not agreed on: `a=rtcp`, else the port after RTP's.
    #[must_use]
    pub fn rtcp_fallback_endpoint(&self) -> Option<SocketAddr> {
        let rtp = self.rtp_endpoint()?;
        // With several port pairs a=rtcp cannot name them all.
        match self.rtcp.filter(|_| self.port_count == 1) {
            Some(RtcpAttribute { port, address }) => {
                let stated = address.filter(|address| !address.is_unspecified());
                Some(SocketAddr::new(stated.unwrap_or(rtp.ip()), port))
            }
            None => Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?)),
        }
    }

    /// Attributes of this name: what follows the colon.
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.lines
            .iter()
            .filter_map(move |line| line.argument_of(name.as_bytes()))
    }

    /// The direction with hold applied: a party that gives a zero address does not receive.
    #[must_use]
    pub fn effective_direction(&self) -> Direction {
        Direction::new(
            self.direction.sends(),
            self.direction.receives() && !self.is_on_hold(),
        )
    }

    /// Whether the section, or the session for all of them, names an ICE user fragment: the party does ICE (RFC 8839).
    #[must_use]
    pub fn uses_ice(&self) -> bool {
        self.ice
    }

    /// Whether a relay can stand in between: datagrams, and not `m=message`, whose address is in a URI.
    #[must_use]
    pub fn can_be_relayed(&self) -> bool {
        self.protocol.is_udp() && self.kind.as_str() != "message"
    }

    /// The section's `a=mid`.
    #[must_use]
    pub fn mid(&self) -> Option<&[u8]> {
        self.attributes("mid").next()
    }

    /// The payload types of RTP media, in order of preference; formats that are none are left out.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        let formats = if self.protocol.is_rtp() {
            self.formats.as_slice()
        } else {
            &[]
        };
        formats
            .iter()
            .filter_map(|format| format.parse().ok())
            .filter(|payload_type| *payload_type < 128)
    }

    /// The payload types with their encodings, in order of preference. Several at once cost little more than one.
    #[must_use]
    pub fn encodings(&self) -> Vec<(u8, Option<&str>)> {
        let mapped: Vec<(u8, &str)> = self.mappings().collect();
        let encoding = |number| {
            let known = mapped.iter().find(|(mapped, _)| *mapped == number);
            let known = known.map(|(_, encoding)| *encoding);
            known.or_else(|| payload::static_encoding(number))
        };
        self.payload_types()
            .map(|number| (number, encoding(number)))
            .collect()
    }

    /// The encoding of a payload type: `opus/48000/2`, from `a=rtpmap`, else of a static type.
    #[must_use]
    pub fn encoding(&self, payload_type: u8) -> Option<&str> {
        let mapped = self.mappings().find(|(mapped, _)| *mapped == payload_type);
        let mapped = mapped.map(|(_, encoding)| encoding);
        mapped.or_else(|| payload::static_encoding(payload_type))
    }

    /// What `a=rtpmap` says.
    fn mappings(&self) -> impl Iterator<Item = (u8, &str)> {
        self.attributes("rtpmap").filter_map(|argument| {
            let argument = std::str::from_utf8(argument).ok()?;
            let (number, encoding) = argument.trim_start().split_once(' ')?;
            Some((number.parse().ok()?, encoding.trim()))
        })
    }
}
