//! From a body to a [`Session`].

use std::net::IpAddr;

use bytes::Bytes;

use super::{
    Connection, Direction, Kind, Line, Media, Origin, Protocol, RtcpAttribute, SdpError, Session,
};
use super::{address, line};

/// Most media sections read.
pub const MAX_MEDIAS: usize = 128;

/// Reads an SDP body. Lines may end in CRLF or LF.
///
/// # Errors
/// [`SdpError::Malformed`] for anything that is not SDP or exceeds the bounds ([`MAX_BYTES`](super::MAX_BYTES),
/// [`MAX_LINES`](super::MAX_LINES), [`MAX_MEDIAS`]); [`SdpError::NoConnection`] for media without a `c=` line.
pub fn parse(body: &Bytes) -> Result<Session, SdpError> {
    let mut lines = line::split(body)?.into_iter();
    match lines.next() {
        Some((_, first)) if first.letter == b'v' && first.value == "0" => {}
        _ => {
            return Err(SdpError::Malformed {
                line: 1,
                reason: "does not start with v=0",
            });
        }
    }
    let mut session = Session {
        origin: None,
        name: None,
        connection: None,
        direction: None,
        medias: Vec::new(),
        lines: Vec::new(),
    };
    for (number, line) in lines {
        let read = match session.medias.last_mut() {
            _ if line.letter == b'm' => media(&line).and_then(|media| {
                let room = session.medias.len() < MAX_MEDIAS;
                room.then(|| session.medias.push(media))
                    .ok_or("more than 128 media sections")
            }),
            Some(media) => media_line(media, line),
            None => session_line(&mut session, line),
        };
        read.map_err(|reason| SdpError::Malformed {
            line: number,
            reason,
        })?;
    }
    inherit(&mut session)?;
    Ok(session)
}

/// Gives media sections what the session says for all of them.
fn inherit(session: &mut Session) -> Result<(), SdpError> {
    for (index, media) in session.medias.iter_mut().enumerate() {
        media.connection = media.connection.or(session.connection);
        if media.connection.is_none() {
            return Err(SdpError::NoConnection { media: index });
        }
        let own = media.lines.iter().rev().find_map(direction);
        media.direction = own.or(session.direction).unwrap_or_default();
    }
    Ok(())
}

fn session_line(session: &mut Session, line: Line) -> Result<(), &'static str> {
    match line.letter {
        b'o' => {
            session.origin =
                Some(Origin::parse(&line.value).ok_or("o= line without its six fields")?)
        }
        b's' => session.name = Some(line.value.clone()),
        b'c' => session.connection = Some(connection(&line)?),
        b'a' => session.direction = direction(&line).or(session.direction),
        b'i' | b'u' | b'e' | b'p' | b'b' | b't' | b'r' | b'z' | b'k' => {}
        _ => return Err("unknown line letter"),
    }
    session.lines.push(line);
    Ok(())
}

fn media_line(media: &mut Media, line: Line) -> Result<(), &'static str> {
    match line.letter {
        b'c' => media.connection = Some(connection(&line)?),
        b'a' if line.attribute() == Some(b"rtcp") => {
            media.rtcp = Some(rtcp(&line).ok_or("a=rtcp without a port")?)
        }
        b'a' if line.attribute() == Some(b"rtcp-mux") => media.rtcp_mux = true,
        b'a' | b'i' | b'b' | b'k' => {}
        _ => return Err("line letter that has no place in a media section"),
    }
    media.lines.push(line);
    Ok(())
}

fn media(line: &Line) -> Result<Media, &'static str> {
    let text = std::str::from_utf8(&line.value).map_err(|_| "m= line is not UTF-8")?;
    let mut words = text.split_ascii_whitespace();
    let (Some(kind), Some(port), Some(protocol)) = (words.next(), words.next(), words.next())
    else {
        return Err("m= line without media, port and protocol");
    };
    let (port, count) = port.split_once('/').unwrap_or((port, "1"));
    Ok(Media {
        kind: match kind {
            "audio" => Kind::Audio,
            "video" => Kind::Video,
            other => Kind::Other(other.to_owned()),
        },
        port: port.parse().map_err(|_| "m= line's port is not a port")?,
        port_count: count
            .parse()
            .map_err(|_| "m= line's number of ports is not a number")?,
        protocol: Protocol::from_name(protocol),
        formats: words.map(str::to_owned).collect(),
        connection: None,
        direction: Direction::default(),
        rtcp: None,
        rtcp_mux: false,
        lines: Vec::new(),
    })
}

fn connection(line: &Line) -> Result<Connection, &'static str> {
    let address = std::str::from_utf8(&line.value)
        .ok()
        .and_then(|text| three_words(text.split_ascii_whitespace()));
    Ok(Connection {
        address: address.ok_or("c= line is not an address")?,
    })
}

fn rtcp(line: &Line) -> Option<RtcpAttribute> {
    let mut words = std::str::from_utf8(line.argument())
        .ok()?
        .split_ascii_whitespace();
    let port = words.next()?.parse().ok()?;
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
