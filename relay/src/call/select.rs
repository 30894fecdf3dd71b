//! Whom a command means: a party by its label, address or tag, flows of it, the whole call.

use std::net::IpAddr;

use bytes::Bytes;
use ng_protocol::{All, Command, Request};

use super::graph::Call;
use super::party::PartyId;
use super::subscription::Kind;
use super::{Refusal, copy};

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The call as such.
    Call,
    /// The call, and each of its parties (`all=all`).
    Everybody,
    /// One party.
    Party(PartyId),
    /// Some of the flows that leave a party, or with `egress` that come to it.
    Flows(PartyId, Flows),
}

/// Some of the flows between a party and others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flows {
    /// Those to one party, or from it.
    To(PartyId),
    /// Those that were made in this way; `None`: in any way.
    Made(Option<Kind>),
}

impl Flows {
    pub(super) fn include(self, other: PartyId, kind: Kind) -> bool {
        match self {
            Self::To(party) => other == party,
            Self::Made(wanted) => wanted.is_none_or(|wanted| wanted == kind),
        }
    }
}

/// What a command is about that may mean a single party; with `by_flow`, single flows, too.
pub(super) fn target(call: &mut Call, request: &Request, by_flow: bool) -> Result<Target, Refusal> {
    if request.options.all == Some(All::All) {
        return Ok(Target::Everybody);
    }
    let Some(party) = party(call, request)? else {
        return Ok(Target::Call);
    };
    set_label(call, party, request);
    if !by_flow {
        return Ok(Target::Party(party));
    }
    let Some(flows) = flows(call, request)? else {
        return Ok(Target::Party(party));
    };
    let egress = request.options.flags.egress;
    let mut known = call.subscriptions.flows_of(party, egress);
    if known.any(|(other, edge)| flows.include(other, edge.kind)) {
        return Ok(Target::Flows(party, flows));
    }
    Err(match flows {
        Flows::To(_) => Refusal::NotSubscribed,
        Flows::Made(_) => Refusal::NoSubscriptions,
    })
}

/// The party that a command means; `None` if it names nobody.
pub(super) fn party(call: &Call, request: &Request) -> Result<Option<PartyId>, Refusal> {
    let options = &request.options;
    if let Some(label) = present(options.label.as_ref()) {
        let party = call.party_by_label(label);
        return party.map(Some).ok_or(Refusal::UnknownLabel);
    }
    if let Some(address) = present(options.address.as_ref()) {
        let address = parse_address(address).ok_or(Refusal::BadAddress)?;
        let party = call.party_by_address(address);
        return party.map(Some).ok_or(Refusal::UnknownAddress);
    }
    let Some(tag) = present(request.from_tag.as_ref()).filter(|_| heeds_from_tag(request)) else {
        return Ok(None);
    };
    let party = call.party_by_tag(tag);
    party.map(Some).ok_or(Refusal::UnknownFromTag)
}

/// A proxy that has its flags read here sends from-tag with every command: there it takes the flag `directional` to mean one party.
fn heeds_from_tag(request: &Request) -> bool {
    let may_mean_a_party = matches!(
        request.command,
        Command::BlockDtmf
            | Command::UnblockDtmf
            | Command::BlockMedia
            | Command::UnblockMedia
            | Command::StartForwarding
            | Command::StopForwarding
    );
    let options = &request.options;
    !may_mean_a_party || options.flags.directional || !options.by_rtpp_flags
}

fn flows(call: &Call, request: &Request) -> Result<Option<Flows>, Refusal> {
    if let Some(tag) = present(request.to_tag.as_ref()) {
        let party = call.party_by_tag(tag).ok_or(Refusal::FlowToUnknownTag)?;
        return Ok(Some(Flows::To(party)));
    }
    if let Some(label) = present(request.options.to_label.as_ref()) {
        let party = call.party_by_label(label);
        return Ok(Some(Flows::To(party.ok_or(Refusal::FlowToUnknownLabel)?)));
    }
    Ok(match request.options.all {
        Some(All::OfferAnswer) => Some(Flows::Made(Some(Kind::OfferAnswer))),
        Some(All::ExceptOfferAnswer) => Some(Flows::Made(Some(Kind::PubSub))),
        Some(All::Flows) => Some(Flows::Made(None)),
        Some(All::All | All::None) | None => None,
    })
}

/// `set-label`, for a party that was found.
fn set_label(call: &mut Call, party: PartyId, request: &Request) {
    let label = present(request.options.set_label.as_ref()).map(copy);
    if let (Some(label), Some(party)) = (label, call.party_mut(party)) {
        party.label = Some(label);
    }
}

/// Several parties that a command means, in the order it names them, each once: all that offer and answer have made, or one,
/// or those of `from-tags`, of which unknown ones are left out.
pub(super) fn parties(call: &Call, request: &Request) -> Result<Vec<PartyId>, Refusal> {
    if request.options.all == Some(All::All) {
        let everybody = call
            .parties()
            .filter(|(id, _)| call.peers(*id).next().is_some());
        let ids: Vec<PartyId> = everybody.map(|(id, _)| id).collect();
        return some(ids);
    }
    if let Some(party) = party(call, request)? {
        return Ok(vec![party]);
    }
    let mut ids = Vec::new();
    for tag in &request.options.from_tags {
        let found = call.party_by_tag(tag);
        ids.extend(found.filter(|party| !ids.contains(party)));
    }
    some(ids)
}

fn some(parties: Vec<PartyId>) -> Result<Vec<PartyId>, Refusal> {
    if parties.is_empty() {
        return Err(Refusal::NobodyMatched);
    }
    Ok(parties)
}

/// An empty name is none.
pub(super) fn present(name: Option<&Bytes>) -> Option<&Bytes> {
    name.filter(|name| !name.is_empty())
}

fn parse_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    text.trim().trim_matches(['[', ']']).parse().ok()
}
