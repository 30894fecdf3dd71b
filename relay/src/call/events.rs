//! Whose telephone event it was.

use std::net::SocketAddr;

use bytes::Bytes;

use super::Calls;
use super::graph::Call;
use crate::plan::{CallKey, TelephoneEvent};

/// The party that a telephone event came from, and all that its call knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSource {
    /// The call-id.
    pub call_id: Bytes,
    /// The party's tag; empty if it has none yet.
    pub tag: Bytes,
    /// The party's label.
    pub label: Option<Bytes>,
    /// The tags of all parties.
    pub tags: Vec<Bytes>,
    /// Who is told, if not everybody who is told of every call (`dtmf-log-dest`).
    pub log_dest: Option<SocketAddr>,
}

impl Calls {
    /// Whose event it was; `None` if the call or the port has gone meanwhile.
    #[must_use]
    pub fn event_source(&self, event: &TelephoneEvent) -> Option<EventSource> {
        let (call_id, call) = self.call_of_key(event.call)?;
        let party = call.party(call.party_at(event.stream)?)?;
        let tags = call.parties().filter_map(|(_, party)| party.tag.clone());
        Some(EventSource {
            call_id: call_id.clone(),
            tag: party.tag.clone().unwrap_or_default(),
            label: party.label.clone(),
            tags: tags.collect(),
            log_dest: call.dtmf_log,
        })
    }

    /// Without names to go by, all calls are looked through: events are rarer than calls are many.
    pub(super) fn call_of_key(&self, key: CallKey) -> Option<(&Bytes, &Call)> {
        let (id, active) = match self.name_of(key) {
            Some(name) => self.calls.get_key_value(name)?,
            None => self
                .calls
                .iter()
                .find(|(_, active)| active.call.key == key)?,
        };
        Some((id, &active.call))
    }
}
