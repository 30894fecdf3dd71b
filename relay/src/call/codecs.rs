//! Which codecs a section is written with. Nothing is converted here: `transcode` can but bring back what was offered,
//! and what `mask` and `consume` keep from the answerer is not accepted for it.

use ng_protocol::Options;

use super::dialogue::Dialogue;
use super::exchange::{Context, Role};
use super::graph::Call;
use super::media::Media;
use super::party::PartyId;
use crate::sdp::{self, Codecs, Session};

/// The codecs of a section as its receiver is to see them. What an answerer was not offered it cannot choose. `agreed` is
/// what was [agreed on](agreed) about the section before.
pub(super) fn choose<'a>(
    sender: &Media,
    receiver: &Media,
    section: &'a sdp::Media,
    agreed: Option<&'a sdp::Media>,
    context: &Context<'_>,
) -> Codecs<'a> {
    let options = &context.request.options;
    let flags = &options.flags;
    let mut codecs = Codecs::of(section);
    match context.role {
        Role::Offer => {
            if let Some(agreed) = agreed {
                let mut known = Codecs::of(agreed);
                known.keep(offered(sender, receiver), true);
                if flags.static_codecs {
                    codecs = known;
                } else {
                    codecs.prefer(&known.names());
                }
            }
        }
        Role::Answer if !sender.offered.is_empty() => {
            codecs.keep(&sender.offered, flags.allow_asymmetric_codecs);
            if flags.reuse_codecs {
                codecs.prefer(&sender.offered);
            }
        }
        Role::Answer => {}
    }
    if flags.allow_no_codec_media && section.protocol.is_rtp() {
        codecs.allow_none();
    }
    strip(&mut codecs, options);
    if context.role == Role::Answer && flags.single_codec {
        codecs.keep_first();
    }
    codecs
}

/// What the parties of a new offer agreed on before, where that is asked for: what the one that was offered to last has
/// answered or, if it has not, what it was offered. Only codecs that it was offered count.
pub(super) fn agreed(call: &Call, dialogue: Dialogue, context: &Context<'_>) -> Option<Session> {
    let flags = &context.request.options.flags;
    if context.role == Role::Answer || !(flags.static_codecs || flags.reuse_codecs) {
        return None;
    }
    let was_offered = |party: PartyId| {
        let mut medias = call.party(party)?.medias.iter();
        medias
            .any(|media| !media.offered.is_empty())
            .then_some(party)
    };
    let Dialogue { sender, receiver } = dialogue;
    let answerer = was_offered(receiver).or_else(|| was_offered(sender))?;
    let offerer = if answerer == sender { receiver } else { sender };
    // What was read once can be read again.
    let said = |party: PartyId| sdp::parse(&call.party(party)?.said).ok();
    said(answerer).or_else(|| said(offerer))
}

/// A section of what was agreed on, if it is of the kind that this one is of.
pub(super) fn of_section<'a>(
    agreed: &'a Session,
    index: usize,
    section: &sdp::Media,
) -> Option<&'a sdp::Media> {
    let agreed = agreed.medias.get(index)?;
    let is_alike = agreed.kind == section.kind
        && agreed.protocol.is_rtp()
        && section.protocol.is_rtp()
        && !agreed.is_rejected();
    is_alike.then_some(agreed)
}

/// What was offered last, to either.
fn offered<'a>(sender: &'a Media, receiver: &'a Media) -> &'a [String] {
    if receiver.offered.is_empty() {
        &sender.offered
    } else {
        &receiver.offered
    }
}

fn strip(codecs: &mut Codecs<'_>, options: &Options) {
    let lists = &options.codecs;
    if lists.strip.is_empty() && lists.mask.is_empty() && lists.consume.is_empty() {
        return;
    }
    let stripped = [&lists.strip[..], &lists.mask, &lists.consume].concat();
    let offered = [&lists.offer[..], &lists.transcode].concat();
    codecs.strip(&stripped, &lists.except, &offered);
}
