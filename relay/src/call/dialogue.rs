//! Which two parties a command is about: tags, branches, forks.

use bytes::Bytes;

use super::graph::Call;
use super::party::{Party, PartyId};
use super::{Refusal, Timestamp, copy};

/// Bounds what a client can make of one call: parties in it, and tags of a party.
const MAX_PARTIES: usize = 256;
const MAX_ALIASES: usize = 64;

/// The two parties of an offer or answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialogue {
    /// Whose SDP the message carries.
    pub(super) sender: PartyId,
    /// Who will read it.
    pub(super) receiver: PartyId,
}

/// How an answer with a tag of its own is to be taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AnswerKind {
    /// Flag `new-branch`: another tag is always another party.
    pub(super) new_branch: bool,
    /// Flag `provisional`: another tag is never another party.
    pub(super) provisional: bool,
    /// The SIP reply is a final one.
    pub(super) is_final: bool,
    /// The party whose tag it is, too, by [`alias-key`](super::alias).
    pub(super) known_as: Option<PartyId>,
}

/// Finds or makes the parties of an offer.
///
/// A new tag is a new party. Without a to-tag that is known, the other side is the one offered on the same branch, else
/// the peer there is; a new branch, or a to-tag nobody has, is a further party with ports of its own.
pub(super) fn of_offer(
    call: &mut Call,
    from_tag: &Bytes,
    to_tag: Option<&Bytes>,
    via_branch: Option<&Bytes>,
    now: Timestamp,
) -> Result<Dialogue, Refusal> {
    if to_tag == Some(from_tag) {
        return Err(Refusal::InvalidDialogue);
    }
    let known_sender = call.party_by_tag(from_tag);
    let known_receiver = to_tag.and_then(|tag| call.party_by_tag(tag));

    let dialogue = match (known_sender, known_receiver) {
        (Some(sender), Some(receiver)) => Dialogue { sender, receiver },
        (None, Some(receiver)) => Dialogue {
            sender: half_open_peer(call, receiver, from_tag, via_branch)
                .unwrap_or_else(|| call.add_party(Party::new(Some(from_tag), None, now))),
            receiver,
        },
        (Some(sender), None) => {
            let receiver = known_branch(call, sender, to_tag, via_branch);
            Dialogue {
                sender,
                receiver: receiver.unwrap_or_else(|| callee(call, to_tag, via_branch, now)),
            }
        }
        (None, None) => Dialogue {
            sender: call.add_party(Party::new(Some(from_tag), None, now)),
            receiver: callee(call, to_tag, via_branch, now),
        },
    };
    join(call, dialogue)
}

/// Finds or makes the parties of an answer. The sender is the answerer. An offerer that never made an offer is let in, too.
///
/// A tag that nobody has belongs to the party that is known to have it, else to the one on that branch, else to the
/// offerer's peer. If that one has a tag already, the new one becomes an alias of it (the same ports were offered to both),
/// or another party: see [`AnswerKind`].
pub(super) fn of_answer(
    call: &mut Call,
    from_tag: &Bytes,
    to_tag: &Bytes,
    via_branch: Option<&Bytes>,
    kind: AnswerKind,
    now: Timestamp,
) -> Result<Dialogue, Refusal> {
    let known_receiver = call.party_by_tag(from_tag);
    let receiver =
        known_receiver.unwrap_or_else(|| call.add_party(Party::new(Some(from_tag), None, now)));
    let sender = match call.party_by_tag(to_tag) {
        Some(sender) => sender,
        None => answerer(call, receiver, to_tag, via_branch, kind, now),
    };
    if let Some(party) = call.party_mut(sender) {
        party.final_answer |= kind.is_final;
    }
    join(call, Dialogue { sender, receiver })
}

fn answerer(
    call: &mut Call,
    offerer: PartyId,
    tag: &Bytes,
    via_branch: Option<&Bytes>,
    kind: AnswerKind,
    now: Timestamp,
) -> PartyId {
    let on_branch = via_branch.and_then(|branch| call.peer_on_branch(offerer, branch));
    let known_as = kind.known_as.filter(|_| !kind.new_branch);
    let candidate = known_as
        .or(on_branch)
        .or_else(|| call.active_peer(offerer))
        .or_else(|| call.untagged_party());
    if let Some(id) = candidate
        && let Some(party) = call.party_mut(id)
    {
        let is_over = party.final_answer && !kind.provisional && known_as.is_none();
        let another = kind.new_branch || is_over;
        match party.tag {
            None => {
                party.tag = Some(copy(tag));
                return id;
            }
            Some(_) if !another && party.aliases.len() < MAX_ALIASES => {
                party.aliases.push(copy(tag));
                return id;
            }
            Some(_) => {}
        }
    }
    call.add_party(Party::new(Some(tag), None, now))
}

/// The untagged peer of a party, which is named now: it was offered to, and speaks up itself before its answer was seen.
fn half_open_peer(
    call: &mut Call,
    party: PartyId,
    tag: &Bytes,
    via_branch: Option<&Bytes>,
) -> Option<PartyId> {
    let untagged = |id: &PartyId| call.party(*id).is_some_and(|peer| peer.tag.is_none());
    let on_branch = via_branch.and_then(|branch| call.peer_on_branch(party, branch));
    let id = on_branch
        .filter(untagged)
        .or_else(|| call.peers(party).find(untagged))?;
    call.party_mut(id)?.tag = Some(copy(tag));
    Some(id)
}

/// The receiver of an offer by a known party that does not name it by a known tag.
fn known_branch(
    call: &Call,
    sender: PartyId,
    to_tag: Option<&Bytes>,
    via_branch: Option<&Bytes>,
) -> Option<PartyId> {
    let Some(branch) = via_branch else {
        return match to_tag {
            None => call.active_peer(sender),
            Some(_) => None,
        };
    };
    call.peer_on_branch(sender, branch)
}

fn callee(
    call: &mut Call,
    to_tag: Option<&Bytes>,
    via_branch: Option<&Bytes>,
    now: Timestamp,
) -> PartyId {
    call.add_party(Party::new(to_tag, via_branch, now))
}

/// Lets one more party in, if there is room.
pub(super) fn admit(call: &mut Call, party: Party) -> Result<PartyId, Refusal> {
    if call.parties().count() >= MAX_PARTIES {
        return Err(Refusal::InvalidDialogue);
    }
    Ok(call.add_party(party))
}

fn join(call: &mut Call, dialogue: Dialogue) -> Result<Dialogue, Refusal> {
    if dialogue.sender == dialogue.receiver || call.parties().count() > MAX_PARTIES {
        return Err(Refusal::InvalidDialogue);
    }
    call.associate(dialogue.sender, dialogue.receiver);
    Ok(dialogue)
}
