//! `sdp-attr`, as the SDP writer takes it.

use bytes::Bytes;
use ng_protocol::{AttributeChanges as Wanted, Options};

use crate::sdp::{AttributeChanges, AttributeRules};

/// The changes to attributes that a request asks for.
pub(super) fn changes(options: &Options) -> AttributeChanges {
    let wanted = &options.sdp_attr;
    let kinds = [
        ("audio", &wanted.audio),
        ("video", &wanted.video),
        ("image", &wanted.image),
        ("message", &wanted.message),
        ("text", &wanted.text),
        ("application", &wanted.application),
    ];
    AttributeChanges {
        session: rules(&wanted.global),
        medias: kinds
            .into_iter()
            .filter(|(_, wanted)| **wanted != Wanted::default())
            .map(|(kind, wanted)| (kind.to_owned(), rules(wanted)))
            .collect(),
    }
}

fn rules(wanted: &Wanted) -> AttributeRules {
    let substitutes = wanted.substitute.iter();
    AttributeRules {
        remove: wanted.remove.clone(),
        substitute: substitutes
            .filter(|(_, new)| is_one_line(new))
            .cloned()
            .collect(),
        add: wanted
            .add
            .iter()
            .filter(|new| is_one_line(new))
            .cloned()
            .collect(),
    }
}

/// What would break the line it stands in cannot be written.
fn is_one_line(value: &Bytes) -> bool {
    !value.is_empty() && !value.contains(&b'\r') && !value.contains(&b'\n')
}
