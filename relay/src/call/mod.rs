//! Calls: offer, answer, delete, query, as values in and values out (sans-IO).
//!
//! A call is a graph: parties own medias, and a media subscribes to medias of other parties. A command works on a copy of
//! it; if it succeeds, the plans of all streams follow from the new graph, and the [`Action`]s are what has changed
//! about them. So a command that fails leaves nothing behind, and one that says nothing new does nothing but count
//! ([`StreamPlan::signalled`](crate::plan::StreamPlan::signalled)).

mod alias;
mod attributes;
mod bench;
mod blocks;
mod bundle;
mod cdr;
mod changes;
mod clock;
mod codecs;
mod compose;
mod connect;
mod counts;
mod create;
mod delete;
mod dialogue;
mod dtmf;
mod error;
mod events;
mod exchange;
mod extmap;
mod forwarding;
mod graph;
mod interfaces;
mod layout;
mod load;
mod media;
mod merge;
mod mux;
mod named;
mod names;
mod offer;
mod party;
mod ports;
mod publish;
mod quality;
mod query;
mod recording;
mod rewrite;
mod select;
mod serving;
mod settings;
mod snapshot;
mod statistics;
mod subscribe;
mod subscription;
mod survey;
mod teardown;
#[cfg(test)]
mod tests;
mod timeouts;
mod transform;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use bytes::Bytes;
use ng_protocol::{Command, Reply, Request};

use crate::plan::{Action, LogicalInterface, PortSource, StreamReader};

pub use cdr::Cdr;
pub use clock::Timestamp;
pub use dtmf::StarCodes;
pub use error::Refusal;
pub use events::EventSource;
pub use load::{Hundredths, Load};
pub use settings::Settings;
pub use snapshot::{NotRestored, Restored, Snapshot};
pub use statistics::{Ending, Totals};
pub use survey::{Forwarding, Summary};
pub use teardown::Teardown;

use changes::Changes;
use graph::Call;
use names::Names;
use recording::Recordings;
use serving::Serving;
use timeouts::Rounds;

/// More notices than this wait for nobody.
const MAX_NOTICES: usize = 1024;

/// All calls of a relay.
#[derive(Debug)]
pub struct Calls {
    settings: Settings,
    interfaces: Vec<LogicalInterface>,
    /// Twelve hex digits that tell this relay from others in `a=rtpengine:` (flag `loop-protect`).
    instance: String,
    calls: BTreeMap<Bytes, Active>,
    /// Further call-ids of calls that have become one, and what that one goes by.
    aliases: BTreeMap<Bytes, Bytes>,
    next_key: u64,
    names: Names,
    rounds: Rounds,
    changes: Changes,
    recordings: Recordings,
    load: Load,
    totals: Totals,
    notices: Vec<Notice>,
}

/// A call and what media was told of it.
#[derive(Debug)]
struct Active {
    call: Call,
    serving: Serving,
    /// When it is to be looked at again, monotonic ms; see [`timeouts`]. Zero once a command has changed anything.
    alive_until_ms: u64,
}

/// Something an operator may want to read in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A call ended.
    Ended {
        /// Its call-id.
        call_id: Bytes,
        /// Why.
        ending: Ending,
        /// What it takes to tell the proxy; `None` where the proxy knows.
        teardown: Option<Teardown>,
        /// Its record, where records are kept.
        cdr: Option<Cdr>,
    },
    /// A command asked for something that was not there, and was served in another way.
    Warning {
        /// The call-id.
        call_id: Bytes,
        /// What, and what was done instead.
        text: String,
    },
}

impl Calls {
    /// A relay without calls. `interfaces` is not empty; the first is the default. `seed` is random.
    #[must_use]
    pub fn new(
        settings: Settings,
        interfaces: Vec<LogicalInterface>,
        seed: u64,
        now: Timestamp,
    ) -> Self {
        Self {
            settings,
            interfaces,
            instance: format!("{:012x}", seed & 0xffff_ffff_ffff),
            calls: BTreeMap::new(),
            aliases: BTreeMap::new(),
            next_key: 0,
            names: Names::new(seed ^ now.wall_us),
            rounds: Rounds::default(),
            changes: Changes::default(),
            recordings: Recordings::new(seed),
            load: Load::default(),
            totals: Totals::default(),
            notices: Vec::new(),
        }
    }

    /// Executes a command: what to reply, and what media is to do, in order.
    ///
    /// Never fails as such: what cannot be done is an error reply without actions.
    pub fn execute(
        &mut self,
        request: &Request,
        now: Timestamp,
        ports: &mut dyn PortSource,
        streams: &dyn StreamReader,
    ) -> (Reply, Vec<Action>) {
        let silently = |reply| (reply, Vec::new());
        let outcome = match request.command {
            Command::Ping => Ok(silently(Reply::pong())),
            Command::Offer => self.offer(request, now, ports),
            Command::Answer => self.answer(request, now, ports),
            Command::Delete => self.delete(request, now, streams),
            Command::Query => self.query(request, streams).map(silently),
            Command::List => self.list(request).map(silently),
            Command::BlockMedia
            | Command::UnblockMedia
            | Command::SilenceMedia
            | Command::UnsilenceMedia => self.block(request),
            Command::BlockDtmf | Command::UnblockDtmf => self.block_dtmf(request),
            Command::StartRecording | Command::PauseRecording | Command::StopRecording => {
                self.control_recording(request, now)
            }
            Command::StartForwarding | Command::StopForwarding => self.forward(request),
            Command::Publish => self.publish(request, now, ports),
            Command::SubscribeRequest => self.subscribe_request(request, now, ports),
            Command::SubscribeAnswer => self.subscribe_answer(request, now, ports),
            Command::Unsubscribe => self.unsubscribe(request),
            Command::Create => self.create(request, now, ports),
            Command::CreateAnswer => self.create_answer(request, now, ports),
            Command::Connect => self.connect(request, now),
            Command::Mesh => self.mesh(request, now),
            Command::InjectStart | Command::InjectStop => self.inject(request, now),
            Command::Transform => self.transform(request, now, ports),
            command if command.plays() => Err(Refusal::Unsupported),
            _ => Err(Refusal::UnknownCommand),
        };
        outcome.unwrap_or_else(|refusal| {
            let knows_load_limit = request.options.supports_load_limit;
            silently(self.refuse(refusal, knows_load_limit))
        })
    }

    /// Ends one call at once. No actions if there is none of that name.
    pub fn close(
        &mut self,
        call_id: &Bytes,
        now: Timestamp,
        streams: &dyn StreamReader,
    ) -> Vec<Action> {
        self.end(call_id, Ending::Forced, now, streams)
    }

    /// Ends every call at once.
    pub fn close_all(&mut self, now: Timestamp, streams: &dyn StreamReader) -> Vec<Action> {
        let ids: Vec<Bytes> = self.calls.keys().cloned().collect();
        ids.iter()
            .flat_map(|id| self.close(id, now, streams))
            .collect()
    }

    /// How many calls there are, those waiting for their delete delay included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there is no call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether all that is said of a call is to be logged (flag `debug`).
    #[must_use]
    pub fn is_debugged(&self, call_id: &Bytes) -> bool {
        self.get(call_id).is_some_and(|active| active.call.debug)
    }

    /// The call-ids, sorted; those of calls that are one with another at the end.
    pub fn ids(&self) -> impl Iterator<Item = &Bytes> {
        self.calls.keys().chain(self.aliases.keys())
    }

    /// The interfaces, the default first.
    #[must_use]
    pub fn interfaces(&self) -> &[LogicalInterface] {
        &self.interfaces
    }

    /// Counters since the start.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The settings, to be changed: they hold from the next command or tick on.
    pub fn settings_mut(&mut self) -> &mut Settings {
        for active in self.calls.values_mut() {
            active.alive_until_ms = 0;
        }
        &mut self.settings
    }

    /// What was measured; limits go by it until it is measured again.
    pub fn set_load(&mut self, load: Load) {
        self.load = load;
    }

    /// What has happened since the last time this was asked. Of warnings, few are kept beyond a thousand notices.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Changes a call that is known; if that fails, it is as it was.
    fn change(
        &mut self,
        request: &Request,
        change: impl FnOnce(&mut Call) -> Result<(), Refusal>,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let id = request.call_id.as_ref().ok_or(Refusal::NoCallId)?;
        let active = self.get(id).ok_or(Refusal::NoSuchCall)?;
        let mut call = active.call.clone();
        change(&mut call)?;
        Ok((Reply::ok(), self.commit(id, call)))
    }

    /// Puts a call in the place of what it was, or among the others if it is new; what media is to do about it.
    fn commit(&mut self, id: &Bytes, mut call: Call) -> Vec<Action> {
        if let Some(name) = self.aliases.get(id) {
            let known = self.calls.get(name).map(|active| &active.call);
            for (party, value) in call.parties_by_id_mut() {
                if known.is_some_and(|known| known.party(party).is_none()) {
                    value.call_id = Some(copy(id));
                }
            }
        }
        let id = copy(self.name_of_id(id));
        self.changes.note(call.key, &id);
        let active = match self.calls.entry(id) {
            Entry::Occupied(known) => {
                let active = known.into_mut();
                active.call = call;
                active.alive_until_ms = 0;
                active
            }
            Entry::Vacant(new) => {
                self.next_key += 1;
                self.totals.created += 1;
                new.insert(Active::new(call))
            }
        };
        active.serving.follow(&active.call, &self.settings)
    }

    fn end(
        &mut self,
        call_id: &Bytes,
        ending: Ending,
        now: Timestamp,
        streams: &dyn StreamReader,
    ) -> Vec<Action> {
        let name = self.name_of_id(call_id).clone();
        let Some((call_id, active)) = self.calls.remove_entry(&name) else {
            return Vec::new();
        };
        self.forget_ids(&name);
        self.totals.count(&active.call, ending, now, streams);
        self.changes.end(active.call.key);
        let call = &active.call;
        let cdr = self
            .settings
            .cdr
            .then(|| Cdr::of(&call_id, call, ending, now, &self.settings, streams));
        // As many as there are calls, at most.
        self.notices.push(Notice::Ended {
            call_id,
            ending,
            teardown: ending.is_timeout().then(|| Teardown::of(call)),
            cdr,
        });
        let recorded = self.last_of_recording(&active.call, now);
        recorded.into_iter().chain(active.serving.end()).collect()
    }

    fn notice(&mut self, notice: Notice) {
        if self.notices.len() < MAX_NOTICES {
            self.notices.push(notice);
        }
    }
}

impl Active {
    fn new(call: Call) -> Self {
        Self {
            call,
            serving: Serving::default(),
            alive_until_ms: 0,
        }
    }
}

/// What of a request is to outlive it: a slice would keep the whole datagram in memory.
fn copy(text: &Bytes) -> Bytes {
    Bytes::copy_from_slice(text)
}
