//! Bodies that are made here: what several parties said, put together for one that listens, and bodies in our own name.

use std::fmt::Write;

use bytes::{BufMut, Bytes, BytesMut};
use ng_protocol::Request;

use super::bench::Bench;
use super::exchange::{Context, Role};
use super::party::Party;
use super::{Refusal, codecs, copy, rewrite};
use crate::call;
use crate::plan::PortPair;
use crate::sdp::{self, Connection, Line, Media, MediaChange, Protocol, Session};

/// Bytes of SDP that fit into a reply over UDP, beside all but the strangest cookies.
pub(super) const LONGEST_BODY: usize = 64_000;

/// A section that is put into a body.
pub(super) struct Section<'a> {
    pub(super) session: &'a Session,
    pub(super) media: &'a Media,
    /// What `a=label` says of it (RFC 4574), in place of its own.
    pub(super) label: Option<usize>,
    /// The direction, in place of its own.
    pub(super) direction: Option<&'static str>,
}

impl<'a> Section<'a> {
    /// As it is.
    pub(super) fn of(session: &'a Session, media: &'a Media) -> Self {
        Self {
            session,
            media,
            label: None,
            direction: None,
        }
    }
}

/// The sections of one session or of several, one after the other, without ICE: its candidates and passwords are for others. The session is the first one's. What it says beside its name
/// is left out if there are others, of which it need not be true.
pub(super) fn together(sections: &[Section<'_>]) -> Bytes {
    let mut body = BytesMut::new();
    put(&mut body, b'v', b"0");
    if let Some(first) = sections.first() {
        let is_alone = sections
            .iter()
            .all(|section| std::ptr::eq(section.session, first.session));
        for line in &first.session.lines {
            if (is_alone && !line.is_ice()) || matches!(line.letter, b'o' | b's' | b't') {
                put(&mut body, line.letter, &line.value);
            }
        }
    }
    for section in sections {
        put_section(&mut body, section);
    }
    body.freeze()
}

/// What is remembered of what a party said. Where it left out sections that others count, they are filled in.
pub(super) fn said(body: &Bytes, session: &Session) -> Bytes {
    let lines = body.split(|byte| *byte == b'\n');
    if lines.filter(|line| line.starts_with(b"m=")).count() == session.medias.len() {
        return copy(body);
    }
    let sections = session.medias.iter();
    let sections: Vec<_> = sections.map(|media| Section::of(session, media)).collect();
    together(&sections)
}

fn put_section(body: &mut BytesMut, section: &Section<'_>) {
    let media = section.media;
    put(body, b'm', media_line(media).as_bytes());
    let has_own_address = media.lines.iter().any(|line| line.letter == b'c');
    if let (false, Some(connection)) = (has_own_address, &media.connection) {
        put(body, b'c', connection_line(connection).as_bytes());
    }
    if let Some(label) = section.label {
        put(body, b'a', format!("label:{label}").as_bytes());
    }
    for line in &media.lines {
        let is_label = line.attribute() == Some(b"label");
        let is_replaced = (is_label && section.label.is_some())
            || (line.is_direction() && section.direction.is_some());
        if !is_replaced && !line.is_ice() {
            put(body, line.letter, &line.value);
        }
    }
    if let Some(direction) = section.direction {
        put(body, b'a', direction.as_bytes());
    }
}

fn put(body: &mut BytesMut, letter: u8, value: &[u8]) {
    body.put_u8(letter);
    body.put_u8(b'=');
    body.put_slice(value);
    body.put_slice(b"\r\n");
}

fn media_line(media: &Media) -> String {
    let formats = media.formats.join(" ");
    let (kind, protocol) = (media.kind.as_str(), media.protocol.as_str());
    match media.port_count {
        1 => format!("{kind} {} {protocol} {formats}", media.port),
        count => format!("{kind} {}/{count} {protocol} {formats}", media.port),
    }
}

fn connection_line(connection: &Connection) -> String {
    let family = if connection.address.is_ipv4() {
        "IP4"
    } else {
        "IP6"
    };
    format!("IN {family} {}", connection.address)
}

/// A section with some of its formats, and what it says of the others left out.
pub(super) fn only(media: &Media, is_wanted: impl Fn(&str) -> bool) -> Media {
    let is_kept = |line: &Line| {
        let about_a_format = matches!(line.attribute(), Some(b"rtpmap" | b"fmtp" | b"rtcp-fb"));
        let about = line.argument().split(|byte| *byte == b' ').next();
        let about = about.and_then(|about| std::str::from_utf8(about).ok());
        !about_a_format || about.is_some_and(|about| about == "*" || is_wanted(about))
    };
    let mut kept = media.clone();
    kept.formats.retain(|format| is_wanted(format));
    kept.lines.retain(is_kept);
    kept
}

/// A section that is refused, in the place of another.
pub(super) fn refused(media: &Media) -> Media {
    let mut refused = media.clone();
    refused.port = 0;
    refused.lines.retain(|line| line.letter == b'c');
    refused
}

/// A body in our own name.
pub(super) struct Blank {
    text: String,
    address: String,
}

impl Blank {
    /// The session, as a party is told of it.
    pub(super) fn new(party: &Party, bench: &Bench<'_>) -> Result<Self, Refusal> {
        let address = rewrite::own_address(party, bench.interfaces).ok_or(Refusal::NoBody)?;
        let family = if address.is_ipv4() { "IP4" } else { "IP6" };
        let address = format!("IN {family} {address}");
        let id = party.created.wall_us;
        Ok(Self {
            text: format!("v=0\r\no=- {id} {id} {address}\r\ns=underpass\r\nt=0 0\r\n"),
            address,
        })
    }

    /// A section. Our port is yet to be written into it.
    pub(super) fn section(
        &mut self,
        kind: &str,
        protocol: &Protocol,
        formats: &[String],
        attributes: impl IntoIterator<Item = String>,
    ) {
        self.begin(kind, 9, protocol, &formats.join(" "));
        for attribute in attributes {
            self.line('a', &attribute);
        }
    }

    /// A section that is refused.
    pub(super) fn refused(&mut self, kind: &str, protocol: &Protocol) {
        self.begin(kind, 0, protocol, "0");
    }

    fn begin(&mut self, kind: &str, port: u16, protocol: &Protocol, formats: &str) {
        self.line(
            'm',
            &format!("{kind} {port} {} {formats}", protocol.as_str()),
        );
        let address = self.address.clone();
        self.line('c', &address);
    }

    fn line(&mut self, letter: char, value: &str) {
        // Writing to a string does not fail.
        let _ = write!(self.text, "{letter}={value}\r\n");
    }

    /// Writes it for the party whose medias the sections are.
    pub(super) fn write(
        self,
        party: &mut Party,
        role: Role,
        request: &Request,
        bench: &Bench<'_>,
    ) -> Result<Bytes, Refusal> {
        let session = sdp::parse(&self.text.into())?;
        // Nobody else counts the versions of what is said here.
        let mut request = request.clone();
        request.options.replace.sdp_version = true;
        let context = bench.context(role, &request, &session);
        let mut changes = Vec::with_capacity(session.medias.len());
        for (index, section) in session.medias.iter().enumerate() {
            let Some(media) = party.medias.get_mut(index) else {
                break;
            };
            let ours = media.clone();
            changes.push(change(&ours, media, None, index, section, &context));
        }
        fitting(rewrite::body(party, changes, bench.instance, &context))
    }
}

/// How a section is written for a party on its own ports, or on those of the section that carries it.
pub(super) fn change(
    sender: &call::media::Media,
    receiver: &mut call::media::Media,
    carrier: Option<PortPair>,
    index: usize,
    section: &Media,
    context: &Context<'_>,
) -> MediaChange {
    let ports = carrier.or_else(|| receiver.ports().cloned());
    let generate_mid = context.request.options.flags.generate_mid;
    let mid = generate_mid.then(|| (index + 1).to_string());
    let codecs = codecs::choose(sender, section, None, context);
    rewrite::media(
        sender,
        receiver,
        &codecs,
        ports.as_ref(),
        mid,
        section,
        context,
    )
}

/// A body, if a reply can hold it.
pub(super) fn fitting(body: Bytes) -> Result<Bytes, Refusal> {
    if body.len() > LONGEST_BODY {
        return Err(Refusal::TooLong);
    }
    Ok(body)
}
