//! From a body to a [`Session`].

use std::net::IpAddr;

use bytes::Bytes;

use super::{
    Connection, Direction, Kind, Line, Media, Origin, Protocol, RtcpAttribute, SdpError, Session,
};
use super::{address, line};

/// Most media sections read.
pub const MAX_MEDIAS: usize = 128;

/// Most formats read in one `m=` line: as many as there are payload types.
pub const MAX_FORMATS: usize = 128;

/// The largest number of port pairs in an `m=` line; rtpengine's.
const MAX_PORT_COUNT: u16 = 10;

/// Reads an SDP body. Lines may end in CRLF or LF; an empty line ends the body.
///
/// # Errors
/// [`SdpError::Malformed`] for anything that is not SDP or exceeds the bounds ([`MAX_BYTES`](super::MAX_BYTES),
/// [`MAX_LINES`](super::MAX_LINES), [`MAX_MEDIAS`], [`MAX_FORMATS`]); [`SdpError::NoConnection`] for media without a `c=` line;
/// [`SdpError::NoPayloadType`] for RTP formats that are not numbers from 0 to 127.
pub fn parse(body: &Bytes) -> Result<Session, SdpError> {
    let mut lines = line::split(body)?.into_iter();
    if lines
        .next()
        .is_none_or(|first| first.letter != b'v' || first.value != "0")
    {
        return Err(SdpError::Malformed {
            line: 1,
            reason: "does not start with v=0",
        });
    }
    let mut session = Session::default();
    for (index, line) in lines.enumerate() {
        let read = if line.letter == b'm' {
            media_section(&mut session, &line)
        } else if let Some(media) = session.medias.last_mut() {
            media_line(media, line)
        } else {
            session_line(&mut session, line)
        };
        read.map_err(|reason| SdpError::Malformed {
            line: index + 2,
            reason,
        })?;
    }
    complete(&mut session)?;
    Ok(session)
}

/// Gives media sections what the session says for all of them, and looks whether anything is missing.
fn complete(session: &mut Session) -> Result<(), SdpError> {
    let session_ice = session.attributes("ice-ufrag").next().is_some();
    for (index, media) in session.medias.iter_mut().enumerate() {
        media.connection = media.connection.or(session.connection);
        if media.connection.is_none() {
            return Err(SdpError::NoConnection { media: index });
        }
        if media.protocol.is_rtp() && media.payload_types().count() != media.formats.len() {
            return Err(SdpError::NoPayloadType { media: index });
        }
        let own = media.lines.iter().rev().find_map(direction);
        media.direction_is_inherited = own.is_none() && session.direction.is_some();
        media.direction = own.or(session.direction).unwrap_or_default();
        media.ice = session_ice || media.attributes("ice-ufrag").next().is_some();
        let names_rtp_port = media.rtcp.is_some_and(|rtcp| rtcp.port == media.port);
        media.rtcp_mux |= names_rtp_port && media.port_count == 1 && !media.has_zero_address();
    }
    Ok(())
}

fn session_line(session: &mut Session, line: Line) -> Result<(), &'static str> {
    match line.letter {
        b'o' if session.origin.is_some() => return Err("second o= line"),
        b'o' => {
            session.origin =
                Some(Origin::parse(&line.value).ok_or("o= line without its six fields")?)
        }
        b's' => session.name = Some(line.value.clone()),
        b'c' => read_connection(&mut session.connection, &line)?,
        b'a' => session.direction = direction(&line).or(session.direction),
        b'i' | b'u' | b'e' | b'p' | b'b' | b't' | b'r' | b'z' | b'k' => {}
        b'v' => return Err("second v= line"),
        _ => return Err("unknown line letter"),
    }
    session.lines.push(line);
    Ok(())
}

fn media_line(media: &mut Media, line: Line) -> Result<(), &'static str> {
    match (line.letter, line.attribute()) {
        (b'c', _) => read_connection(&mut media.connection, &line)?,
        (_, Some(b"rtcp")) => media.rtcp = rtcp(&line).or(media.rtcp),
        (_, Some(b"rtcp-mux")) => media.rtcp_mux = true,
        (b'a' | b'i' | b'b' | b'k' | b'r' | b'z', _) => {}
        _ => return Err("line that has no place in a media section"),
    }
    media.lines.push(line);
    Ok(())
}

/// Begins a media section.
fn media_section(session: &mut Session, line: &Line) -> Result<(), &'static str> {
    if session.medias.len() == MAX_MEDIAS {
        return Err("more than 128 media sections");
    }
    let text = std::str::from_utf8(&line.value).map_err(|_| "m= line is not UTF-8")?;
    let mut words = text.split_ascii_whitespace();
    let (Some(kind), Some(port), Some(protocol)) = (words.next(), words.next(), words.next())
    else {
        return Err("m= line without media, port and protocol");
    };
    let (port, count) = port.split_once('/').unwrap_or((port, "1"));
    let count = count
        .parse()
        .ok()
        .filter(|count| (1..=MAX_PORT_COUNT).contains(count));
    let formats: Vec<_> = words.take(MAX_FORMATS + 1).map(str::to_owned).collect();
    if formats.len() > MAX_FORMATS {
        return Err("more than 128 formats");
    }
    session.medias.push(Media {
        kind: Kind::from_word(kind),
        port: port.parse().map_err(|_| "m= line's port is not a port")?,
        port_count: count.ok_or("m= line's number of ports is not one from 1 to 10")?,
        protocol: Protocol::from_name(protocol),
        formats,
        connection: None,
        direction: Direction::default(),
        rtcp: None,
        rtcp_mux: false,
        lines: Vec::new(),
        direction_is_inherited: false,
        ice: false,
    });
    Ok(())
}

fn read_connection(connection: &mut Option<Connection>, line: &Line) -> Result<(), &'static str> {
    if connection.is_some() {
        return Err("second c= line");
    }
    let text = std::str::from_utf8(&line.value).map_err(|_| "c= line is not UTF-8")?;
    let address = three_words(text.split_ascii_whitespace()).ok_or("c= line is not an address")?;
    *connection = Some(Connection { address });
    Ok(())
}

/// Reads an `a=rtcp`; one that makes no sense is as good as none.
fn rtcp(line: &Line) -> Option<RtcpAttribute> {
    let mut words = std::str::from_utf8(line.argument())
        .ok()?
        .split_ascii_whitespace();
    let port = words.next()?.parse().ok().filter(|port| *port != 0)?;
    Some(RtcpAttribute {
        port,
        address: three_words(words),
    })
}

fn three_words<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<IpAddr> {
    address::parse(words.next()?, words.next()?, words.next()?)
}

fn direction(line: &Line) -> Option<Direction> {
    Direction::from_attribute(line.attribute()?)
}
