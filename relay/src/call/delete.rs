//! `delete`: whom it means, and when it takes effect.

use bytes::Bytes;
use ng_protocol::{Reply, Request};

use super::graph::{Call, is_due};
use super::party::PartyId;
use super::{Calls, Ending, Refusal, Timestamp, query};
use crate::plan::{Action, StreamReader};

/// What a `delete` takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selection {
    Call,
    Party(PartyId),
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
        let selected = self.calls.get_mut(id).and_then(|active| {
            let selection = select(&active.call, request)?;
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
            query::describe(&active.call, streams, reply.dict_mut());
        }
        let delay = request.options.delete_delay.map(u64::from);
        let delay = delay.unwrap_or(self.settings.delete_delay);
        let at = now.monotonic_ms.saturating_add(delay.saturating_mul(1000));
        mark(&mut active.call, selection, at);
        active.alive_until_ms = 0;
        self.changes.note(active.call.key, id);
        if delay > 0 {
            return Ok((reply, Vec::new()));
        }
        let actions = self.sweep(id, now, streams);
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
        active.serving.follow(&active.call, &self.settings)
    }
}

/// Marks what is to go, and every party that is left without a partner. If nobody remains, it is the whole call.
fn mark(call: &mut Call, selection: Selection, at: u64) {
    let Selection::Party(party) = selection else {
        call.delete_at = Some(at);
        return;
    };
    let is_going = |call: &Call, id| call.party(id).is_none_or(|party| party.delete_at.is_some());
    let mut going = vec![party];
    while let Some(id) = going.pop() {
        if let Some(party) = call.party_mut(id) {
            party.delete_at = Some(at);
        }
        let peers: Vec<PartyId> = call.peers(id).collect();
        let left_alone = peers.into_iter().filter(|peer| {
            !is_going(call, *peer) && call.peers(*peer).all(|other| is_going(call, other))
        });
        going.extend(left_alone);
    }
    let everybody = call.parties().all(|(_, party)| party.delete_at.is_some());
    if everybody {
        call.delete_at = Some(at);
    }
}

/// A to-tag counts only with the flag `to-tag`. Either side's tag may stand in from-tag: the callee hangs up, too.
fn select(call: &Call, request: &Request) -> Option<Selection> {
    let present = |name: &Option<Bytes>| name.clone().filter(|name| !name.is_empty());
    let Some(from_tag) = present(&request.from_tag) else {
        return Some(Selection::Call);
    };
    let to_tag = present(&request.to_tag).filter(|_| request.options.flags.to_tag);
    let on_branch = present(&request.via_branch).and_then(|branch| call.party_by_branch(&branch));
    if to_tag.is_none()
        && let Some(party) = on_branch
    {
        return Some(Selection::Party(party));
    }
    let tag = to_tag.as_ref().unwrap_or(&from_tag);
    let unanswered = || {
        let offerer = call.party_by_tag(&from_tag)?;
        let mut peers = call.peers(offerer);
        let only = peers.next().filter(|_| peers.next().is_none())?;
        call.party(only)?.tag.is_none().then_some(offerer)
    };
    call.party_by_tag(tag)
        .or(on_branch)
        .or_else(unanswered)
        .map(Selection::Party)
}
