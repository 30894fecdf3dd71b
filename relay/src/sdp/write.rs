//! From a [`Session`] and [`Changes`] to a body: the session's part.

use std::net::IpAddr;

use bytes::Bytes;

use super::{Changes, Line, MediaChange, Origin, OriginChange, Session};
use super::{address, order, section};

/// Writes a session description again, with changes, in rtpengine's order of lines; CRLF line ends. `c=` is written
/// in every media section, never for the session. `k=`, `r=` and `z=` lines are left out, and `a=group:BUNDLE` if any
/// section is relayed.
#[must_use]
pub fn write(session: &Session, changes: &Changes) -> Bytes {
    let mut out = Out::default();
    out.line(b'v', b"0");
    if let Some(origin) = &session.origin {
        out.line(b'o', &origin_line(origin, &changes.origin));
    }
    let name = changes
        .origin
        .session_name
        .as_ref()
        .or(session.name.as_ref());
    out.line(b's', name.map_or(&b"-"[..], |name| name));
    for letter in *b"iuepb" {
        out.lines(letter, &session.lines);
    }
    if session.lines.iter().any(|line| line.letter == b't') {
        out.lines(b't', &session.lines);
    } else {
        out.line(b't', b"0 0");
    }
    session_attributes(&mut out, session, changes);

    let refused_at = unspecified_address(changes);
    for (index, media) in session.medias.iter().enumerate() {
        match changes.medias.get(index).unwrap_or(&MediaChange::Untouched) {
            MediaChange::Untouched => section::untouched(&mut out, media, changes.remove_ice),
            MediaChange::Rejected => section::rejected(&mut out, media, refused_at),
            MediaChange::Relay(relay) if media.protocol.is_rtp() => {
                section::rtp(&mut out, media, relay, changes.remove_ice);
            }
            MediaChange::Relay(relay) => {
                section::not_rtp(&mut out, media, relay, changes.remove_ice)
            }
        }
    }
    out.0.into()
}

fn origin_line(origin: &Origin, change: &OriginChange) -> Vec<u8> {
    let username = change.username.as_ref().unwrap_or(&origin.username);
    let session_id = change.session_id.as_ref().unwrap_or(&origin.session_id);
    let version = change.version.as_ref().unwrap_or(&origin.version);
    let address = change
        .address
        .map(|address| Bytes::from(address::print(address)));
    let address = address.as_ref().unwrap_or(&origin.address);
    [username, session_id, version, address]
        .map(Bytes::as_ref)
        .join(&b' ')
}

fn session_attributes(out: &mut Out, session: &Session, changes: &Changes) {
    if let Some(identity) = &changes.loop_protect {
        out.attribute("rtpengine", identity);
    }
    // Relayed sections have a port each, which is the end of a bundle.
    let breaks_bundle = changes
        .medias
        .iter()
        .any(|media| matches!(media, MediaChange::Relay(_)));
    let mut attributes: Vec<&Line> = session
        .lines
        .iter()
        .filter(|line| line.letter == b'a' && !line.is_direction())
        .filter(|line| !(changes.remove_ice && order::is_ice(line)))
        .filter(|line| !(breaks_bundle && order::is_bundle(line)))
        .collect();
    attributes.sort_by_key(|line| order::session_place(line));
    for line in attributes {
        out.line(b'a', &line.value);
    }
}

/// The address of rejected sections: zero, of the family that the other sections are written in.
fn unspecified_address(changes: &Changes) -> Option<IpAddr> {
    changes.medias.iter().find_map(|media| match media {
        MediaChange::Relay(relay) => Some(section::unspecified(relay.address)),
        MediaChange::Rejected | MediaChange::Untouched => None,
    })
}

/// The body under construction.
#[derive(Default)]
pub(super) struct Out(Vec<u8>);

impl Out {
    pub(super) fn line(&mut self, letter: u8, value: &[u8]) {
        self.0.extend_from_slice(&[letter, b'=']);
        self.0.extend_from_slice(value);
        self.0.extend_from_slice(b"\r\n");
    }

    pub(super) fn attribute(&mut self, name: &str, argument: &str) {
        self.line(b'a', format!("{name}:{argument}").as_bytes());
    }

    /// All lines of this letter, in order.
    pub(super) fn lines(&mut self, letter: u8, lines: &[Line]) {
        for line in lines.iter().filter(|line| line.letter == letter) {
            self.line(letter, &line.value);
        }
    }
}
