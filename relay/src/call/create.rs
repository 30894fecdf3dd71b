//! `create` and `create answer`: an offer to one party, made here.

use ng_protocol::{Options, Reply, Request};

use super::bench::Bench;
use super::compose::{self, Blank, Section};
use super::exchange::{self, Role};
use super::graph::Call;
use super::party::PartyId;
use super::select::present;
use super::subscription::MediaRef;
use super::{Calls, Refusal, Timestamp, copy, interfaces, rewrite};
use crate::datapath::PayloadTypes;
use crate::plan::{Action, PortSource};
use crate::sdp::{self, MediaChange, Protocol, Session};

/// The first payload type without a meaning of its own (RFC 3551 section 3).
const DYNAMIC: u8 = 96;

impl Calls {
    /// Makes a party and an offer to it. One that is in a call is offered again what it has.
    pub(super) fn create(
        &mut self,
        request: &Request,
        now: Timestamp,
        ports: &mut dyn PortSource,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let work = |call: &mut Call, party, bench: &mut Bench<'_>| match partner(call, party) {
            Some((partner, session)) => repeat(call, party, partner, &session, request, bench),
            None => make(call, party, request, bench),
        };
        let (body, reply, actions) = self.work_on_named(request, now, ports, work)?;
        Ok((reply.with("sdp", body), actions))
    }

    /// What the party said to an offer of ours.
    pub(super) fn create_answer(
        &mut self,
        request: &Request,
        now: Timestamp,
        ports: &mut dyn PortSource,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let body = present(request.sdp.as_ref()).ok_or(Refusal::NoSdp)?;
        let id = request.call_id.as_ref().ok_or(Refusal::NoCallId)?;
        let tag = present(request.from_tag.as_ref()).ok_or(Refusal::NoFromTag)?;
        let active = self.get(id).ok_or(Refusal::NoCreatedCall)?;
        let session = sdp::parse(body)?;
        let call = active.call.clone();
        let party = call.party_by_tag(tag).ok_or(Refusal::NoCreatedParty)?;
        let ((), actions) = self.work(id, call, now, ports, |call, bench| {
            answer(call, party, &session, request, bench)
        })?;
        Ok((Reply::ok(), actions))
    }
}

/// Whom a party talks to, and what that one has said.
fn partner(call: &Call, party: PartyId) -> Option<(PartyId, Session)> {
    let partner = call.active_peer(party)?;
    let session = sdp::parse(&call.party(partner)?.said).ok()?;
    Some((partner, session))
}

/// Offers a party what it has been told already, its choice of codecs left out of which it did not choose.
fn repeat(
    call: &mut Call,
    party: PartyId,
    partner: PartyId,
    said: &Session,
    request: &Request,
    bench: &mut Bench<'_>,
) -> Result<bytes::Bytes, Refusal> {
    let chosen = |(index, media): (usize, &sdp::Media)| {
        let name = MediaRef { party, index };
        let named = call
            .media(name)
            .map_or(PayloadTypes::NONE, |media| media.payload_types);
        let is_named = |format: &str| format.parse().is_ok_and(|number| named.contains(number));
        match named {
            PayloadTypes::NONE => media.clone(),
            _ => compose::only(media, is_named),
        }
    };
    let medias: Vec<_> = said.medias.iter().enumerate().map(chosen).collect();
    let sections: Vec<_> = medias
        .iter()
        .map(|media| Section::of(said, media))
        .collect();
    let session = sdp::parse(&compose::together(&sections))?;
    let context = bench.context(Role::Offer, request, &session);
    let mut changes = Vec::with_capacity(session.medias.len());
    for (index, section) in session.medias.iter().enumerate() {
        let [sender, receiver] = [partner, party].map(|party| MediaRef { party, index });
        let sender = call.media(sender).cloned().ok_or(Refusal::NotCreated)?;
        let carrier = call.media(call.carrier(receiver));
        let carrier = carrier.and_then(|media| media.ports().cloned());
        let mut media = call.take_media(receiver, bench.now);
        // It may have been offered something else since it said this.
        let is_relayed = sender.relayed && section.can_be_relayed();
        changes.push(if is_relayed {
            compose::change(&sender, &mut media, carrier, index, section, &context)
        } else {
            MediaChange::Rejected
        });
        call.put_media(receiver, media);
    }
    let party = call.party_mut(party).ok_or(Refusal::NotCreated)?;
    compose::fitting(rewrite::body(party, changes, bench.instance, &context))
}

/// Offers a party media that nobody has offered: sound, unless told otherwise.
fn make(
    call: &mut Call,
    party: PartyId,
    request: &Request,
    bench: &mut Bench<'_>,
) -> Result<bytes::Bytes, Refusal> {
    let options = &request.options;
    let empty = Session::default();
    let context = bench.context(Role::Offer, request, &empty);
    let interface = interfaces::of_lone_party(call, party, &context, bench);
    let protocol = options.transport_protocol;
    let protocol = protocol.map_or(Protocol::RtpAvp, |wanted| {
        Protocol::from_name(wanted.as_str())
    });
    if protocol.is_secure() {
        // Keys are not ours to make.
        return Err(Refusal::NotCreated);
    }
    let wanted = wanted(options);
    for (index, (kind, _)) in wanted.iter().enumerate() {
        let name = MediaRef { party, index };
        let mut media = call.take_media(name, bench.now);
        media.kind.clone_from(kind);
        media.protocol = protocol.clone();
        media.signalled += 1;
        media.relayed = true;
        media.rejected = false;
        media.family = exchange::wanted_family(&context).unwrap_or(media.family);
        media.learning = bench.settings.endpoint_learning;
        media.rtcp_mux = options.rtcp_mux.offer || options.rtcp_mux.require;
        media.expect(true, true, bench.now);
        bench.ledger.provide(&mut media, interface, None, false)?;
        call.put_media(name, media);
    }
    let party = call.party_mut(party).ok_or(Refusal::NotCreated)?;
    for media in party.medias.iter_mut().skip(wanted.len()) {
        media.rejected = true;
        media.drop_ports();
    }
    let mut blank = Blank::new(party, bench)?;
    for (kind, formats) in &wanted {
        let numbers: Vec<String> = formats
            .iter()
            .map(|format| format.number.to_string())
            .collect();
        let numbers = if numbers.is_empty() {
            vec!["0".to_owned()]
        } else {
            numbers
        };
        let attributes = formats.iter().flat_map(Format::attributes);
        let direction = ["sendrecv".to_owned()];
        blank.section(kind, &protocol, &numbers, attributes.chain(direction));
    }
    blank.write(party, Role::Offer, request, bench)
}

/// A codec under its number.
struct Format {
    number: u8,
    /// As in `a=rtpmap`.
    encoding: String,
}

impl Format {
    fn attributes(&self) -> Vec<String> {
        let Self { number, encoding } = self;
        let mut attributes = vec![format!("rtpmap:{number} {encoding}")];
        if encoding.starts_with("opus/") {
            attributes.push(format!("fmtp:{number} useinbandfec=1"));
        }
        attributes
    }
}

/// The sections that are asked for, by the word after `m=`, and their codecs.
fn wanted(options: &Options) -> Vec<(String, Vec<Format>)> {
    let text = |name: &bytes::Bytes| String::from_utf8_lossy(name).into_owned();
    let offer: Vec<String> = options.codecs.offer.iter().map(text).collect();
    let usual = |kind: &str| match kind {
        "audio" if offer.is_empty() => vec!["PCMU".to_owned(), "PCMA".to_owned()],
        "audio" => offer.clone(),
        _ => Vec::new(),
    };
    let section = |kind: &str, codecs: Vec<String>| {
        let codecs = if codecs.is_empty() {
            usual(kind)
        } else {
            codecs
        };
        (kind.to_owned(), formats(kind, &codecs))
    };
    if options.medias.is_empty() {
        return vec![section("audio", Vec::new())];
    }
    let medias = options.medias.iter().map(|media| {
        let kind = media.kind.as_ref().map_or_else(|| "audio".to_owned(), text);
        let is_word = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let kind = if is_word { kind } else { "audio".to_owned() };
        section(&kind, media.codecs.iter().map(text).collect())
    });
    medias.collect()
}

/// Gives codecs their numbers; those that cannot stand in an SDP are left out.
fn formats(kind: &str, codecs: &[String]) -> Vec<Format> {
    let mut next = DYNAMIC;
    let mut formats = Vec::new();
    for codec in codecs {
        let is_token = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'+')
        };
        if codec.is_empty() || !codec.bytes().all(is_token) {
            continue;
        }
        let encoding = match (codec.contains('/'), kind) {
            (true, _) => codec.clone(),
            (false, _) if codec.eq_ignore_ascii_case("opus") => "opus/48000/2".to_owned(),
            (false, "audio") => format!("{codec}/8000"),
            (false, _) => format!("{codec}/90000"),
        };
        let fixed = sdp::static_number(&encoding);
        let number = fixed.unwrap_or(next);
        if fixed.is_none() {
            if next == 127 {
                break;
            }
            next += 1;
        }
        formats.push(Format { number, encoding });
    }
    formats
}

/// Takes in what the party answered.
fn answer(
    call: &mut Call,
    party: PartyId,
    session: &Session,
    request: &Request,
    bench: &mut Bench<'_>,
) -> Result<(), Refusal> {
    let context = bench.context(Role::Answer, request, session);
    let offered = call.party(party).map_or(0, |party| party.medias.len());
    if session.medias.is_empty() || session.medias.len() > offered {
        return Err(Refusal::NotPerformed);
    }
    for (index, section) in session.medias.iter().enumerate() {
        let name = MediaRef { party, index };
        let mut media = call.take_media(name, bench.now);
        let was_offered = !media.rejected;
        let was_muxed = media.rtcp_mux;
        media.signalled += 1;
        exchange::take_in(&mut media, section, None, &context);
        media.rejected |= !was_offered;
        media.rtcp_mux &= was_muxed;
        media.public = true;
        if media.rejected {
            media.drop_ports();
        } else {
            media.settle_ports();
        }
        call.put_media(name, media);
    }
    if let (Some(party), Some(body)) = (call.party_mut(party), &request.sdp) {
        party.said = copy(body);
    }
    Ok(())
}
