//! What operators ask of the running relay: metrics and the text CLI.

use std::sync::{Arc, MutexGuard, PoisonError};

use bytes::Bytes;

use super::calls::{CallServer, Shared};
use super::office::Office;
use crate::control::dispatch::Dispatcher;
use crate::ops::cli::{self, Cli, CliTarget, Parameters, SessionDetails, SessionSummary};
use crate::ops::metrics::{MetricsSnapshot, Snapshot};

/// Answers who comes from outside the dispatcher.
pub(super) struct Operators {
    shared: Shared,
    office: Arc<Office>,
}

impl Operators {
    pub(super) fn new(shared: Shared, office: Arc<Office>) -> Self {
        Self { shared, office }
    }

    /// A panic under the lock has been dealt with by the dispatcher.
    fn lock(&self) -> MutexGuard<'_, Dispatcher<CallServer>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Snapshot for Operators {
    fn metrics(&self) -> MetricsSnapshot {
        self.office.datapath.refresh();
        self.office.snapshot(self.lock().handler_mut())
    }
}

impl Cli for Operators {
    fn answer(&self, line: &str) -> String {
        self.office.datapath.refresh();
        let answer = {
            let dispatcher = &mut *self.lock();
            let mut desk = Desk::new(dispatcher.handler_mut(), &self.office);
            cli::answer(line, &mut desk)
        };
        answer.into_text()
    }
}

/// The relay under an operator's hands, while no command is worked on.
pub(super) struct Desk<'a> {
    server: &'a mut CallServer,
    office: &'a Office,
}

impl<'a> Desk<'a> {
    pub(super) fn new(server: &'a mut CallServer, office: &'a Office) -> Self {
        Self { server, office }
    }
}

impl CliTarget for Desk<'_> {
    fn sessions(&self) -> Vec<SessionSummary> {
        self.server.sessions()
    }

    fn session(&self, call_id: &str) -> Option<SessionDetails> {
        self.server.session(call_id)
    }

    fn terminate(&mut self, call_id: &str) -> bool {
        self.server
            .terminate(&Bytes::copy_from_slice(call_id.as_bytes()))
    }

    fn terminate_all(&mut self) {
        self.server.terminate_all();
    }

    fn parameters(&self) -> Parameters {
        let settings = self.server.calls().settings();
        Office::parameters(settings, &self.office.log_level, &self.office.control_tos)
    }

    fn initial_parameters(&self) -> Parameters {
        self.office.initial.clone()
    }

    fn set_parameters(&mut self, parameters: Parameters) {
        let settings = self.server.calls_mut().settings_mut();
        settings.max_sessions = parameters.max_sessions.map(u64::from);
        settings.max_cpu = parameters.max_cpu;
        settings.max_load = parameters.max_load;
        settings.max_bandwidth = parameters.max_bandwidth;
        settings.timeout = parameters.timeout;
        settings.silent_timeout = parameters.silent_timeout;
        settings.offer_timeout = parameters.offer_timeout;
        settings.final_timeout = parameters.final_timeout;
        settings.delete_delay = parameters.delete_delay;
        self.office.log_level.set_levels(parameters.log_levels);
        self.office.control_tos.set(parameters.control_tos);
    }

    fn options(&self) -> &[(&'static str, String)] {
        &self.office.options
    }

    fn metrics(&self) -> MetricsSnapshot {
        self.office.snapshot(self.server)
    }
}
