//! RTP header extensions: what `extmap` keeps from a party, in SDP and in packets.

use std::collections::BTreeSet;

use bytes::Bytes;
use ng_protocol::Options;
use serde::{Deserialize, Serialize};

use super::copy;
use super::exchange::{Context, Role};
use super::media::Media;
use crate::plan::ExtensionIds;
use crate::sdp::{self, Extensions};

/// What a party knows about header extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Known {
    /// The ids it may meet; `None` while nothing is kept from anybody.
    ids: Option<BTreeSet<u8>>,
    /// What it offered and the other side was not shown: `a=extmap` values.
    masked: Vec<Bytes>,
}

/// The extensions that are not to be written: those of `strip`, and in an offer those of `mask`.
pub(super) fn hidden(context: &Context<'_>) -> Extensions {
    let options = &context.request.options;
    let mut hidden = stripped(options);
    if context.role == Role::Offer {
        let masked = named(&options.extmap.mask);
        hidden.all |= masked.all;
        hidden.names.extend(masked.names);
    }
    hidden
}

/// Takes note of what sender and receiver know from now on.
pub(super) fn negotiate(
    sender: &mut Media,
    receiver: &mut Media,
    section: &sdp::Media,
    context: &Context<'_>,
) {
    let hidden = hidden(context);
    let stripped = stripped(&context.request.options);
    let filtered = sender.extensions.ids.is_some() || receiver.extensions.ids.is_some();
    if hidden.is_empty() && (context.role == Role::Offer || !filtered) {
        sender.extensions = Known::default();
        receiver.extensions = Known::default();
        return;
    }
    let all = || sdp::extensions(context.session, section);
    let seen = || all().filter(|extension| !stripped.contains(extension));
    let shown = || all().filter(|extension| !hidden.contains(extension));
    match context.role {
        Role::Offer => {
            let masked = seen().filter(|extension| hidden.contains(extension));
            sender.extensions = Known {
                ids: Some(seen().map(|extension| extension.id).collect()),
                masked: masked.map(|extension| copy(extension.value)).collect(),
            };
            receiver.extensions.ids = Some(shown().map(|extension| extension.id).collect());
        }
        Role::Answer => {
            let ids: BTreeSet<u8> = shown().map(|extension| extension.id).collect();
            sender.extensions.ids = Some(ids.clone());
            receiver.extensions.ids = Some(ids);
        }
    }
}

/// What an answer brings back to the offerer: the extensions that the answerer was not shown.
pub(super) fn restored(receiver: &Media, context: &Context<'_>) -> Vec<Bytes> {
    match context.role {
        Role::Offer => Vec::new(),
        Role::Answer => receiver.extensions.masked.clone(),
    }
}

/// Which ids pass from one media to another: those both know. `None`: all.
pub(super) fn passed(source: &Media, sink: &Media) -> Option<ExtensionIds> {
    let known = source.extensions.ids.as_ref()?;
    let others = sink.extensions.ids.as_ref()?;
    Some(known.intersection(others).copied().collect())
}

fn stripped(options: &Options) -> Extensions {
    named(&options.extmap.strip)
}

fn named(names: &[Bytes]) -> Extensions {
    Extensions {
        all: names.iter().any(|name| name == "all"),
        names: names.to_vec(),
    }
}
