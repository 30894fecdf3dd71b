//! A parsed session description.

use bytes::Bytes;

use super::{Connection, Direction, Line, Media, Origin};

/// A session description. Its lines and texts are slices of the body it was read from and keep that in memory: copy what
/// is to outlive the command. Its `m=` lines may be none: rtpengine parses that and then answers `Error rewriting SDP`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The `o=` line.
    pub origin: Option<Origin>,
    /// The `s=` line's value.
    pub name: Option<Bytes>,
    /// The session's own `c=` line.
    pub connection: Option<Connection>,
    /// The session's own direction, for media that have none.
    pub direction: Option<Direction>,
    /// The media sections, in order.
    pub medias: Vec<Media>,
    /// Lines before the first `m=`, in order, those parsed above included.
    pub lines: Vec<Line>,
}

impl Session {
    /// Session attributes of this name: what follows the colon.
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.lines
            .iter()
            .filter_map(move |line| line.argument_of(name.as_bytes()))
    }

    /// Whether the body names an ICE user fragment anywhere: the peer does ICE (RFC 8839).
    #[must_use]
    pub fn uses_ice(&self) -> bool {
        self.attributes("ice-ufrag").next().is_some() || self.medias.iter().any(Media::uses_ice)
    }
}
