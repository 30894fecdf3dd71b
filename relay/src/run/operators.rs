//! What operators ask of the running relay: metrics and the text CLI.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use underpass_abi::Outcome;

use super::calls::{CallServer, Shared};
use super::journaling::InTrouble;
use crate::call::Calls;
use crate::control::counters::Counters;
use crate::control::dispatch::Dispatcher;
use crate::datapath::{Datapath, Monitor};
use crate::media::Media;
use crate::ops::cli::{CliTarget, SessionDetails, SessionSummary};
use crate::ops::metrics::{
    ClosedSessions, MetricsSnapshot, PathCounters, PortCounters, RequestCounters, Snapshot,
    StreamCounts,
};
use crate::plan::LogicalInterface;

pub(super) struct Operators {
    shared: Shared,
    commands: Arc<Counters>,
    datapath: Arc<dyn Datapath>,
    monitor: Monitor,
    interfaces: Vec<LogicalInterface>,
    /// Of the journal, if there is one.
    journal: Option<InTrouble>,
    started: Instant,
}

impl Operators {
    pub(super) fn new(
        shared: Shared,
        commands: Arc<Counters>,
        datapath: Arc<dyn Datapath>,
        monitor: Monitor,
        interfaces: Vec<LogicalInterface>,
        journal: Option<InTrouble>,
    ) -> Self {
        Self {
            shared,
            commands,
            datapath,
            monitor,
            interfaces,
            journal,
            started: Instant::now(),
        }
    }

    fn snapshot(&self) -> MetricsSnapshot {
        self.datapath.refresh();
        let mut snapshot = MetricsSnapshot {
            uptime: self.started.elapsed(),
            table: self.monitor.table(),
            interfaces: self.monitor.interfaces(),
            flows: self.monitor.flows(),
            kernel_flows: self.monitor.kernel_flows(),
            outcomes: self.monitor.outcomes(),
            kernel: PathCounters {
                packets: self.monitor.outcomes()[Outcome::Forwarded as usize],
                errors: 0,
                bytes: self.monitor.kernel_bytes(),
            },
            journal_in_trouble: self.journal.as_ref().map(InTrouble::is_so),
            ..MetricsSnapshot::default()
        };
        self.add_commands(&mut snapshot);
        let mut dispatcher = self.lock();
        let server = dispatcher.handler_mut();
        let forwarding = server.calls().forwarding(&server.media().streams());
        snapshot.streams = StreamCounts {
            userspace: forwarding.user_space,
            kernel: forwarding.kernel,
            mixed: forwarding.mixed,
        };
        snapshot.user_space_reasons = forwarding.reasons.into_iter().collect();
        add_calls(server.calls(), &mut snapshot);
        self.add_media(server.media(), &mut snapshot);
        snapshot
    }

    fn add_commands(&self, snapshot: &mut MetricsSnapshot) {
        for (proxy, table) in self.commands.proxies() {
            let mut errors = 0;
            for (command, counters) in table.iter() {
                errors += counters.errors.load(Relaxed);
                let count = counters.requests.load(Relaxed);
                if count > 0 {
                    snapshot.requests.push(RequestCounters {
                        proxy,
                        request: command.name(),
                        count,
                        time: Duration::from_nanos(counters.nanoseconds.load(Relaxed)),
                    });
                }
            }
            snapshot.errors.push((proxy, errors));
        }
    }

    fn add_media(&self, media: &Media, snapshot: &mut MetricsSnapshot) {
        let totals = media.totals();
        snapshot.user = PathCounters {
            packets: totals.packets,
            errors: totals.errors,
            bytes: totals.bytes,
        };
        for usage in media.port_usage() {
            let named = self.interfaces.iter().find(|interface| {
                let mut addresses = interface.addresses.iter();
                addresses.any(|local| local.address == usage.address)
            });
            snapshot.ports.push(PortCounters {
                interface: named.map_or_else(String::new, |interface| interface.name.to_string()),
                address: usage.address,
                used: 2 * usage.used as u64,
                free: 2 * (usage.total - usage.used) as u64,
            });
        }
    }

    /// A panic under the lock has been dealt with by the dispatcher.
    fn lock(&self) -> MutexGuard<'_, Dispatcher<CallServer>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add_calls(calls: &Calls, snapshot: &mut MetricsSnapshot) {
    let totals = calls.totals();
    snapshot.sessions = calls.len() as u64;
    snapshot.sessions_total = totals.closed();
    snapshot.closed = ClosedSessions {
        rejected: totals.rejected,
        timeout: totals.timeouts,
        silent_timeout: totals.silent_timeouts,
        final_timeout: totals.final_timeouts,
        offer_timeout: totals.offer_timeouts,
        terminated: totals.deleted,
        force_terminated: totals.forced,
    };
    snapshot.zero_packet_streams = totals.zero_packet_streams;
    snapshot.one_way_sessions = totals.one_way;
    snapshot.call_duration = totals.duration_ms as f64 / 1000.0;
    snapshot.call_duration_squared = totals.duration_squared;
}

impl Snapshot for Operators {
    fn metrics(&self) -> MetricsSnapshot {
        self.snapshot()
    }
}

impl CliTarget for Operators {
    fn sessions(&self) -> Vec<SessionSummary> {
        let dispatcher = &mut *self.lock();
        dispatcher.handler_mut().sessions()
    }

    fn session(&self, call_id: &str) -> Option<SessionDetails> {
        let dispatcher = &mut *self.lock();
        dispatcher.handler_mut().session(call_id)
    }

    fn max_sessions(&self) -> Option<u32> {
        let dispatcher = &mut *self.lock();
        let max = dispatcher.handler_mut().calls().settings().max_sessions;
        max.map(|max| u32::try_from(max).unwrap_or(u32::MAX))
    }

    fn set_max_sessions(&self, max: Option<u32>) {
        let dispatcher = &mut *self.lock();
        let settings = dispatcher.handler_mut().calls_mut().settings_mut();
        settings.max_sessions = max.map(u64::from);
    }

    fn terminate(&self, call_id: &str) -> bool {
        let dispatcher = &mut *self.lock();
        let call_id = Bytes::copy_from_slice(call_id.as_bytes());
        dispatcher.handler_mut().terminate(&call_id)
    }

    fn terminate_all(&self) {
        let dispatcher = &mut *self.lock();
        dispatcher.handler_mut().terminate_all();
    }

    fn metrics(&self) -> MetricsSnapshot {
        self.snapshot()
    }
}
