//! From a [`Session`] and [`Changes`] to a body: the session's part.

use std::net::IpAddr;

use bytes::Bytes;

use super::{AttributeRules, Changes, Line, MediaChange, Origin, OriginChange, Session};
use super::{address, order, section};

/// Writes a session description again, with changes, in rtpengine's order of lines; CRLF line ends. `c=` is written
/// in every media section, never for the session. `k=`, `r=` and `z=` lines are left out, and `a=group:BUNDLE` if any
/// section is relayed.
#[must_use]
pub fn write(session: &Session, changes: &Changes) -> Bytes {
    let mut out = Out::new(room(session), &changes.attributes.session);
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
        out.begin(changes.attributes.of(&media.kind));
        match changes.medias.get(index).unwrap_or(&MediaChange::Untouched) {
            MediaChange::Untouched => section::untouched(&mut out, media, changes),
            MediaChange::Rejected => {
                section::rejected(&mut out, media, &media.formats, refused_at);
            }
            MediaChange::WithoutCodecs => section::rejected(&mut out, media, &[], refused_at),
            MediaChange::Removed => continue,
            MediaChange::Relay(relay) if media.protocol.is_rtp() => {
                section::rtp(&mut out, media, relay, changes);
            }
            MediaChange::Relay(relay) => section::not_rtp(&mut out, media, relay, changes),
        }
        out.end();
    }
    out.body.into()
}

/// About what the body will take, in bytes: growing means copying.
fn room(session: &Session) -> usize {
    let of_lines = |lines: &[Line]| lines.iter().map(|line| line.value.len() + 4).sum::<usize>();
    let medias = session
        .medias
        .iter()
        .map(|media| of_lines(&media.lines) + 256);
    of_lines(&session.lines) + medias.sum::<usize>() + 64
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

fn session_attributes(out: &mut Out<'_>, session: &Session, changes: &Changes) {
    if let Some(identity) = &changes.loop_protect {
        out.attribute(format!("rtpengine:{identity}").as_bytes());
    }
    // Relayed sections have a port each, which is the end of a bundle.
    let breaks_bundle = changes
        .medias
        .iter()
        .any(|media| matches!(media, MediaChange::Relay(_)));
    let bundle = changes.bundle.as_ref();
    let mut attributes: Vec<&Line> = session
        .lines
        .iter()
        .filter(|line| line.letter == b'a' && !line.is_direction())
        .filter(|line| !(changes.remove_ice && order::is_ice(line)))
        .filter(|line| !changes.hidden_extensions.hides(line))
        .filter(|line| !((breaks_bundle || bundle.is_some()) && order::is_bundle(line)))
        .collect();
    attributes.sort_by_key(|line| order::session_place(line));
    let is_before = |line: &&&Line| order::session_place(line) == 0;
    let before = attributes.iter().take_while(is_before).count();
    for line in &attributes[..before] {
        out.attribute(&line.value);
    }
    if let Some(bundle) = bundle {
        out.attribute(&[b"group:BUNDLE ", &bundle[..]].concat());
    }
    for line in &attributes[before..] {
        out.attribute(&line.value);
    }
    out.end();
}

/// The address of rejected sections: zero, of the family that the other sections are written in.
fn unspecified_address(changes: &Changes) -> Option<IpAddr> {
    changes.medias.iter().find_map(|media| match media {
        MediaChange::Relay(relay) => Some(section::unspecified(relay.address)),
        _ => None,
    })
}

/// The body under construction.
pub(super) struct Out<'a> {
    body: Vec<u8>,
    /// Where the session or the section begins that is being written.
    begin: usize,
    /// What becomes of its attributes.
    rules: &'a AttributeRules,
}

impl<'a> Out<'a> {
    fn new(room: usize, rules: &'a AttributeRules) -> Self {
        Self {
            body: Vec::with_capacity(room),
            begin: 0,
            rules,
        }
    }

    /// Begins a section.
    fn begin(&mut self, rules: &'a AttributeRules) {
        self.begin = self.body.len();
        self.rules = rules;
    }

    /// Ends the session's part or a section: writes what is added to it.
    fn end(&mut self) {
        let rules = self.rules;
        for added in &rules.add {
            let line = [b"a=", &added[..], b"\r\n"].concat();
            let lines = self.body[self.begin..].split_inclusive(|byte| *byte == b'\n');
            if !lines.into_iter().any(|known| known == line) {
                self.body.extend_from_slice(&line);
            }
        }
    }

    pub(super) fn line(&mut self, letter: u8, value: &[u8]) {
        self.body.extend_from_slice(&[letter, b'=']);
        self.body.extend_from_slice(value);
        self.body.extend_from_slice(b"\r\n");
    }

    /// A line of words, at least one.
    pub(super) fn words<'w>(&mut self, letter: u8, words: impl Iterator<Item = &'w str>) {
        self.body.push(letter);
        for (index, word) in words.enumerate() {
            self.body.push(if index == 0 { b'=' } else { b' ' });
            self.body.extend_from_slice(word.as_bytes());
        }
        self.body.extend_from_slice(b"\r\n");
    }

    /// An `a=` line, if it is not left out, or what is to stand there instead.
    pub(super) fn attribute(&mut self, value: &[u8]) {
        let rules = self.rules;
        if let Some(value) = rules.apply(value) {
            self.line(b'a', value);
        }
    }

    /// All lines of this letter, in order.
    pub(super) fn lines(&mut self, letter: u8, lines: &[Line]) {
        for line in lines.iter().filter(|line| line.letter == letter) {
            self.line(letter, &line.value);
        }
    }
}
