//! `publish`: media without anybody to talk to, for others to subscribe to.

use bytes::Bytes;
use ng_protocol::{Reply, Request};

use super::bench::Bench;
use super::compose::{self, Blank, Section};
use super::exchange::{self, Role};
use super::graph::Call;
use super::party::PartyId;
use super::select::present;
use super::subscription::MediaRef;
use super::{Calls, Refusal, Timestamp, interfaces};
use crate::datapath::PayloadTypes;
use crate::plan::{Action, PortSource};
use crate::sdp::{self, Session};

/// Encodings of sound that whoever listens will know: what a publisher is to send rather than what it says first.
const WELL_KNOWN: &[&str] = &[
    "PCMU", "PCMA", "G722", "opus", "G729", "G723", "AMR", "AMR-WB", "EVS", "GSM", "iLBC", "speex",
    "L16",
];

impl Calls {
    /// A publisher comes, or changes what it sends. It is answered with a body of ours.
    pub(super) fn publish(
        &mut self,
        request: &Request,
        now: Timestamp,
        ports: &mut dyn PortSource,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let body = present(request.sdp.as_ref()).ok_or(Refusal::NoSdp)?;
        let session = sdp::parse(body)?;
        if session.medias.is_empty() {
            return Err(Refusal::NoBody);
        }
        let work = |call: &mut Call, publisher, bench: &mut Bench<'_>| {
            publish(call, publisher, &session, request, bench)
        };
        let (body, reply, actions) = self.work_on_named(request, now, ports, work)?;
        Ok((reply.with("sdp", body), actions))
    }
}

fn publish(
    call: &mut Call,
    publisher: PartyId,
    session: &Session,
    request: &Request,
    bench: &mut Bench<'_>,
) -> Result<Bytes, Refusal> {
    let context = bench.context(Role::Offer, request, session);
    let interface = interfaces::of_lone_party(call, publisher, &context, bench);
    let mut accepted = Vec::with_capacity(session.medias.len());
    for (index, section) in session.medias.iter().enumerate() {
        let name = MediaRef {
            party: publisher,
            index,
        };
        let mut media = call.take_media(name, bench.now);
        media.signalled += 1;
        exchange::take_in(&mut media, section, None, &context);
        media.expect(media.receives, false, bench.now);
        // What is encrypted would take a key of ours.
        let can_be = media.relayed && !media.rejected && !section.protocol.is_secure();
        let format = codec(section, &request.options.codecs.accept).filter(|_| can_be);
        match format {
            Some(format) => {
                let number = format.parse::<u8>().ok().filter(|number| *number < 128);
                media.payload_types = PayloadTypes(number.map_or(0, |number| 1 << number));
                bench.ledger.provide(&mut media, interface, None, false)?;
                media.public = true;
                media.settle_ports();
                accepted.push(compose::only(section, |other| other == format));
            }
            None => {
                media.rejected = true;
                media.drop_ports();
                accepted.push(compose::refused(section));
            }
        }
        call.put_media(name, media);
    }
    let sections: Vec<_> = accepted
        .iter()
        .map(|media| Section::of(session, media))
        .collect();
    let said = compose::together(&sections);
    let party = call.party_mut(publisher).ok_or(Refusal::NoBody)?;
    party.said = said;

    let mut blank = Blank::new(party, bench)?;
    for media in &accepted {
        if media.is_rejected() {
            blank.refused(media.kind.as_str(), &media.protocol);
            continue;
        }
        let direction = if media.effective_direction().sends() {
            "recvonly"
        } else {
            "inactive"
        };
        let kept = media
            .lines
            .iter()
            .filter(|line| matches!(line.attribute(), Some(b"rtpmap" | b"fmtp" | b"mid")));
        let kept = kept.map(|line| String::from_utf8_lossy(&line.value).into_owned());
        let attributes = kept.chain([direction.to_owned()]);
        blank.section(
            media.kind.as_str(),
            &media.protocol,
            &media.formats,
            attributes,
        );
    }
    blank.write(party, Role::Answer, request, bench)
}

/// The one codec that a section is answered with: the first of those to be accepted that is there, else the first that is well
/// known, else the first. `any` among those to be accepted stands for the first.
fn codec<'a>(section: &'a sdp::Media, accept: &[Bytes]) -> Option<&'a str> {
    let formats = section.formats.iter().map(String::as_str);
    if !section.protocol.is_rtp() {
        return section.formats.first().map(String::as_str);
    }
    let is_codec = |format: &&str| {
        !["telephone-event", "CN"]
            .iter()
            .any(|name| is_called(section, format, name))
    };
    let codecs: Vec<&str> = formats.filter(is_codec).collect();
    let called = |name: &str| {
        codecs
            .iter()
            .copied()
            .find(|format| is_called(section, format, name))
    };
    let first = codecs.first().copied();
    let accepted = accept
        .iter()
        .find_map(|name| match std::str::from_utf8(name).ok()? {
            "any" | "all" => first,
            name => called(name),
        });
    let is_well_known = |format: &&str| {
        WELL_KNOWN
            .iter()
            .any(|name| is_called(section, format, name))
    };
    let known = codecs.iter().copied().find(is_well_known);
    accepted.or(known).or(first)
}

/// Whether a format is called by its number or by its encoding's name.
fn is_called(section: &sdp::Media, format: &str, name: &str) -> bool {
    let encoding = format
        .parse()
        .ok()
        .and_then(|number| section.encoding(number));
    let encoding = encoding.unwrap_or_default();
    let bare = encoding.split('/').next().unwrap_or_default();
    format == name || bare.eq_ignore_ascii_case(name) || encoding.eq_ignore_ascii_case(name)
}
