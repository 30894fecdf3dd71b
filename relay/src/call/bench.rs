//! What a command that takes ports works with: a copy of the call, and ports that go back if it fails.

use bytes::Bytes;
use ng_protocol::Request;

use super::exchange::{Context, Role};
use super::graph::Call;
use super::ports::Ledger;
use super::{Calls, Notice, Refusal, Settings, Timestamp, copy};
use crate::plan::{Action, CallKey, LogicalInterface, PortSource};
use crate::sdp::Session;

/// What there is to work with.
pub(super) struct Bench<'a> {
    pub(super) settings: &'a Settings,
    pub(super) interfaces: &'a [LogicalInterface],
    /// The name of this relay in `a=rtpengine:`.
    pub(super) instance: &'a str,
    pub(super) now: Timestamp,
    pub(super) ledger: Ledger<'a>,
    /// What an operator may want to know.
    pub(super) warnings: Vec<String>,
}

impl<'a> Bench<'a> {
    /// What an SDP is taken in, or written, with.
    pub(super) fn context<'c>(
        &self,
        role: Role,
        request: &'c Request,
        session: &'c Session,
    ) -> Context<'c>
    where
        'a: 'c,
    {
        Context {
            role,
            request,
            session,
            settings: self.settings,
            interfaces: self.interfaces,
            now: self.now,
        }
    }
}

impl Calls {
    /// The call of that id to be worked on, or a new one if there is room.
    pub(super) fn known_or_new(&self, id: &Bytes, now: Timestamp) -> Result<Call, Refusal> {
        match self.get(id) {
            Some(active) => Ok(active.call.clone()),
            None if let Some(limit) = self.limit() => Err(limit),
            None => Ok(Call::new(CallKey(self.next_key), now)),
        }
    }

    /// Works on a copy of a call, and puts it in its place. If the work fails, nothing has happened, and no port is taken.
    pub(super) fn work<T>(
        &mut self,
        id: &Bytes,
        mut call: Call,
        now: Timestamp,
        ports: &mut dyn PortSource,
        work: impl FnOnce(&mut Call, &mut Bench<'_>) -> Result<T, Refusal>,
    ) -> Result<(T, Vec<Action>), Refusal> {
        let (outcome, warnings) = {
            let mut bench = Bench {
                settings: &self.settings,
                interfaces: &self.interfaces,
                instance: &self.instance,
                now,
                ledger: Ledger::new(&self.interfaces, ports),
                warnings: Vec::new(),
            };
            let outcome = work(&mut call, &mut bench)?;
            call.check_size()?;
            bench
                .ledger
                .settle(|pair| call.ports().any(|held| held == pair));
            (outcome, bench.warnings)
        };
        call.last_signal = now;
        let actions = self.commit(id, call);
        for text in warnings {
            let call_id = copy(id);
            self.notice(Notice::Warning { call_id, text });
        }
        Ok((outcome, actions))
    }
}
