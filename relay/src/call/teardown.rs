//! What a proxy is told about a call that has timed out.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bytes::Bytes;

use super::graph::Call;

/// A call's parties, as it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Teardown {
    /// Whom the proxy wants told (`xmlrpc-callback`).
    pub callback: Option<IpAddr>,
    /// The tags of all parties that have one.
    pub tags: Vec<Bytes>,
    /// The tags of every two parties that hear each other, each two once.
    pub dialogues: Vec<(Bytes, Bytes)>,
}

impl Teardown {
    pub(super) fn of(call: &Call) -> Self {
        let tag_of = |party| call.party(party)?.tag.clone().filter(|tag| !tag.is_empty());
        let mut seen = BTreeSet::new();
        let mut dialogues = Vec::new();
        for (one, _) in call.parties() {
            for (other, _) in call.subscriptions.sink_parties(one) {
                if let (Some(tag), Some(other_tag)) = (tag_of(one), tag_of(other))
                    && seen.insert((one.min(other), one.max(other)))
                {
                    dialogues.push((tag, other_tag));
                }
            }
        }
        Self {
            callback: call.callback,
            tags: call
                .parties()
                .filter_map(|(party, _)| tag_of(party))
                .collect(),
            dialogues,
        }
    }
}
