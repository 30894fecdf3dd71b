//! How commands begin that make a call and a party if need be (`create`, `publish`, `transform`): by names that the client gives,
//! or that are made up here.

use bytes::Bytes;
use ng_protocol::{Reply, Request};

use super::bench::Bench;
use super::graph::Call;
use super::party::{Party, PartyId};
use super::select::present;
use super::{Calls, Refusal, Timestamp, copy, dialogue};
use crate::plan::{Action, PortSource};

impl Calls {
    /// [Works](Self::work) on the party that a request names, in the call that it names. The reply says the names.
    pub(super) fn work_on_named<T>(
        &mut self,
        request: &Request,
        now: Timestamp,
        ports: &mut dyn PortSource,
        work: impl FnOnce(&mut Call, PartyId, &mut Bench<'_>) -> Result<T, Refusal>,
    ) -> Result<(T, Reply, Vec<Action>), Refusal> {
        let id = self.given_or_made_up(request.call_id.as_ref());
        let tag = self.given_or_made_up(request.from_tag.as_ref());
        let call = self.known_or_new(&id, now)?;
        let (outcome, actions) = self.work(&id, call, now, ports, |call, bench| {
            let party = party(call, &tag, request, bench)?;
            work(call, party, bench)
        })?;
        let reply = Reply::ok().with("call-id", id).with("from-tag", tag);
        Ok((outcome, reply, actions))
    }

    /// The name a client gave, or one that we give.
    pub(super) fn given_or_made_up(&mut self, name: Option<&Bytes>) -> Bytes {
        present(name).map_or_else(|| self.names.next(), copy)
    }
}

/// The party of that tag, a new one if there is none yet. It is no mere subscriber from now on.
fn party(
    call: &mut Call,
    tag: &Bytes,
    request: &Request,
    bench: &Bench<'_>,
) -> Result<PartyId, Refusal> {
    let id = match call.party_by_tag(tag) {
        Some(id) => id,
        None => dialogue::admit(call, Party::new(Some(tag), None, bench.now))?,
    };
    call.delete_at = None;
    if let Some(party) = call.party_mut(id) {
        party.is_subscriber = false;
        party.delete_at = None;
        if let Some(label) = present(request.options.label.as_ref()) {
            party.label = Some(copy(label));
        }
        if let Some(metadata) = &request.options.metadata {
            party.metadata = Some(copy(metadata));
        }
    }
    Ok(id)
}
