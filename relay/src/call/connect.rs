//! `connect`, `mesh`, `inject start`, `inject stop`: media of parties that no offer and answer has brought together.

use bytes::Bytes;
use ng_protocol::{Command, Reply, Request};

use super::graph::Call;
use super::media::Media;
use super::party::{Party, PartyId};
use super::select::{self, present};
use super::subscription::{Kind, MediaRef};
use super::{Calls, Refusal, Timestamp, copy, dialogue};
use crate::plan::Action;

impl Calls {
    /// Connects parties to another: they talk to each other and to nobody else, or with `directional` it hears them, too. One
    /// that is not there is made, and has no media yet to be connected.
    pub(super) fn connect(
        &mut self,
        request: &Request,
        now: Timestamp,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let id = request.call_id.as_ref().ok_or(Refusal::NoCallId)?;
        let other = present(request.options.to_call_id.as_ref());
        let names: Vec<&Bytes> = [id].into_iter().chain(other).collect();
        // Whose call goes by another name than the one it came with says so.
        let home = other.filter(|other| self.name_of_id(id) != *other);
        let home = home.map(copy);
        self.change_together(&names, Refusal::NothingToConnect, now, |call| {
            let flags = &request.options.flags;
            let sources = select::parties(call, request)?;
            let tag = present(request.to_tag.as_ref()).ok_or(Refusal::NoToTag)?;
            let sink = match call.party_by_tag(tag) {
                Some(sink) => sink,
                None => {
                    let mut party = Party::new(Some(tag), None, now);
                    party.call_id = home;
                    dialogue::admit(call, party)?
                }
            };
            if sources.contains(&sink) {
                return Err(Refusal::InvalidDialogue);
            }
            if flags.unsubscribe {
                call.subscriptions.unsubscribe(sink, None);
            }
            for source in sources {
                if flags.directional && !flags.bidirectional {
                    lead(call, source, sink);
                } else {
                    couple(call, source, sink);
                }
            }
            Ok(())
        })
    }

    /// Makes parties hear each other, of one call or of several, as a list says.
    pub(super) fn mesh(
        &mut self,
        request: &Request,
        now: Timestamp,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let options = &request.options;
        let names: Vec<&Bytes> = request.call_id.iter().chain(&options.calls).collect();
        if names.is_empty() {
            return Err(Refusal::NoCallId);
        }
        self.change_together(&names, Refusal::NothingToConnect, now, |call| {
            for flows in &options.tags {
                let source = call.party_by_tag(&flows.from);
                let source = source.ok_or(Refusal::NoSuchFromTag)?;
                for tag in &flows.to {
                    let sink = call.party_by_tag(tag).ok_or(Refusal::UnknownToTag)?;
                    if sink != source {
                        lead(call, source, sink);
                        if options.flags.bidirectional {
                            lead(call, sink, source);
                        }
                    }
                }
            }
            Ok(())
        })
    }

    /// Lets a party be heard by another that hears nobody; sound would have to be mixed otherwise.
    pub(super) fn inject(
        &mut self,
        request: &Request,
        now: Timestamp,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let id = request.call_id.as_ref().ok_or(Refusal::NoCallId)?;
        let to_tag = present(request.to_tag.as_ref()).ok_or(Refusal::NoToTag)?;
        let source_tag = present(request.options.source_tag.as_ref());
        let source_tag = source_tag.ok_or(Refusal::NoSourceTag)?;
        let other = present(request.options.source_call_id.as_ref());
        let names: Vec<&Bytes> = [id].into_iter().chain(other).collect();
        self.change_together(&names, Refusal::NoSuchCalls, now, |call| {
            let sink = call.party_by_tag(to_tag).ok_or(Refusal::UnknownToTag)?;
            let source = call.party_by_tag(source_tag);
            let source = source.ok_or(Refusal::UnknownSourceTag)?;
            if sink == source {
                return Err(Refusal::InjectsItself);
            }
            if request.command == Command::InjectStop {
                let heard = call.subscriptions.source_parties(sink);
                if !heard.contains(&(source, Kind::PubSub)) {
                    return Err(Refusal::NotInjected);
                }
                call.subscriptions.unsubscribe(sink, Some(source));
                return Ok(());
            }
            if !call.subscriptions.source_parties(sink).is_empty() {
                return Err(Refusal::Unsupported);
            }
            lead(call, source, sink);
            Ok(())
        })
    }
}

/// Makes two parties talk to each other and to nobody else.
fn couple(call: &mut Call, one: PartyId, other: PartyId) {
    for (one, other) in matching(call, one, other) {
        call.subscriptions.pair(one, other);
    }
    for party in [one, other] {
        if let Some(party) = call.party_mut(party) {
            party.is_subscriber = false;
        }
    }
}

/// Makes one party hear another.
fn lead(call: &mut Call, source: PartyId, sink: PartyId) {
    for (source, sink) in matching(call, source, sink) {
        call.subscriptions.subscribe(source, sink);
    }
}

/// Medias of two parties that can be connected: of one kind, the one at the same place before others.
fn matching(call: &Call, one: PartyId, other: PartyId) -> Vec<(MediaRef, MediaRef)> {
    let medias = |party| {
        let medias = call.party(party).map_or(&[][..], |party| &party.medias);
        medias.iter().enumerate()
    };
    let served: Vec<_> = medias(other)
        .filter(|(_, media)| media.ports().is_some())
        .collect();
    let at = |place: usize| {
        let found = served.binary_search_by_key(&place, |(place, _)| *place);
        found.ok().and_then(|found| served.get(found))
    };
    let mut pairs = Vec::new();
    for (index, media) in medias(one).filter(|(_, media)| media.ports().is_some()) {
        let is_alike = |(_, other): &&(usize, &Media)| other.kind == media.kind;
        let same_place = at(index).filter(is_alike);
        if let Some((place, _)) = same_place.or_else(|| served.iter().find(is_alike)) {
            let [one, other] =
                [(one, index), (other, *place)].map(|(party, index)| MediaRef { party, index });
            pairs.push((one, other));
        }
    }
    pairs
}
