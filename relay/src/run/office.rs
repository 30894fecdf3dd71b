//! What is known besides calls when an operator asks: numbers of datapath and commands, options, what was measured.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use underpass_abi::Outcome;

use super::calls::CallServer;
use super::journaling::InTrouble;
use crate::call::{Calls, Settings};
use crate::control::counters::Counters;
use crate::control::udp::ControlTos;
use crate::datapath::{Datapath, Monitor};
use crate::media::Media;
use crate::ops::cli::Parameters;
use crate::ops::logging::LogLevel;
use crate::ops::metrics::{
    ClosedSessions, IntervalCounters, MetricsSnapshot, PathCounters, PortCounters, RequestCounters,
    StreamCounts,
};
use crate::plan::LogicalInterface;
use crate::recording::Recorder;

/// Shared by everybody who answers operators.
pub(super) struct Office {
    pub(super) commands: Arc<Counters>,
    pub(super) datapath: Arc<dyn Datapath>,
    pub(super) monitor: Monitor,
    pub(super) interfaces: Vec<LogicalInterface>,
    /// Of the journal, if there is one.
    pub(super) journal: Option<InTrouble>,
    pub(super) started: Instant,
    /// Every option with its value at the start.
    pub(super) options: Vec<(&'static str, String)>,
    pub(super) initial: Parameters,
    pub(super) log_level: LogLevel,
    pub(super) control_tos: ControlTos,
    pub(super) rates: Mutex<Rates>,
    /// The last finished interval.
    pub(super) interval: Mutex<IntervalCounters>,
}

/// What is relayed per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) user: PathCounters,
    pub(super) kernel: PathCounters,
}

impl Office {
    /// The numbers now; those of the kernel as of the last refresh.
    pub(super) fn snapshot(&self, server: &CallServer) -> MetricsSnapshot {
        let rates = *self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let interval = self
            .interval
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut snapshot = MetricsSnapshot {
            interval,
            uptime: self.started.elapsed(),
            table: self.monitor.table(),
            interfaces: self.monitor.interfaces(),
            flows: self.monitor.flows(),
            kernel_flows: self.monitor.kernel_flows(),
            outcomes: self.monitor.outcomes(),
            user: self.user(server.media()),
            kernel: self.kernel(),
            journal_in_trouble: self.journal.as_ref().map(InTrouble::is_so),
            recorded: server.media().recorder().map(Recorder::recorded),
            user_rate: rates.user,
            kernel_rate: rates.kernel,
            ..MetricsSnapshot::default()
        };
        self.add_commands(&mut snapshot);
        let forwarding = server.calls().forwarding(&server.media().streams());
        snapshot.streams = StreamCounts {
            userspace: forwarding.user_space,
            kernel: forwarding.kernel,
            mixed: forwarding.mixed,
        };
        snapshot.voip.reports = server.media().totals().reports;
        snapshot.user_space_reasons = forwarding.reasons.into_iter().collect();
        add_calls(server.calls(), &mut snapshot);
        self.add_ports(server.media(), &mut snapshot);
        snapshot
    }

    /// What user space has relayed since the start.
    pub(super) fn user(&self, media: &Media) -> PathCounters {
        let totals = media.totals();
        PathCounters {
            packets: totals.packets,
            errors: totals.errors,
            bytes: totals.bytes,
        }
    }

    /// What the kernel has, as of the last refresh.
    pub(super) fn kernel(&self) -> PathCounters {
        PathCounters {
            packets: self.monitor.outcomes()[Outcome::Forwarded as usize],
            errors: 0,
            bytes: self.monitor.kernel_bytes(),
        }
    }

    pub(super) fn set_rates(&self, rates: Rates) {
        *self.rates.lock().unwrap_or_else(PoisonError::into_inner) = rates;
    }

    pub(super) fn set_interval(&self, interval: IntervalCounters) {
        *self.interval.lock().unwrap_or_else(PoisonError::into_inner) = interval;
    }

    /// What `set` can change, as it is where these are the settings.
    pub(super) fn parameters(
        settings: &Settings,
        log_level: &LogLevel,
        control_tos: &ControlTos,
    ) -> Parameters {
        let max_sessions = settings.max_sessions;
        Parameters {
            max_sessions: max_sessions.map(|max| u32::try_from(max).unwrap_or(u32::MAX)),
            max_cpu: settings.max_cpu,
            max_load: settings.max_load,
            max_bandwidth: settings.max_bandwidth,
            timeout: settings.timeout,
            silent_timeout: settings.silent_timeout,
            offer_timeout: settings.offer_timeout,
            final_timeout: settings.final_timeout,
            delete_delay: settings.delete_delay,
            control_tos: control_tos.get(),
            log_levels: log_level.levels(),
        }
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

    fn add_ports(&self, media: &Media, snapshot: &mut MetricsSnapshot) {
        for usage in media.port_usage() {
            let named = self.interfaces.iter().find(|interface| {
                let mut addresses = interface.addresses.iter();
                addresses.any(|local| local.address == usage.address)
            });
            snapshot.ports.push(PortCounters {
                interface: named.map_or_else(String::new, |interface| interface.name.to_string()),
                address: usage.address,
                range: usage.range,
                used: 2 * usage.used as u64,
                free: 2 * (usage.total - usage.used) as u64,
            });
        }
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
    snapshot.voip.jitter_ms = totals.jitter_ms;
    snapshot.voip.packets_lost = totals.packets_lost;
    snapshot.voip.sequence = totals.sequence;
}
