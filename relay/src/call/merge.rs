//! Two calls that become one: parties of both can be connected then, and both call-ids name it.

use std::collections::BTreeMap;

use bytes::Bytes;
use ng_protocol::Reply;

use super::graph::Call;
use super::party::PartyId;
use super::{Active, Calls, Refusal, Timestamp, copy};
use crate::plan::Action;

impl Calls {
    /// Changes calls that are known, as one. If that fails, each is as it was.
    pub(super) fn change_together(
        &mut self,
        ids: &[&Bytes],
        unknown: Refusal,
        now: Timestamp,
        change: impl FnOnce(&mut Call) -> Result<(), Refusal>,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let mut names: Vec<Bytes> = Vec::new();
        for id in ids {
            let name = copy(self.name_of_id(id));
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let known: Option<Vec<&Active>> = names.iter().map(|name| self.calls.get(name)).collect();
        let known = known.ok_or(unknown)?;
        let [first, others @ ..] = &known[..] else {
            return Err(unknown);
        };
        let mut call = first.call.clone();
        for (name, other) in names.iter().skip(1).zip(others) {
            call.take_in(&other.call, name)?;
        }
        change(&mut call)?;
        call.check_size()?;
        let [name, others @ ..] = &names[..] else {
            return Err(unknown);
        };
        let mut moved = Vec::new();
        for other in others {
            moved.extend(self.absorb(name, other, now));
        }
        let actions = self.commit(name, call);
        moved.extend(actions);
        Ok((Reply::ok(), moved))
    }

    /// The call-id that a call goes by here, which may be another of its own.
    pub(super) fn name_of_id<'a>(&'a self, id: &'a Bytes) -> &'a Bytes {
        self.aliases.get(id).unwrap_or(id)
    }

    /// The call that a call-id names.
    pub(super) fn get(&self, id: &Bytes) -> Option<&Active> {
        self.calls.get(self.name_of_id(id))
    }

    /// Hands the streams of one call over to another; its call-ids name that one from now on.
    fn absorb(&mut self, name: &Bytes, other: &Bytes, now: Timestamp) -> Vec<Action> {
        let Some(absorbed) = self.calls.remove(other) else {
            return Vec::new();
        };
        // What is recorded from now on is recorded as the other's.
        let recorded = self.last_of_recording(&absorbed.call, now);
        self.changes.end(absorbed.call.key);
        for alias in self.aliases.values_mut().filter(|alias| *alias == other) {
            *alias = name.clone();
        }
        self.aliases.insert(other.clone(), name.clone());
        let into = self.calls.get_mut(name).map(|into| Action::Move {
            call: into.call.key,
            pairs: into.serving.absorb(absorbed.serving),
        });
        recorded.into_iter().chain(into).collect()
    }

    /// Lets go of call-ids that no party is of any more. The call goes by one that is left.
    pub(super) fn forget_ids(&mut self, name: &Bytes) {
        let Some(active) = self.calls.get(name) else {
            self.aliases.retain(|_, alias| alias != name);
            return;
        };
        let is_left = |id: &Bytes| {
            let mut parties = active.call.parties();
            parties.any(|(_, party)| party.call_id.as_ref().unwrap_or(name) == id)
        };
        let left: Vec<Bytes> = self
            .aliases
            .iter()
            .filter(|(id, alias)| *alias == name && is_left(id))
            .map(|(id, _)| id.clone())
            .collect();
        let stays = is_left(name) || left.is_empty();
        self.aliases
            .retain(|id, alias| alias != name || left.contains(id));
        if stays {
            return;
        }
        let (Some(heir), Some(mut active)) = (left.into_iter().next(), self.calls.remove(name))
        else {
            return;
        };
        self.aliases.remove(&heir);
        for alias in self.aliases.values_mut().filter(|alias| *alias == name) {
            *alias = heir.clone();
        }
        for party in active.call.parties_mut() {
            party.call_id.take_if(|id| *id == heir);
        }
        self.changes.rename(active.call.key, &heir);
        self.recordings.rename(name, &heir);
        self.calls.insert(heir, active);
    }
}

impl Call {
    /// Takes in the parties of another call, which go on among themselves as before.
    fn take_in(&mut self, other: &Call, id: &Bytes) -> Result<(), Refusal> {
        let mut ids = BTreeMap::new();
        for (before, party) in other.parties() {
            let mut tags = party.tag.iter().chain(&party.aliases);
            if tags.any(|tag| self.party_by_tag(tag).is_some()) {
                return Err(Refusal::TagCollision);
            }
            let mut party = party.clone();
            party.call_id.get_or_insert_with(|| copy(id));
            ids.insert(before, self.add_party(party));
        }
        let renamed = |party: PartyId| ids.get(&party).copied().unwrap_or(party);
        self.subscriptions.take_in(&other.subscriptions, renamed);
        for (one, two) in other.dialogues() {
            self.associate(renamed(one), renamed(two));
        }
        Ok(())
    }
}
