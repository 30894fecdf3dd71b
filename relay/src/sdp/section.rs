//! From a [`Media`] and what becomes of it to a media section.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::order::{CodecPart, Place, first_word, is_ice};
use super::write::Out;
use super::{Line, Media, Protocol, Relay, RtcpLine, address, payload};

/// A section whose address and port stay the party's: attributes as they came.
pub(super) fn untouched(out: &mut Out, media: &Media, remove_ice: bool) {
    let port = match media.port_count {
        1 => media.port.to_string(),
        count => format!("{}/{count}", media.port),
    };
    media_line(out, media, &port, &media.protocol);
    head(
        out,
        media,
        media.connection.map(|connection| connection.address),
    );
    attributes_as_they_came(out, media, remove_ice);
}

/// A refused section: its `m=` line with port 0, and what names it. `zero` is the address to write; by default that of
/// the party's family.
pub(super) fn rejected(out: &mut Out, media: &Media, zero: Option<IpAddr>) {
    media_line(out, media, "0", &media.protocol);
    let own = media
        .connection
        .map(|connection| unspecified(connection.address));
    head(
        out,
        media,
        zero.or(own).or(Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED))),
    );
    for name in ["mid", "label"] {
        let is_named = |line: &&Line| line.attribute() == Some(name.as_bytes());
        for line in media.lines.iter().filter(is_named) {
            out.line(b'a', &line.value);
        }
    }
}

/// A relayed section that is not RTP (T.38, BFCP): attributes as they came.
pub(super) fn not_rtp(out: &mut Out, media: &Media, relay: &Relay, remove_ice: bool) {
    relayed_head(out, media, relay);
    attributes_as_they_came(out, media, remove_ice);
}

/// A relayed RTP section: its attributes and ours, in order.
pub(super) fn rtp(out: &mut Out, media: &Media, relay: &Relay, remove_ice: bool) {
    relayed_head(out, media, relay);
    let theirs = media
        .lines
        .iter()
        .filter(|line| line.letter == b'a')
        .filter(|line| !(is_replaced(line, relay) || remove_ice && is_ice(line)))
        .map(|line| {
            (
                Place::of(line, &media.formats),
                Cow::Borrowed(line.value.as_ref()),
            )
        });
    let mut attributes: Vec<_> = theirs.chain(ours(media, relay)).collect();
    attributes.sort_by_key(|(place, _)| *place);
    for (_, value) in attributes {
        out.line(b'a', &value);
    }
}

/// The zero address of the same family.
pub(super) fn unspecified(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Whether the relay writes this attribute itself, or must not let it stand.
fn is_replaced(line: &Line, relay: &Relay) -> bool {
    match line.attribute() {
        Some(b"rtcp" | b"rtcp-mux") => true,
        // RFC 8858: not without a=rtcp-mux.
        Some(b"rtcp-mux-only") => !relay.rtcp_mux,
        _ => line.is_direction(),
    }
}

/// The attributes of an RTP section that the relay writes.
fn ours<'a>(media: &'a Media, relay: &'a Relay) -> Vec<(Place, Cow<'a, [u8]>)> {
    let mut ours = vec![(Place::Direction, relay.direction.as_str().to_owned())];
    if let Some(mid) = relay.mid.as_ref().filter(|_| media.mid().is_none()) {
        ours.push((Place::Mid, format!("mid:{mid}")));
    }
    ours.extend(static_encodings(media));
    match relay.rtcp {
        RtcpLine::Omit => {}
        RtcpLine::Port(port) => ours.push((Place::Rtcp, format!("rtcp:{port}"))),
        RtcpLine::Full(port, at) => {
            ours.push((Place::Rtcp, format!("rtcp:{port} {}", address::print(at))))
        }
    }
    if relay.rtcp_mux {
        ours.push((Place::RtcpMux, "rtcp-mux".to_owned()));
    }
    ours.into_iter()
        .map(|(place, value)| (place, Cow::Owned(value.into_bytes())))
        .collect()
}

/// An `a=rtpmap` for every static payload type that came without one.
fn static_encodings(media: &Media) -> impl Iterator<Item = (Place, String)> {
    media
        .formats
        .iter()
        .enumerate()
        .filter_map(|(position, format)| {
            let encoding = payload::static_encoding(format.parse().ok()?)?;
            let repeated = media.formats[..position].contains(format);
            let mapped = media
                .attributes("rtpmap")
                .any(|argument| first_word(argument) == format.as_bytes());
            let place = Place::Codec(position, CodecPart::Rtpmap);
            (!repeated && !mapped).then(|| (place, format!("rtpmap:{format} {encoding}")))
        })
}

fn relayed_head(out: &mut Out, media: &Media, relay: &Relay) {
    let protocol = relay.protocol.as_ref().unwrap_or(&media.protocol);
    media_line(out, media, &relay.port.to_string(), protocol);
    head(
        out,
        media,
        Some(if relay.zero_address {
            unspecified(relay.address)
        } else {
            relay.address
        }),
    );
}

fn media_line(out: &mut Out, media: &Media, port: &str, protocol: &Protocol) {
    let kind = media.kind.as_str();
    let formats = media.formats.join(" ");
    // A format is mandatory; RTP sections come without one nevertheless.
    let formats = if formats.is_empty() { "0" } else { &formats };
    out.line(
        b'm',
        format!("{kind} {port} {protocol} {formats}").as_bytes(),
    );
}

/// What stands between the `m=` line and the attributes.
fn head(out: &mut Out, media: &Media, at: Option<IpAddr>) {
    out.lines(b'i', &media.lines);
    if let Some(at) = at {
        out.line(b'c', address::print(at).as_bytes());
    }
    out.lines(b'b', &media.lines);
}

/// All attributes in their order; a direction that the session gave is written out, since it is not there any more.
fn attributes_as_they_came(out: &mut Out, media: &Media, remove_ice: bool) {
    for line in media
        .lines
        .iter()
        .filter(|line| line.letter == b'a' && !(remove_ice && is_ice(line)))
    {
        out.line(b'a', &line.value);
    }
    if media.direction_is_inherited {
        out.line(b'a', media.direction.as_str().as_bytes());
    }
}
