//! `subscribe request`, `subscribe answer`, `unsubscribe`: a party that hears others, and sends nothing unless it is to be
//! heard by them (`bidirectional`).

use bytes::Bytes;
use ng_protocol::{Dict, Reply, Request, Value};

use super::bench::Bench;
use super::compose::{self, Section};
use super::exchange::{self, Context, Role};
use super::graph::Call;
use super::media::Media;
use super::party::{Party, PartyId};
use super::select::{self, present};
use super::statistics::integer;
use super::subscription::MediaRef;
use super::{Calls, Refusal, Timestamp, copy, dialogue, extmap, interfaces, rewrite};
use crate::datapath::PayloadTypes;
use crate::plan::{Action, PortSource};
use crate::sdp::{self, MediaChange, Session};

/// A section that a subscriber is offered, and whose it is.
struct Offered {
    source: MediaRef,
    media: sdp::Media,
    /// Of the sessions, the one it is from.
    session: usize,
}

impl Calls {
    /// Makes a subscriber, or changes what it hears, and offers it what the sources have said they send.
    pub(super) fn subscribe_request(
        &mut self,
        request: &Request,
        now: Timestamp,
        ports: &mut dyn PortSource,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let id = request.call_id.as_ref().ok_or(Refusal::NoCallId)?;
        let active = self.get(id).ok_or(Refusal::NoSuchCalls)?;
        let call = active.call.clone();
        let sources = select::parties(&call, request)?;
        let tag = present(request.to_tag.as_ref());
        let tag = tag.filter(|_| !request.options.by_rtpp_flags || request.options.flags.to_tag);
        let tag = self.given_or_made_up(tag);
        let (reply, actions) = self.work(id, call, now, ports, |call, bench| {
            let subscriber = subscriber(call, &tag, &sources, request, bench)?;
            offer(call, subscriber, &sources, request, bench)
        })?;
        Ok((reply.with("to-tag", tag), actions))
    }

    /// Where a subscriber wants to hear what it was offered.
    pub(super) fn subscribe_answer(
        &mut self,
        request: &Request,
        now: Timestamp,
        ports: &mut dyn PortSource,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let id = request.call_id.as_ref().ok_or(Refusal::NoCallId)?;
        let active = self.get(id).ok_or(Refusal::NoSuchCall)?;
        let body = present(request.sdp.as_ref());
        let session = body.map(sdp::parse).transpose()?;
        let tag = present(request.to_tag.as_ref()).ok_or(Refusal::NoToTag)?;
        let session = session.ok_or(Refusal::NoSdp)?;
        let call = active.call.clone();
        let subscriber = call.party_by_tag(tag).ok_or(Refusal::UnknownToTag)?;
        let ((), actions) = self.work(id, call, now, ports, |call, bench| {
            answer(call, subscriber, &session, request, bench)
        })?;
        Ok((Reply::ok(), actions))
    }

    /// Ends what a party hears: all of it, or with `directional` what it hears of one party. Who was there to listen alone is gone
    /// then, with its ports.
    pub(super) fn unsubscribe(
        &mut self,
        request: &Request,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        self.change(request, |call| {
            let tag = present(request.to_tag.as_ref()).ok_or(Refusal::NoToTag)?;
            let sink = call.party_by_tag(tag).ok_or(Refusal::UnknownToTag)?;
            let from = present(request.from_tag.as_ref());
            let from = from.filter(|_| request.options.flags.directional);
            let known = |tag: &Bytes| call.party_by_tag(tag).ok_or(Refusal::NoSuchFromTag);
            let source = from.map(known).transpose()?;
            call.subscriptions.unsubscribe(sink, source);
            let is_deaf = call.subscriptions.source_parties(sink).is_empty();
            if is_deaf && call.party(sink).is_some_and(|party| party.is_subscriber) {
                call.remove_party(sink);
            }
            Ok(())
        })
    }
}

/// The subscriber of that tag, who hears nothing yet: a new one, or the one there is. Nobody else can be made one.
fn subscriber(
    call: &mut Call,
    tag: &Bytes,
    sources: &[PartyId],
    request: &Request,
    bench: &Bench<'_>,
) -> Result<PartyId, Refusal> {
    let id = match call.party_by_tag(tag) {
        None => dialogue::admit(call, Party::new(Some(tag), None, bench.now))?,
        Some(id) if call.party(id).is_some_and(|party| party.is_subscriber) => id,
        Some(_) => return Err(Refusal::NotRequested),
    };
    if sources.contains(&id) {
        return Err(Refusal::NotRequested);
    }
    call.subscriptions.unsubscribe(id, None);
    if let Some(party) = call.party_mut(id) {
        party.is_subscriber = true;
        party.delete_at = None;
        let label = present(request.options.set_label.as_ref());
        if let Some(label) = label.or(present(request.options.to_label.as_ref())) {
            party.label = Some(copy(label));
        }
    }
    Ok(id)
}

/// Subscribes to every media of the sources, and describes them to the subscriber.
fn offer(
    call: &mut Call,
    subscriber: PartyId,
    sources: &[PartyId],
    request: &Request,
    bench: &mut Bench<'_>,
) -> Result<Reply, Refusal> {
    let flags = &request.options.flags;
    let sessions = sessions(call, sources);
    let offered = offered(&sessions);
    if offered.is_empty() {
        return Err(Refusal::NoBody);
    }
    // What becomes of a source: whether it is heard, and hears.
    let ways = |source: Option<&Media>| {
        let live = source.filter(|media| !media.rejected && !flags.inactive);
        let hears = live.is_some_and(|media| media.sends && flags.bidirectional);
        (live.is_some_and(|media| media.receives), hears)
    };
    let direction = |source| {
        let (is_heard, hears) = ways(call.media(source));
        sdp::Direction::new(is_heard, hears).as_str()
    };
    let sections: Vec<_> = offered
        .iter()
        .enumerate()
        .map(|(index, section)| Section {
            session: &sessions[section.session].1,
            media: &section.media,
            label: flags.siprec.then_some(index),
            direction: Some(direction(section.source)),
        })
        .collect();
    let session = sdp::parse(&compose::together(&sections))?;
    let context = bench.context(Role::Offer, request, &session);
    let interface = interfaces::of_lone_party(call, subscriber, &context, bench);
    let mut changes = Vec::with_capacity(offered.len());
    for (index, (section, Offered { source, .. })) in
        session.medias.iter().zip(&offered).enumerate()
    {
        let sink = MediaRef {
            party: subscriber,
            index,
        };
        let mut sender = call.media(*source).cloned().ok_or(Refusal::NotRequested)?;
        let mut media = call.take_media(sink, bench.now);
        media.signalled += 1;
        exchange::propose(
            &mut sender,
            &mut media,
            section,
            &context,
            &mut bench.warnings,
        );
        extmap::negotiate(&mut sender, &mut media, section, &context);
        media.rejected |= !sender.relayed || !section.can_be_relayed();
        if media.rejected {
            media.drop_ports();
            changes.push(MediaChange::Rejected);
        } else {
            let (is_heard, hears) = ways(Some(&sender));
            media.expect(hears, is_heard, bench.now);
            bench.ledger.provide(&mut media, interface, None, false)?;
            media.settle_ports();
            changes.push(compose::change(
                &sender, &mut media, None, index, section, &context,
            ));
            call.subscriptions.subscribe(*source, sink);
            if flags.bidirectional || flags.mirror_rtcp {
                let rtcp_only = !flags.bidirectional;
                call.subscriptions.answer_back(*source, sink, rtcp_only);
            }
        }
        call.put_media(sink, media);
    }
    let reply = describe(call, &offered, request);
    let party = call.party_mut(subscriber).ok_or(Refusal::NotRequested)?;
    for media in party.medias.iter_mut().skip(offered.len()) {
        media.rejected = true;
        media.drop_ports();
    }
    let body = compose::fitting(rewrite::body(party, changes, bench.instance, &context))?;
    // What it is sent is what it is offered, which may be less than the source says.
    let written = sdp::parse(&body)?;
    for (media, section) in party.medias.iter_mut().zip(&written.medias) {
        media.payload_types = exchange::payload_types(section);
    }
    Ok(reply.with("sdp", body))
}

/// What each source said last; those that have said nothing are left out.
fn sessions(call: &Call, sources: &[PartyId]) -> Vec<(PartyId, Session)> {
    let said = |id: &PartyId| {
        let said = &call.party(*id)?.said;
        // It was read once, so it can be read again.
        Some((*id, sdp::parse(said).ok()?))
    };
    sources.iter().filter_map(said).collect()
}

/// Every section of these sessions.
fn offered(sessions: &[(PartyId, Session)]) -> Vec<Offered> {
    let sections = sessions
        .iter()
        .enumerate()
        .flat_map(|(session, (party, said))| {
            let sections = said.medias.iter().enumerate();
            sections.map(move |(index, media)| Offered {
                source: MediaRef {
                    party: *party,
                    index,
                },
                media: media.clone(),
                session,
            })
        });
    sections.collect()
}

/// Whose the sections are.
fn describe(call: &Call, offered: &[Offered], request: &Request) -> Reply {
    let tag_of = |party: PartyId| {
        let tag = call.party(party).and_then(|party| party.tag.clone());
        tag.unwrap_or_default()
    };
    let mut reply = Reply::ok();
    let first = offered.first().map(|section| section.source.party);
    if let Some(party) =
        first.filter(|first| offered.iter().all(|section| section.source.party == *first))
    {
        reply = reply.with("from-tag", tag_of(party));
    }
    // The sections of one party stand together.
    let of_parties = || {
        let mut first = 0;
        offered
            .chunk_by(|one, next| one.source.party == next.source.party)
            .map(move |sections| {
                let labels = first..;
                first += sections.len();
                (sections[0].source.party, labels.zip(sections))
            })
    };
    if request.options.flags.siprec {
        let (mut tags, mut labels) = (Vec::new(), Dict::new());
        for (party, sections) in of_parties() {
            let label = call.party(party).and_then(|party| party.label.clone());
            let mut about = Dict::new();
            about.insert("tag", tag_of(party));
            if let Some(label) = &label {
                about.insert("label", label.clone());
            }
            let mut medias = Vec::new();
            for (number, Offered { source, media, .. }) in sections {
                let index = integer(source.index as u64 + 1);
                let kind = media.kind.as_str().to_owned();
                let mode = mode(call.media(*source));

                let mut section = Dict::new();
                section.insert("index", index);
                section.insert("type", kind.clone());
                section.insert("label", number.to_string());
                section.insert("mode", mode);
                medias.push(Value::from(section));

                let mut section = Dict::new();
                section.insert("tag", tag_of(party));
                section.insert("index", index);
                section.insert("type", kind);
                if let Some(label) = &label {
                    section.insert("label", label.clone());
                }
                section.insert("mode", mode);
                labels.push(number.to_string().into(), section);
            }
            about.insert("medias", medias);
            tags.push(Value::from(about));
        }
        reply = reply.with("tag-medias", tags).with("media-labels", labels);
    }
    let tags = of_parties().map(|(party, _)| Value::from(tag_of(party)));
    reply.with("from-tags", tags.collect::<Vec<_>>())
}

/// What we do about a media, as SDP says it.
fn mode(media: Option<&Media>) -> &'static str {
    match media.map_or((false, false), |media| (media.sends, media.receives)) {
        (true, true) => "sendrecv",
        (true, false) => "sendonly",
        (false, true) => "recvonly",
        (false, false) => "inactive",
    }
}

/// Takes in where the subscriber receives. It cannot choose among codecs, for it is sent what the others hear; with `allow-transcoding`
/// it may leave out some, which it is not sent then.
fn answer(
    call: &mut Call,
    subscriber: PartyId,
    session: &Session,
    request: &Request,
    bench: &mut Bench<'_>,
) -> Result<(), Refusal> {
    let context = bench.context(Role::Answer, request, session);
    let sections = call.party(subscriber).map_or(0, |party| party.medias.len());
    if session.medias.is_empty() || session.medias.len() > sections {
        return Err(Refusal::NotAnswered);
    }
    for (index, section) in session.medias.iter().enumerate() {
        let name = MediaRef {
            party: subscriber,
            index,
        };
        let mut media = call.take_media(name, bench.now);
        let was_offered = (!media.rejected).then_some(media.payload_types);
        let is_heard = call.subscriptions.is_heard_back(name);
        hear(&mut media, section, is_heard, &context);
        let rejected = media.rejected || was_offered.is_none();
        if let Some(offered) = was_offered.filter(|_| !rejected) {
            let left_out = offered.without(media.payload_types);
            let nothing = left_out == offered && offered != PayloadTypes::NONE;
            let is_complete = left_out == PayloadTypes::NONE;
            if nothing || !(is_complete || request.options.flags.allow_transcoding) {
                return Err(Refusal::NotAnswered);
            }
        } else {
            media.rejected = true;
            media.drop_ports();
        }
        call.put_media(name, media);
    }
    if let (Some(party), Some(body)) = (call.party_mut(subscriber), &request.sdp) {
        party.said = copy(body);
    }
    Ok(())
}

/// Takes in a section of the answer.
fn hear(media: &mut Media, section: &sdp::Media, is_heard: bool, context: &Context<'_>) {
    media.signalled += 1;
    let was_muxed = media.rtcp_mux;
    exchange::take_in(media, section, None, context);
    media.rtcp_mux &= was_muxed;
    media.expect(is_heard && media.receives, media.sends, context.now);
    media.public = true;
    media.settle_ports();
}
