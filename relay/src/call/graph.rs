//! A call: parties, their medias, and the subscriptions between them. Values only; nothing here has effects.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::blocks::Blocks;
use super::dtmf::StarCodes;
use super::media::Media;
use super::party::{Party, PartyId};
use super::recording::Running;
use super::subscription::{Kind, MediaRef, Subscriptions};
use super::{Refusal, Timestamp};
use crate::plan::{CallKey, PortPair, StreamId};

/// Bound what clients can make of one call: every command works through all of it.
const MAX_MEDIAS: usize = 1024;
const MAX_SUBSCRIPTIONS: usize = 8192;

/// A call as signalling has made it. A command works on a copy, which takes the place of the original if it succeeds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Call {
    pub(super) key: CallKey,
    pub(super) created: Timestamp,
    pub(super) last_signal: Timestamp,
    /// When a `delete` takes effect, monotonic ms.
    pub(super) delete_at: Option<u64>,
    /// The TOS byte or traffic class that was asked for, if not the configured one.
    pub(super) tos: Option<u8>,
    pub(super) metadata: Option<Bytes>,
    /// All that is said of it is logged.
    pub(super) debug: bool,
    /// `xmlrpc-callback`: who is told when it times out.
    pub(super) callback: Option<IpAddr>,
    /// `dtmf-log-dest`: who is told of digits.
    pub(super) dtmf_log: Option<SocketAddr>,
    /// What is held back of what anybody sends.
    pub(super) blocks: Blocks,
    /// Those of its own, in place of configured ones.
    pub(super) star_codes: StarCodes,
    pub(super) recording: Option<Running>,
    /// `start forwarding`: a state that is kept and shown.
    pub(super) forwarding: bool,
    pub(super) subscriptions: Subscriptions,
    parties: BTreeMap<PartyId, Party>,
    /// Who was ever offered to whom. Unlike subscriptions these outlive the choice of another branch.
    dialogues: BTreeSet<(PartyId, PartyId)>,
    next_party: u32,
}

/// What stands for whatever a snapshot of another version does not say.
impl Default for Call {
    fn default() -> Self {
        Self::new(CallKey(0), Timestamp::default())
    }
}

impl Call {
    pub(super) fn new(key: CallKey, now: Timestamp) -> Self {
        Self {
            key,
            created: now,
            last_signal: now,
            delete_at: None,
            tos: None,
            metadata: None,
            debug: false,
            callback: None,
            dtmf_log: None,
            blocks: Blocks::default(),
            star_codes: StarCodes::default(),
            recording: None,
            forwarding: false,
            subscriptions: Subscriptions::default(),
            parties: BTreeMap::new(),
            dialogues: BTreeSet::new(),
            next_party: 0,
        }
    }

    /// Refuses a call that has become larger than calls may be.
    pub(super) fn check_size(&self) -> Result<(), Refusal> {
        let medias: usize = self.parties.values().map(|party| party.medias.len()).sum();
        if medias > MAX_MEDIAS {
            return Err(Refusal::TooManyMedias);
        }
        if self.subscriptions.len() > MAX_SUBSCRIPTIONS {
            return Err(Refusal::TooManySubscriptions);
        }
        Ok(())
    }

    pub(super) fn add_party(&mut self, party: Party) -> PartyId {
        let id = PartyId(self.next_party);
        self.next_party += 1;
        self.parties.insert(id, party);
        id
    }

    /// Every party, to be changed.
    pub(super) fn parties_mut(&mut self) -> impl Iterator<Item = &mut Party> {
        self.parties.values_mut()
    }

    /// Every party under its name, to be changed.
    pub(super) fn parties_by_id_mut(&mut self) -> impl Iterator<Item = (PartyId, &mut Party)> {
        self.parties.iter_mut().map(|(id, party)| (*id, party))
    }

    /// In order of appearance.
    pub(super) fn parties(&self) -> impl Iterator<Item = (PartyId, &Party)> {
        self.parties.iter().map(|(id, party)| (*id, party))
    }

    pub(super) fn party(&self, id: PartyId) -> Option<&Party> {
        self.parties.get(&id)
    }

    pub(super) fn party_mut(&mut self, id: PartyId) -> Option<&mut Party> {
        self.parties.get_mut(&id)
    }

    pub(super) fn media(&self, media: MediaRef) -> Option<&Media> {
        self.party(media.party)?.medias.get(media.index)
    }

    /// Takes a media out to be changed, a new one if there is none yet. Goes with [`Self::put_media`].
    pub(super) fn take_media(&mut self, name: MediaRef, now: Timestamp) -> Media {
        let fresh = Media::new(now);
        match self.party_mut(name.party) {
            Some(party) => std::mem::replace(party.media_mut(name.index, now), fresh),
            None => fresh,
        }
    }

    /// Puts a media back in its place.
    pub(super) fn put_media(&mut self, name: MediaRef, media: Media) {
        let party = self.party_mut(name.party);
        if let Some(place) = party.and_then(|party| party.medias.get_mut(name.index)) {
            *place = media;
        }
    }

    /// The party that a tag or one of its aliases names.
    pub(super) fn party_by_tag(&self, tag: &[u8]) -> Option<PartyId> {
        self.find(|party| party.is_called(tag))
    }

    /// The party that was given a label; of several, the last.
    pub(super) fn party_by_label(&self, label: &[u8]) -> Option<PartyId> {
        let labelled = self.parties.iter().rev();
        let mut labelled = labelled.filter(|(_, party)| party.label.as_deref() == Some(label));
        labelled.next().map(|(id, _)| *id)
    }

    /// The first party that said it receives at an address.
    pub(super) fn party_by_address(&self, address: IpAddr) -> Option<PartyId> {
        self.find(|party| {
            let remotes = party.medias.iter().filter_map(|media| media.remote);
            remotes
                .map(|remote| remote.rtp.ip())
                .any(|known| known == address)
        })
    }

    /// The party that was offered on a branch.
    pub(super) fn party_by_branch(&self, branch: &[u8]) -> Option<PartyId> {
        self.find(|party| party.via_branch.as_deref() == Some(branch))
    }

    /// The party that a port faces.
    pub(super) fn party_at(&self, rtp: StreamId) -> Option<PartyId> {
        let mut medias = self.medias();
        let (name, _) =
            medias.find(|(_, media)| media.all_ports().any(|pair| pair.rtp.id == rtp))?;
        Some(name.party)
    }

    /// The first party that has not said its tag.
    pub(super) fn untagged_party(&self) -> Option<PartyId> {
        self.find(|party| party.tag.is_none())
    }

    fn find(&self, is_it: impl Fn(&Party) -> bool) -> Option<PartyId> {
        self.parties()
            .find(|(_, party)| is_it(party))
            .map(|(id, _)| id)
    }

    /// Every media with its name.
    pub(super) fn medias(&self) -> impl Iterator<Item = (MediaRef, &Media)> {
        self.parties().flat_map(|(party, value)| {
            let medias = value.medias.iter().enumerate();
            medias.map(move |(index, media)| (MediaRef { party, index }, media))
        })
    }

    /// The media whose ports one lies on: mostly its own.
    pub(super) fn carrier(&self, name: MediaRef) -> MediaRef {
        let carrier = self.media(name).and_then(|media| media.carrier);
        MediaRef {
            index: carrier.unwrap_or(name.index),
            ..name
        }
    }

    /// Every pair of ports the call holds.
    pub(super) fn ports(&self) -> impl Iterator<Item = &PortPair> {
        self.medias().flat_map(|(_, media)| media.all_ports())
    }

    /// Remembers that two parties belong to one dialogue.
    pub(super) fn associate(&mut self, one: PartyId, other: PartyId) {
        self.dialogues.insert((one.min(other), one.max(other)));
    }

    /// Every pair of parties that belongs to one dialogue.
    pub(super) fn dialogues(&self) -> impl Iterator<Item = (PartyId, PartyId)> {
        self.dialogues.iter().copied()
    }

    /// The parties that a party was ever in a dialogue with, first ones first.
    pub(super) fn peers(&self, party: PartyId) -> impl Iterator<Item = PartyId> {
        self.dialogues.iter().filter_map(move |&(one, other)| {
            if one == party {
                Some(other)
            } else {
                (other == party).then_some(one)
            }
        })
    }

    /// The peer that a party was offered to on a branch.
    pub(super) fn peer_on_branch(&self, party: PartyId, branch: &[u8]) -> Option<PartyId> {
        self.peers(party).find(|peer| {
            let peer = self.party(*peer);
            peer.is_some_and(|peer| peer.via_branch.as_deref() == Some(branch))
        })
    }

    /// The peer a party talks to now: one that offer and answer have paired it with, the first of several.
    pub(super) fn active_peer(&self, party: PartyId) -> Option<PartyId> {
        let paired = self.subscriptions.sink_parties(party).into_iter();
        let mut paired = paired.filter(|(_, kind)| *kind == Kind::OfferAnswer);
        let first = paired.next().map(|(party, _)| party);
        first.or_else(|| self.peers(party).last())
    }

    /// Whether it is time for a `delete` of the call, or of a party, to take effect.
    pub(super) fn has_due_delete(&self, now: Timestamp) -> bool {
        is_due(self.next_delete(), now)
    }

    /// When the next `delete` takes effect, of the call or of a party; monotonic ms.
    pub(super) fn next_delete(&self) -> Option<u64> {
        let parties = self.parties.values().map(|party| party.delete_at);
        std::iter::once(self.delete_at)
            .chain(parties)
            .flatten()
            .min()
    }

    /// Takes a party out with its medias, dialogues and subscriptions.
    pub(super) fn remove_party(&mut self, party: PartyId) {
        self.parties.remove(&party);
        self.subscriptions.remove_party(party);
        self.dialogues
            .retain(|(one, other)| *one != party && *other != party);
    }
}

/// Whether a time, monotonic ms, has come.
pub(super) fn is_due(at: Option<u64>, now: Timestamp) -> bool {
    at.is_some_and(|at| now.monotonic_ms >= at)
}
