//! Commands to calls, calls' wishes to media.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ng_protocol::{Command, Reply, Request};
use nix::time::{ClockId, clock_gettime};
use tracing::{debug, info, warn};

use super::kept::Kept;
use super::office::Office;
use super::operators::Desk;
use super::peers::Peers;
use super::said::Said;
use crate::call::{Calls, NotRestored, Notice, Summary, Timestamp};
use crate::callbacks::Callbacks;
use crate::control::dispatch::{Dispatcher, Handler, Origin};
use crate::datapath::{Datapath, FlowId};
use crate::media::{Media, Ports, Streams};
use crate::ops::cli::{self, Families, SessionDetails, SessionSummary};
use crate::ops::logging;
use crate::plan::{Action, CallKey, RetakeError, TelephoneEvent};
use crate::recording::{Failure, Recorder};

/// What everybody who works on calls holds.
pub(super) type Shared = Arc<Mutex<Dispatcher<CallServer>>>;

/// All calls and the media that serves them. Whoever holds it works on calls alone: one command at a time.
pub(super) struct CallServer {
    calls: Calls,
    media: Media,
    ports: Ports,
    streams: Streams,
    datapath: Arc<dyn Datapath>,
    /// Who asked for each call first.
    proxies: BTreeMap<Bytes, SocketAddr>,
    callbacks: Option<Callbacks>,
    said: Said,
    peers: Peers,
    /// For the command `cli`.
    office: Option<Arc<Office>>,
}

impl CallServer {
    pub(super) fn new(calls: Calls, media: Media, datapath: Arc<dyn Datapath>) -> Self {
        let (ports, streams) = (media.ports(), media.streams());
        Self {
            calls,
            media,
            ports,
            streams,
            datapath,
            proxies: BTreeMap::new(),
            callbacks: None,
            said: Said::default(),
            peers: Peers::default(),
            office: None,
        }
    }

    /// From now on the command `cli` is answered.
    pub(super) fn open(&mut self, office: Arc<Office>) {
        self.office = Some(office);
    }

    /// The same, telling proxies of calls that time out.
    pub(super) fn with_callbacks(self, callbacks: Option<Callbacks>) -> Self {
        Self { callbacks, ..self }
    }

    /// Every call, in the order they began.
    pub(super) fn sessions(&self) -> Vec<SessionSummary> {
        let summaries = self.calls.summaries();
        summaries.iter().map(|call| self.listed(call)).collect()
    }

    /// All there is to say about one call; `None` if there is none of that id.
    pub(super) fn session(&self, call_id: &str) -> Option<SessionDetails> {
        let call_id = Bytes::copy_from_slice(call_id.as_bytes());
        let call = self.calls.summary(&call_id)?;
        let description = self.calls.description(&call_id, &self.streams)?;
        Some(SessionDetails {
            summary: self.listed(&call),
            tos: call.tos,
            last_signal: call.last_signal.wall_us / 1_000_000,
            now: now().wall_us / 1_000_000,
            description,
        })
    }

    fn listed(&self, call: &Summary) -> SessionSummary {
        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
        SessionSummary {
            call_id: String::from_utf8_lossy(&call.call_id).into_owned(),
            deleted: call.deleted,
            created: call.created.wall_us / 1_000_000,
            proxy: *self.proxies.get(&call.call_id).unwrap_or(&nobody),
            families: match (call.ipv4, call.ipv6) {
                (true, true) => Families::Mixed,
                (false, true) => Families::V6,
                (_, false) => Families::V4,
            },
        }
    }

    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }

    pub(super) fn calls_mut(&mut self) -> &mut Calls {
        &mut self.calls
    }

    pub(super) fn media(&self) -> &Media {
        &self.media
    }

    pub(super) fn media_mut(&mut self) -> &mut Media {
        &mut self.media
    }

    pub(super) fn datapath(&self) -> &Arc<dyn Datapath> {
        &self.datapath
    }

    /// Ends calls whose time is over, and recordings that cannot be written; due ten times a second.
    pub(super) fn tick(&mut self) {
        let mut actions = self.calls.tick(now(), &self.streams);
        for failure in self
            .media
            .recorder()
            .into_iter()
            .flat_map(Recorder::take_failures)
        {
            let Failure { id, reason } = failure;
            actions.extend(self.calls.recording_failed(id, &reason, now()));
        }
        self.carry_out(actions);
    }

    /// Does what a party's digit stands for.
    pub(super) fn dialled(&mut self, event: &TelephoneEvent) {
        let actions = self.calls.dialled(event, now());
        self.carry_out(actions);
    }

    /// Ends one call at once; false if there is none of that id.
    pub(super) fn terminate(&mut self, call_id: &Bytes) -> bool {
        let before = self.calls.len();
        let actions = self.calls.close(call_id, now(), &self.streams);
        self.carry_out(actions);
        self.calls.len() < before
    }

    /// Ends every call at once.
    pub(super) fn terminate_all(&mut self) {
        let actions = self.calls.close_all(now(), &self.streams);
        self.carry_out(actions);
    }

    /// Calls whose state is no longer what it was when this was last asked: by a command, by time, or by what media learned.
    pub(super) fn take_changes(&mut self) -> BTreeSet<CallKey> {
        let mut changes = self.calls.take_changes();
        changes.extend(self.streams.take_lessons());
        changes
    }

    /// How many packets user space has received for each of the `count` calls after `after`, in turn.
    pub(super) fn received(&self, after: Option<CallKey>, count: usize) -> Vec<(CallKey, u64)> {
        let received = |key| {
            let name = self.calls.name_of(key)?;
            let streams = self.calls.streams_of(name);
            Some((key, self.streams.received(&streams)))
        };
        let keys = self.calls.keys_after(after, count);
        keys.into_iter().filter_map(received).collect()
    }

    /// The call as it is now, for the journal; `None` if it has ended.
    pub(super) fn copy(&self, key: CallKey) -> Option<Kept> {
        let call = self.calls.snapshot(key, &self.streams)?;
        let proxy = self.proxies.get(call.call_id()).copied();
        Some(Kept { call, proxy })
    }

    /// Makes a call of the journal a call again; returns what it goes on without.
    pub(super) fn restore(&mut self, kept: Kept) -> Result<Vec<RetakeError>, NotRestored> {
        let Kept { call, proxy } = kept;
        let call_id = call.call_id().clone();
        let restored = self.calls.restore(call, now(), &mut self.ports)?;
        self.media.apply(restored.actions);
        if let Some(proxy) = proxy {
            self.proxies.insert(call_id, proxy);
        }
        Ok(restored.lost)
    }

    /// Brings what the kernel counted for the call's streams up to date.
    fn refresh(&self, request: &Request) {
        let Some(call_id) = &request.call_id else {
            return;
        };
        let streams = self.streams.in_kernel(&self.calls.streams_of(call_id));
        if streams.is_empty() {
            return;
        }
        let flows: Vec<FlowId> = streams.iter().map(|stream| FlowId(stream.0)).collect();
        self.datapath.refresh_flows(&flows);
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        self.media.apply(actions);
        for notice in self.calls.take_notices() {
            if let Notice::Ended {
                call_id,
                teardown,
                cdr,
                ..
            } = &notice
            {
                let proxy = self.proxies.remove(call_id);
                if let Some(cdr) = cdr {
                    info!(target: logging::CDR, "{}", cdr.line(proxy));
                }
                if let (Some(callbacks), Some(teardown)) = (&self.callbacks, teardown) {
                    callbacks.timed_out(call_id, teardown, proxy);
                }
            }
            self.log(&notice);
        }
    }

    fn log(&mut self, notice: &Notice) {
        match notice {
            Notice::Ended {
                call_id, ending, ..
            } => {
                info!(call_id = %call_id.escape_ascii(), ?ending, "call ended");
            }
            Notice::Warning { call_id, text } if self.said.is_news(text) => {
                warn!(call_id = %call_id.escape_ascii(), "{text}");
            }
            Notice::Warning { call_id, text } => {
                debug!(call_id = %call_id.escape_ascii(), "{text}");
            }
        }
    }
}

impl CallServer {
    fn statistics(&mut self) -> Reply {
        let Some(office) = self.office.clone() else {
            return Reply::ok();
        };
        let statistics = cli::statistics(&Desk::new(self, &office));
        Reply::ok().with("statistics", statistics)
    }

    /// `cli`: a line of the text CLI, and its answer.
    fn cli(&mut self, request: &Request) -> Reply {
        let (Some(office), Some(line)) = (self.office.clone(), &request.options.body) else {
            return Reply::error("No 'body' in message");
        };
        let line = String::from_utf8_lossy(line);
        let answer = cli::answer(&line, &mut Desk::new(self, &office));
        Reply::ok().with("response", answer.into_text())
    }
}

impl Handler for CallServer {
    fn is_debugged(&self, request: &Request) -> bool {
        let call_id = request.call_id.as_ref();
        request.options.flags.debug || call_id.is_some_and(|id| self.calls.is_debugged(id))
    }

    fn handle(&mut self, request: &Request, origin: &Origin) -> Reply {
        match request.command {
            Command::Cli => return self.cli(request),
            Command::Statistics => return self.statistics(),
            _ => {}
        }
        if matches!(request.command, Command::Query | Command::Delete) {
            self.refresh(request);
        }
        let mut warnings = Vec::new();
        let warn = |text| warnings.push(text);
        let request = &*self.peers.resolve(request, self.calls.interfaces(), warn);
        for text in warnings {
            let call_id = request.call_id.clone().unwrap_or_default();
            self.log(&Notice::Warning { call_id, text });
        }
        let (reply, actions) = self
            .calls
            .execute(request, now(), &mut self.ports, &self.streams);
        self.carry_out(actions);
        if matches!(
            request.command,
            Command::Offer | Command::Answer | Command::Publish | Command::Create
        ) && reply.dict().get("sdp").is_some()
            && let Some(call_id) = &request.call_id
            && !self.proxies.contains_key(call_id)
        {
            // Copied: a slice would keep the whole datagram.
            let call_id = Bytes::copy_from_slice(call_id);
            self.proxies.insert(call_id, origin.source);
        }
        reply
    }

    fn discard(&mut self, request: &Request) {
        if let Some(call_id) = &request.call_id {
            self.terminate(call_id);
        }
    }
}

/// Both clocks now.
pub(super) fn now() -> Timestamp {
    // Both clocks exist on every kernel.
    let micros = |clock| {
        clock_gettime(clock).map_or(0, |time| std::time::Duration::from(time).as_micros() as u64)
    };
    Timestamp {
        wall_us: micros(ClockId::CLOCK_REALTIME),
        monotonic_ms: micros(ClockId::CLOCK_MONOTONIC) / 1000,
    }
}
