//! From a [`Media`] and what becomes of it to a media section.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::order::{CodecPart, Place, first_word, is_ice};
use super::write::Out;
use super::{Changes, Line, Media, Protocol, Relay, RtcpLine, address, payload};

/// A section whose address and port stay the party's: attributes as they came.
pub(super) fn untouched(out: &mut Out<'_>, media: &Media, changes: &Changes) {
    let port = match media.port_count {
        1 => media.port.to_string(),
        count => format!("{}/{count}", media.port),
    };
    media_line(out, media, &port, &media.protocol, &media.formats);
    head(
        out,
        media,
        media.connection.map(|connection| connection.address),
    );
    attributes_as_they_came(out, media, changes);
}

/// A refused section: its `m=` line with port 0, and what names it. `zero` is the address to write; by default that of
/// the party's family.
pub(super) fn rejected(out: &mut Out<'_>, media: &Media, formats: &[String], zero: Option<IpAddr>) {
    media_line(out, media, "0", &media.protocol, formats);
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
            out.attribute(&line.value);
        }
    }
}

/// A relayed section that is not RTP (T.38, BFCP): attributes as they came.
pub(super) fn not_rtp(out: &mut Out<'_>, media: &Media, relay: &Relay, changes: &Changes) {
    relayed_head(out, media, relay);
    attributes_as_they_came(out, media, changes);
}

/// A relayed RTP section: its attributes and ours, in order.
pub(super) fn rtp(out: &mut Out<'_>, media: &Media, relay: &Relay, changes: &Changes) {
    relayed_head(out, media, relay);
    let formats = relay.formats.as_deref().unwrap_or(&media.formats);
    let theirs = media
        .lines
        .iter()
        .filter(|line| line.letter == b'a' && !is_hidden(line, changes))
        .filter(|line| !is_replaced(line, relay))
        .map(|line| (place(line, formats, relay), line))
        .filter(|(place, line)| !is_about_format_taken_out(*place, line, media))
        .filter(|(place, _)| relay.descriptions.is_none() || !matches!(place, Place::Codec(..)))
        .map(|(place, line)| (place, Cow::Borrowed(line.value.as_ref())));
    let mut attributes: Vec<_> = theirs.chain(ours(media, formats, relay)).collect();
    attributes.sort_by_key(|(place, _)| *place);
    for (_, value) in attributes {
        out.attribute(&value);
    }
}

/// Where a line of the party's stands. Its own direction, where that is left to it, is a line like any other.
fn place(line: &Line, formats: &[String], relay: &Relay) -> Place {
    match Place::of(line, formats) {
        Place::Direction if relay.direction.is_none() => Place::Other,
        place => place,
    }
}

/// Whether a line is about a payload type that the party named and that is not passed on.
fn is_about_format_taken_out(place: Place, line: &Line, media: &Media) -> bool {
    matches!(place, Place::Codec(usize::MAX, _))
        && media
            .formats
            .iter()
            .any(|format| format.as_bytes() == first_word(line.argument()))
}

/// Whether a line is left out of any section.
fn is_hidden(line: &Line, changes: &Changes) -> bool {
    (changes.remove_ice && is_ice(line)) || changes.hidden_extensions.hides(line)
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
        Some(b"ptime") => relay.ptime.is_some(),
        Some(b"bundle-only") => true,
        Some(b"mid") => relay.hides_mid,
        _ => line.is_direction() && relay.direction.is_some(),
    }
}

/// The attributes of an RTP section that the relay writes.
fn ours<'a>(
    media: &'a Media,
    formats: &'a [String],
    relay: &'a Relay,
) -> Vec<(Place, Cow<'a, [u8]>)> {
    let mut ours = Vec::new();
    match relay.direction {
        Some(direction) => ours.push((Place::Direction, direction.as_str().to_owned())),
        None if media.direction_is_inherited => {
            ours.push((Place::Other, media.direction.as_str().to_owned()));
        }
        None => {}
    }
    if let Some(mid) = relay.mid.as_ref().filter(|_| media.mid().is_none()) {
        ours.push((Place::Mid, format!("mid:{mid}")));
    }
    ours.extend(static_encodings(media, formats, relay));
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
    if relay.bundle_only {
        ours.push((Place::BundleOnly, "bundle-only".to_owned()));
    }
    if let Some(ptime) = relay.ptime {
        ours.push((Place::Ptime, format!("ptime:{ptime}")));
    }
    let restored = relay.restored_extensions.iter();
    let restored = restored.map(|value| (Place::ExtmapRestored, Cow::Borrowed(value.as_ref())));
    let described = relay.descriptions.iter().flatten();
    let described =
        described.map(|line| (Place::of(line, formats), Cow::Borrowed(line.value.as_ref())));
    ours.into_iter()
        .map(|(place, value)| (place, Cow::Owned(value.into_bytes())))
        .chain(restored)
        .chain(described)
        .collect()
}

/// An `a=rtpmap` for every static payload type that came without one.
fn static_encodings<'a>(
    media: &'a Media,
    formats: &'a [String],
    relay: &'a Relay,
) -> impl Iterator<Item = (Place, String)> + 'a {
    let descriptions = relay.descriptions.as_deref().unwrap_or(&media.lines);
    formats
        .iter()
        .enumerate()
        .filter_map(move |(position, format)| {
            let encoding = payload::static_encoding(format.parse().ok()?)?;
            let repeated = formats[..position].contains(format);
            let mapped = descriptions.iter().any(|line| {
                line.attribute() == Some(b"rtpmap")
                    && first_word(line.argument()) == format.as_bytes()
            });
            let place = Place::Codec(position, CodecPart::Rtpmap);
            (!repeated && !mapped).then(|| (place, format!("rtpmap:{format} {encoding}")))
        })
}

fn relayed_head(out: &mut Out<'_>, media: &Media, relay: &Relay) {
    let protocol = relay.protocol.as_ref().unwrap_or(&media.protocol);
    let formats = relay.formats.as_deref().unwrap_or(&media.formats);
    media_line(out, media, &relay.port.to_string(), protocol, formats);
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

fn media_line(
    out: &mut Out<'_>,
    media: &Media,
    port: &str,
    protocol: &Protocol,
    formats: &[String],
) {
    let head = [media.kind.as_str(), port, protocol.as_str()].into_iter();
    // A format is mandatory; RTP sections come without one nevertheless.
    let none = formats.is_empty().then_some("0");
    let formats = formats.iter().map(String::as_str);
    out.words(b'm', head.chain(formats).chain(none));
}

/// What stands between the `m=` line and the attributes.
fn head(out: &mut Out<'_>, media: &Media, at: Option<IpAddr>) {
    out.lines(b'i', &media.lines);
    if let Some(at) = at {
        out.line(b'c', address::print(at).as_bytes());
    }
    out.lines(b'b', &media.lines);
}

/// All attributes in their order; a direction that the session gave is written out, since it is not there any more.
fn attributes_as_they_came(out: &mut Out<'_>, media: &Media, changes: &Changes) {
    for line in media
        .lines
        .iter()
        .filter(|line| line.letter == b'a' && !is_hidden(line, changes))
    {
        out.attribute(&line.value);
    }
    if media.direction_is_inherited {
        out.attribute(media.direction.as_str().as_bytes());
    }
}
