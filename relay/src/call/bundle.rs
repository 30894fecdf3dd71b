//! BUNDLE (RFC 9143): sections of a party that share one port of ours.
//!
//! A bundled section has no ports: what it sends arrives, and what it is sent leaves, at those of the bundle's first
//! section, its carrier. What arrives there is told apart by payload type; sections that cannot be, or whose order is not
//! that of the bundle, are not bundled.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::dialogue::Dialogue;
use super::exchange::{Context, Role};
use super::graph::Call;
use super::layout;
use super::party::Party;
use crate::sdp::{self, Session};

/// What a party was told about bundling, and has said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Bundle {
    /// The sections it offered to bundle, where that is accepted.
    offered: Vec<usize>,
    /// It was offered a bundle.
    invited: bool,
    /// The sections that it was offered on the port of another, and on no port of their own.
    required: Vec<usize>,
}

impl Bundle {
    /// Whether the party was offered a bundle.
    pub(super) fn invited(&self) -> bool {
        self.invited
    }

    /// Whether a section lies on the port of another by the party's own offer: it has none to be sent to.
    pub(super) fn follows(&self, index: usize) -> bool {
        self.offered.iter().skip(1).any(|member| *member == index)
    }

    /// The section whose address is that of all.
    pub(super) fn first(&self) -> Option<usize> {
        self.offered.first().copied()
    }
}

/// Decides which sections of sender and receiver lie on the port of another.
/// Returns those that an answerer was to bundle and did not.
pub(super) fn negotiate(call: &mut Call, dialogue: Dialogue, context: &Context<'_>) -> Vec<usize> {
    let mut left_out = Vec::new();
    let session = context.session;
    let wish = context.request.options.bundle;
    let count = session.medias.len();
    let mut grouped = session.bundled();
    if !grouped.is_sorted() {
        grouped.clear();
    }
    match context.role {
        Role::Offer => {
            let mut bundled_by_sender = Vec::new();
            if let Some(sender) = call.party_mut(dialogue.sender) {
                let accepts = (wish.accept || sender.is_bundled()) && !wish.reject;
                if accepts && grouped.len() > 1 && can_be_told_apart(session, &grouped) {
                    bundled_by_sender.clone_from(&grouped);
                }
                sender.bundle.offered.clone_from(&bundled_by_sender);
            }
            let Some(receiver) = call.party_mut(dialogue.receiver) else {
                return left_out;
            };
            let removed = &context.request.options.sdp_media_remove;
            let live: Vec<usize> = (0..count)
                .filter(|index| {
                    let section = &session.medias[*index];
                    let is_refused = section.is_rejected() && !bundled_by_sender.contains(index);
                    !is_refused && !layout::is_removed(section, removed)
                })
                .collect();
            let bundled = receiver.is_bundled();
            receiver.bundle.invited =
                (wish.offer || bundled) && live.len() > 1 && can_be_told_apart(session, &live);
            let on_one_port = receiver.bundle.invited && (wish.require || bundled);
            let members = if on_one_port { live } else { Vec::new() };
            receiver.bundle.required = members.iter().skip(1).copied().collect();
            receiver.carry(&members, count, context.now);
        }
        Role::Answer => {
            if let Some(sender) = call.party_mut(dialogue.sender) {
                let members = if sender.bundle.invited {
                    grouped
                } else {
                    Vec::new()
                };
                let required = sender.bundle.required.iter().copied();
                left_out = required.filter(|index| !members.contains(index)).collect();
                sender.carry(&members, count, context.now);
            }
            if let Some(receiver) = call.party_mut(dialogue.receiver) {
                let offered = receiver.bundle.offered.iter().copied();
                let is_live = |index: &usize| {
                    let section = session.medias.get(*index);
                    section.is_some_and(|section| !section.is_rejected())
                };
                let members: Vec<usize> = offered.filter(is_live).collect();
                receiver.carry(&members, count, context.now);
            }
        }
    }
    left_out
}

/// The sections that the receiver is told are a bundle; `None` if none are.
pub(super) fn announced(receiver: &Party, context: &Context<'_>) -> Option<Bytes> {
    let medias = receiver.medias.iter().take(context.session.medias.len());
    let mids = medias.enumerate().filter_map(|(index, media)| {
        let is_member = match context.role {
            Role::Offer => receiver.bundle.invited && !media.rejected,
            Role::Answer => {
                let is_refused = context.session.medias[index].is_rejected();
                receiver.bundle.offered.contains(&index) && !is_refused
            }
        };
        media.mid.clone().filter(|_| is_member)
    });
    let mids: Vec<Bytes> = mids.collect();
    (!mids.is_empty()).then(|| mids.join(&b' ').into())
}

/// Whether what is sent to one port for these sections can be told apart: RTP, and no payload type of two.
fn can_be_told_apart(session: &Session, members: &[usize]) -> bool {
    let mut known = 0_u128;
    members.iter().all(|index| {
        let section: &sdp::Media = &session.medias[*index];
        let own = section
            .payload_types()
            .fold(0_u128, |set, number| set | 1 << number);
        let apart = own != 0 && known & own == 0;
        known |= own;
        apart
    })
}
