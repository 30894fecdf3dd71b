//! Commands to calls, calls' wishes to media.

use std::sync::Arc;

use bytes::Bytes;
use ng_protocol::{Command, Reply, Request};
use nix::time::{ClockId, clock_gettime};
use tracing::{info, warn};

use crate::call::{Calls, Notice, Timestamp};
use crate::control::dispatch::{Handler, Origin};
use crate::datapath::{Datapath, FlowId};
use crate::media::{Media, Ports, Streams};
use crate::plan::Action;

/// All calls and the media that serves them. Whoever holds it works on calls alone: one command at a time.
pub(super) struct CallServer {
    calls: Calls,
    media: Media,
    ports: Ports,
    streams: Streams,
    datapath: Arc<dyn Datapath>,
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

    /// Ends calls whose time is over; due once a second.
    pub(super) fn tick(&mut self) {
        let actions = self.calls.tick(now(), &self.streams);
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
            log(&notice);
        }
    }
}

impl Handler for CallServer {
    fn handle(&mut self, request: &Request, _origin: &Origin) -> Reply {
        if matches!(request.command, Command::Query | Command::Delete) {
            self.refresh(request);
        }
        let (reply, actions) = self
            .calls
            .execute(request, now(), &mut self.ports, &self.streams);
        self.carry_out(actions);
        reply
    }

    fn discard(&mut self, request: &Request) {
        if let Some(call_id) = &request.call_id {
            self.terminate(call_id);
        }
    }
}

fn log(notice: &Notice) {
    match notice {
        Notice::Ended { call_id, ending } => {
            info!(call_id = %call_id.escape_ascii(), ?ending, "call ended");
        }
        Notice::Warning { call_id, text } => {
            warn!(call_id = %call_id.escape_ascii(), "{text}");
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
