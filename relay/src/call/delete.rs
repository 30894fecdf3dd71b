//! `delete`: whom it means, and when it takes effect.

use bytes::Bytes;
use ng_protocol::{Reply, Request};

use super::graph::{Call, is_due};
use super::party::{Party, PartyId};
use super::select::present;
use super::{Calls, Ending, Refusal, Timestamp, copy, query};
use crate::plan::{Action, StreamReader};

/// What a `delete` takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Selection {
    Call,
    Parties(Vec<PartyId>),
}

impl Calls {
    /// Replies with the statistics of the call as it is, and ends it, or a branch of it, after the delete delay.
    pub(super) fn delete(
        &mut self,
        request: &Request,
        now: Timestamp,
        streams: &dyn StreamReader,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let id = request.call_id.as_ref().ok_or(Refusal::NoCallId)?;
        let name = copy(self.name_of_id(id));
        let selected = self.calls.get_mut(&name).and_then(|active| {
            let selection = select(&active.call, id, *id == name, request)?;
            Some((active, selection))
        });
        let Some((active, selection)) = selected else {
            if request.options.flags.fatal {
                return Err(Refusal::NothingToDelete);
            }
            return Ok((
                Reply::ok().warning(Refusal::NothingToDelete.to_string()),
                Vec::new(),
            ));
        };
        let mut reply = Reply::ok();
        if !request.options.flags.fast {
            let tag = meant_tag(request);
            let codes = &self.settings.star_codes;
            query::describe(&active.call, tag, codes, streams, reply.dict_mut());
        }
        let delay = request.options.delete_delay.map(u64::from);
        let delay = delay.unwrap_or(self.settings.delete_delay);
        let at = now.monotonic_ms.saturating_add(delay.saturating_mul(1000));
        mark(&mut active.call, selection, at);
        active.alive_until_ms = 0;
        self.changes.note(active.call.key, &name);
        if delay > 0 {
            return Ok((reply, Vec::new()));
        }
        let actions = self.sweep(&name, now, streams);
        Ok((reply, actions))
    }

    /// Carries out the deletes of a call that are due.
    pub(super) fn sweep(
        &mut self,
        id: &Bytes,
        now: Timestamp,
        streams: &dyn StreamReader,
    ) -> Vec<Action> {
        let Some(active) = self.calls.get_mut(id) else {
            return Vec::new();
        };
        if is_due(active.call.delete_at, now) {
            return self.end(id, Ending::Deleted, now, streams);
        }
        let gone: Vec<PartyId> = active
            .call
            .parties()
            .filter(|(_, party)| is_due(party.delete_at, now))
            .map(|(id, _)| id)
            .collect();
        if gone.is_empty() {
            return Vec::new();
        }
        for party in gone {
            active.call.remove_party(party);
        }
        active.alive_until_ms = 0;
        self.changes.note(active.call.key, id);
        let actions = active.serving.follow(&active.call, &self.settings);
        self.forget_ids(id);
        actions
    }
}

/// Marks what is to go, and every party that is left without anybody. If nobody remains, it is the whole call.
fn mark(call: &mut Call, selection: Selection, at: u64) {
    let Selection::Parties(mut going) = selection else {
        call.delete_at = Some(at);
        return;
    };
    let is_going = |call: &Call, id| call.party(id).is_none_or(|party| party.delete_at.is_some());
    while let Some(id) = going.pop() {
        if let Some(party) = call.party_mut(id) {
            party.delete_at = Some(at);
        }
        let peers = call
            .peers(id)
            .filter(|peer| call.peers(*peer).all(|other| is_going(call, other)));
        // Who is there to listen alone goes with the last one it hears.
        let listeners = call
            .subscriptions
            .sink_parties(id)
            .into_iter()
            .map(|(sink, _)| sink);
        let listeners = listeners.filter(|sink| {
            let mut heard = call.subscriptions.source_parties(*sink).into_iter();
            let is_subscriber = call.party(*sink).is_some_and(|party| party.is_subscriber);
            is_subscriber && heard.all(|(source, _)| is_going(call, source))
        });
        let left_alone: Vec<PartyId> = peers.chain(listeners).collect();
        going.extend(
            left_alone
                .into_iter()
                .filter(|party| !is_going(call, *party)),
        );
    }
    let everybody = call.parties().all(|(_, party)| party.delete_at.is_some());
    if everybody {
        call.delete_at = Some(at);
    }
}

/// A to-tag counts only with the flag `to-tag`. Either side's tag may stand in from-tag: the callee hangs up, too.
fn select(call: &Call, id: &Bytes, is_first: bool, request: &Request) -> Option<Selection> {
    let Some(from_tag) = present(request.from_tag.as_ref()) else {
        return Some(of_id(call, id, is_first));
    };
    let to_tag = present(request.to_tag.as_ref()).filter(|_| request.options.flags.to_tag);
    let branch = present(request.via_branch.as_ref());
    let on_branch = branch.and_then(|branch| call.party_by_branch(branch));
    if to_tag.is_none()
        && let Some(party) = on_branch
    {
        return Some(Selection::Parties(vec![party]));
    }
    let unanswered = || {
        let offerer = call.party_by_tag(from_tag)?;
        let mut peers = call.peers(offerer);
        let only = peers.next().filter(|_| peers.next().is_none())?;
        call.party(only)?.tag.is_none().then_some(offerer)
    };
    call.party_by_tag(to_tag.unwrap_or(from_tag))
        .or(on_branch)
        .or_else(unanswered)
        .map(|party| Selection::Parties(vec![party]))
}

/// The whole call; of two that have become one, those that came with this call-id.
fn of_id(call: &Call, id: &Bytes, is_first: bool) -> Selection {
    let is_meant = |party: &Party| match &party.call_id {
        Some(of) => of == id,
        None => is_first,
    };
    if call.parties().all(|(_, party)| is_meant(party)) {
        return Selection::Call;
    }
    let parties = call.parties().filter(|(_, party)| is_meant(party));
    Selection::Parties(parties.map(|(id, _)| id).collect())
}

/// The tag that the reply is about; none: all of them.
fn meant_tag(request: &Request) -> Option<&Bytes> {
    let to_tag = present(request.to_tag.as_ref()).filter(|_| request.options.flags.to_tag);
    to_tag.or(present(request.from_tag.as_ref()))
}
