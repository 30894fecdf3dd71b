//! A party of a call: rtpengine's monologue, named by a SIP tag.

use std::net::IpAddr;

use bytes::Bytes;

use super::Timestamp;
use super::media::Media;

/// Names a party within its call; never reused there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PartyId(pub(super) u32);

/// One side of a dialogue.
#[derive(Clone, Debug)]
pub(super) struct Party {
    /// None until it has answered, or made an offer itself.
    pub(super) tag: Option<Bytes>,
    /// Further tags that answered on this party's ports.
    pub(super) aliases: Vec<Bytes>,
    /// The branch it was offered on.
    pub(super) via_branch: Option<Bytes>,
    /// The `label` the client gave it.
    pub(super) label: Option<Bytes>,
    pub(super) created: Timestamp,
    /// When a `delete` takes effect, monotonic ms.
    pub(super) delete_at: Option<u64>,
    /// It has answered for good, so that another tag is another party.
    pub(super) final_answer: bool,
    /// Index of the logical interface it is on: chosen once.
    pub(super) interface: Option<usize>,
    /// By index of the media section.
    pub(super) medias: Vec<Media>,
    /// What has been sent to it, for `replace`.
    pub(super) told: Option<Told>,
}

/// What the first SDP sent to a party said of itself, to be repeated in later ones where `replace` asks for that.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) username: Bytes,
    pub(super) session_id: Bytes,
    pub(super) session_name: Option<Bytes>,
    pub(super) address: IpAddr,
    pub(super) version: u64,
    /// The body as it was last sent.
    pub(super) body: Bytes,
}

impl Party {
    pub(super) fn new(tag: Option<Bytes>, via_branch: Option<Bytes>, now: Timestamp) -> Self {
        Self {
            tag,
            aliases: Vec::new(),
            via_branch,
            label: None,
            created: now,
            delete_at: None,
            final_answer: false,
            interface: None,
            medias: Vec::new(),
            told: None,
        }
    }

    /// Whether a tag names this party.
    pub(super) fn is_called(&self, tag: &[u8]) -> bool {
        self.tag.as_deref() == Some(tag) || self.aliases.iter().any(|alias| alias == tag)
    }

    /// The media of that index, made with all before it if there is none yet.
    pub(super) fn media_mut(&mut self, index: usize, now: Timestamp) -> &mut Media {
        while self.medias.len() <= index {
            self.medias.push(Media::new(now));
        }
        &mut self.medias[index]
    }
}
