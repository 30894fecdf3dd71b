//! A party of a call: rtpengine's monologue, named by a SIP tag.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::blocks::Blocks;
use super::bundle::Bundle;
use super::dtmf::Keypad;
use super::media::Media;
use super::{Timestamp, copy};
use crate::sdp::Published;

/// Names a party within its call; never reused there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct PartyId(pub(super) u32);

/// One side of a dialogue.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Party {
    /// None until it has answered, or made an offer itself.
    pub(super) tag: Option<Bytes>,
    /// Further tags that answered on this party's ports.
    pub(super) aliases: Vec<Bytes>,
    /// The call-id it came with, if its call was merged with another that goes by its own.
    pub(super) call_id: Option<Bytes>,
    /// The branch it was offered on.
    pub(super) via_branch: Option<Bytes>,
    /// The `label` the client gave it.
    pub(super) label: Option<Bytes>,
    /// Made by `subscribe request`: it hears others, and sends nothing.
    pub(super) is_subscriber: bool,
    /// The `metadata` the client gave it.
    pub(super) metadata: Option<Bytes>,
    /// What it said last, its sections in the places of its medias: what a subscriber is told.
    pub(super) said: Bytes,
    /// What is held back of what it sends.
    pub(super) blocks: Blocks,
    /// What is held back of what it is sent.
    pub(super) egress_blocks: Blocks,
    /// What it can do by dialling.
    pub(super) keypad: Keypad,
    /// `exclude-recording`: what it sends is not recorded.
    pub(super) unrecorded: bool,
    /// `start forwarding`: a state that is kept and shown.
    pub(super) forwarding: bool,
    pub(super) created: Timestamp,
    /// When a `delete` takes effect, monotonic ms.
    pub(super) delete_at: Option<u64>,
    /// It has answered for good, so that another tag is another party.
    pub(super) final_answer: bool,
    /// Index of the logical interface it is on: chosen once.
    pub(super) interface: Option<usize>,
    /// By index of the media section.
    pub(super) medias: Vec<Media>,
    pub(super) bundle: Bundle,
    /// How many sections its last offer had.
    pub(super) sections: usize,
    /// What has been sent to it, for `replace`.
    pub(super) published: Published,
}

impl Party {
    pub(super) fn new(tag: Option<&Bytes>, via_branch: Option<&Bytes>, now: Timestamp) -> Self {
        Self {
            tag: tag.map(copy),
            aliases: Vec::new(),
            call_id: None,
            via_branch: via_branch.map(copy),
            label: None,
            is_subscriber: false,
            metadata: None,
            said: Bytes::new(),
            blocks: Blocks::default(),
            egress_blocks: Blocks::default(),
            keypad: Keypad::default(),
            unrecorded: false,
            forwarding: false,
            created: now,
            delete_at: None,
            final_answer: false,
            interface: None,
            medias: Vec::new(),
            bundle: Bundle::default(),
            sections: 0,
            published: Published::default(),
        }
    }

    /// Forgets what was found out about it: how it multiplexes and bundles, what it was offered, where it sends from. The
    /// next offer to it is as if it were the first, on the same ports.
    pub(super) fn forget(&mut self) {
        self.bundle = Bundle::default();
        for media in &mut self.medias {
            media.forget();
        }
    }

    /// Whether a tag names this party.
    pub(super) fn is_called(&self, tag: &[u8]) -> bool {
        self.tag.as_deref() == Some(tag) || self.aliases.iter().any(|alias| alias == tag)
    }

    /// Whether any of its sections lies on the port of another.
    pub(super) fn is_bundled(&self) -> bool {
        self.medias.iter().any(|media| media.carrier.is_some())
    }

    /// Puts these sections on the ports of the first of them, and all others on their own.
    pub(super) fn carry(&mut self, members: &[usize], count: usize, now: Timestamp) {
        let first = members.first().copied();
        for index in 0..count {
            let follows = members.iter().skip(1).any(|member| *member == index);
            self.media_mut(index, now).carrier = first.filter(|_| follows);
        }
    }

    /// The media of that index, made with all before it if there is none yet.
    pub(super) fn media_mut(&mut self, index: usize, now: Timestamp) -> &mut Media {
        while self.medias.len() <= index {
            self.medias.push(Media::new(now));
        }
        &mut self.medias[index]
    }
}
