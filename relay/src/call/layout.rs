//! Sections that a party is not shown (`sdp-media-remove`), and those it leaves out.
//!
//! Media of both parties go by one index. A party that does not see all sections numbers them otherwise: what it sends is
//! filled up here with refused ones, in their places, before anything else looks at it.

use ng_protocol::MediaType;

use super::dialogue::Dialogue;
use super::exchange::Role;
use super::graph::Call;
use super::media::Media;
use crate::sdp;

/// Fills up what a party sent. An answer has a section for every one of the offer (RFC 3264 section 6); one that ends
/// too early refuses the rest.
pub(super) fn fill_up(session: &mut sdp::Session, call: &Call, dialogue: Dialogue, role: Role) {
    let sender = call.party(dialogue.sender);
    for (index, media) in sender
        .iter()
        .flat_map(|party| party.medias.iter().enumerate())
    {
        if media.hidden && index <= session.medias.len() {
            session.medias.insert(index, refused(media));
        }
    }
    if role == Role::Answer {
        let offered = call.party(dialogue.receiver).into_iter();
        let offered = offered.flat_map(|party| party.medias.iter().take(party.sections));
        let missing = offered.skip(session.medias.len());
        session.medias.extend(missing.map(refused));
    }
}

fn refused(media: &Media) -> sdp::Media {
    sdp::Media::refused(&media.kind, media.protocol.clone())
}

/// Whether a section of this kind is one of those to be removed.
pub(super) fn is_removed(section: &sdp::Media, kinds: &[MediaType]) -> bool {
    let kind = match section.kind.as_str() {
        "audio" => MediaType::Audio,
        "video" => MediaType::Video,
        "image" => MediaType::Image,
        "message" => MediaType::Message,
        "text" => MediaType::Text,
        "application" => MediaType::Application,
        _ => MediaType::Other,
    };
    kinds.contains(&kind)
}
