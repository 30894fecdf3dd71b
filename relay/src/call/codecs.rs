//! Which codecs a section is written with. Nothing is converted here: `transcode` can but bring back what was offered,
//! and what `mask` and `consume` keep from the answerer is not accepted for it.

use ng_protocol::Options;

use super::dialogue::Dialogue;
use super::exchange::{Context, Role};
use super::graph::Call;
use super::media::Media;
use crate::sdp::{self, Codecs, Session};

/// The codecs of a section as its receiver is to see them. What an answerer was not offered it cannot choose. `agreed` is what
/// was [agreed on](agreed) before, where a new offer is to heed it.
pub(super) fn choose<'a>(
    sender: &Media,
    section: &'a sdp::Media,
    agreed: Option<&'a sdp::Media>,
    context: &Context<'_>,
) -> Codecs<'a> {
    let options = &context.request.options;
    let flags = &options.flags;
    let mut codecs = Codecs::of(section);
    match agreed.map(Codecs::of) {
        Some(agreed) if flags.static_codecs => codecs = agreed,
        Some(agreed) => codecs.prefer(&agreed),
        None => {}
    }
    if context.role == Role::Answer && !sender.offered_codecs.is_empty() {
        let offered = &sender.offered_codecs;
        let offered = offered.section(section.kind.clone(), section.protocol.clone());
        let offered = Codecs::of(&offered);
        codecs.keep(&offered, flags.allow_asymmetric_codecs);
        if flags.reuse_codecs {
            codecs.prefer(&offered);
        }
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

/// What sender and receiver of a new offer said before.
pub(super) struct Said {
    sender: Option<Session>,
    receiver: Option<Session>,
}

/// What the parties of a new offer said before, if it is to heed that.
pub(super) fn said(call: &Call, dialogue: Dialogue, context: &Context<'_>) -> Option<Said> {
    let flags = &context.request.options.flags;
    let heeds = context.role == Role::Offer && (flags.static_codecs || flags.reuse_codecs);
    // What was read once can be read again.
    let said = |party| sdp::parse(&call.party(party)?.said).ok();
    heeds.then(|| Said {
        sender: said(dialogue.sender),
        receiver: said(dialogue.receiver),
    })
}

/// The codecs that the receiver of a new offer has in a section: those it was offered last, as far and in the order that it
/// answered with them; if it made the last offer itself, those, as far and in the order it was answered with them.
pub(super) fn agreed(
    said: &Said,
    sender: &Media,
    receiver: &Media,
    index: usize,
    section: &sdp::Media,
) -> Option<sdp::Media> {
    let is_served = receiver.protocol.is_rtp() && !receiver.rejected;
    if !is_served || receiver.kind != section.kind.as_str() || !section.protocol.is_rtp() {
        return None;
    }
    let section_of = |session: &Option<Session>| session.as_ref()?.medias.get(index).cloned();
    let (mut section, answerer, answer) = if !receiver.offered_codecs.is_empty() {
        let offered = &receiver.offered_codecs;
        let offer = offered.section(section.kind.clone(), section.protocol.clone());
        (offer, receiver, section_of(&said.receiver))
    } else if !sender.offered_codecs.is_empty() {
        let offer = section_of(&said.receiver)?;
        (offer, sender, section_of(&said.sender))
    } else {
        return None;
    };
    if let Some(answer) = answer.filter(|_| answerer.has_answered) {
        let answer = Codecs::of(&answer);
        let mut codecs = Codecs::of(&section);
        codecs.keep(&answer, true);
        codecs.prefer(&answer);
        section.formats = codecs.formats();
    }
    Some(section)
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
