//! How much one request may ask for. What it takes grows with the product of such lists and the sections, lines and formats of
//! an SDP, or the parties of a call.

use super::Options;

/// Codecs that all lists of `codec` name together, or those of one medium.
const CODECS: usize = 128;
/// Changes of attributes, of all kinds and sections together.
const CHANGES: usize = 64;
/// Header extensions.
const EXTENSIONS: usize = 256;
/// Media described without SDP: as many as an SDP may have sections.
const MEDIAS: usize = 128;
/// Calls and parties named.
const NAMES: usize = 256;
/// Pairs of parties that `mesh` names.
const FLOWS: usize = 4096;

/// What there is too much of, if anything.
pub(crate) fn exceeded(options: &Options) -> Option<&'static str> {
    let codecs = &options.codecs;
    let codecs = [
        &codecs.strip,
        &codecs.except,
        &codecs.offer,
        &codecs.accept,
        &codecs.consume,
        &codecs.mask,
        &codecs.transcode,
    ];
    let sdp = &options.sdp_attr;
    let changes = [
        &sdp.global,
        &sdp.audio,
        &sdp.video,
        &sdp.image,
        &sdp.message,
        &sdp.text,
        &sdp.application,
    ];
    let changes = changes.map(|of| of.add.len() + of.remove.len() + of.substitute.len());
    let flows = options.tags.iter().map(|flows| flows.to.len());
    let of_media = options
        .medias
        .iter()
        .map(|media| media.codecs.len().max(media.transforms.len()));
    let counts = [
        ("codecs", codecs.iter().map(|list| list.len()).sum(), CODECS),
        ("changes of attributes", changes.iter().sum(), CHANGES),
        (
            "header extensions",
            options.extmap.strip.len() + options.extmap.mask.len(),
            EXTENSIONS,
        ),
        ("media", options.medias.len(), MEDIAS),
        (
            "codecs of one medium",
            of_media.max().unwrap_or_default(),
            CODECS,
        ),
        ("calls", options.calls.len(), NAMES),
        ("parties", options.from_tags.len(), NAMES),
        ("flows", flows.sum::<usize>().max(options.tags.len()), FLOWS),
    ];
    let exceeded = counts.iter().find(|(_, count, limit)| count > limit);
    exceeded.map(|(what, ..)| *what)
}
