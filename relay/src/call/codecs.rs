//! Which codecs a section is written with. Nothing is converted here: `transcode` can but bring back what was offered,
//! and what `mask` and `consume` keep from the answerer is not accepted for it.

use ng_protocol::Options;

use super::exchange::{Context, Role};
use super::media::Media;
use crate::sdp::{self, Codecs};

/// The codecs of a section as its receiver is to see them. What an answerer was not offered it cannot choose.
pub(super) fn choose<'a>(
    sender: &Media,
    section: &'a sdp::Media,
    context: &Context<'_>,
) -> Codecs<'a> {
    let options = &context.request.options;
    let mut codecs = Codecs::of(section);
    if context.role == Role::Answer && !sender.offered.is_empty() {
        codecs.keep(&sender.offered);
    }
    strip(&mut codecs, options);
    if context.role == Role::Answer && options.flags.single_codec {
        codecs.keep_first();
    }
    codecs
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
