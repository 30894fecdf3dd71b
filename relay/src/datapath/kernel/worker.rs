//! The thread that carries out what is wished for, follows what changes, and counts.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use underpass_abi::Outcome;

use super::agent::Agent;
use super::handle::{Command, Inbox};
use super::maps::Outcomes;
use super::now_ns;
use super::sysctl::HopLimits;
use super::view::View;
use crate::datapath::placement::Ways;
use crate::datapath::table::{FlowTable, Leg, Previous};
use crate::datapath::watchdog::Watchdog;
use crate::datapath::{Flow, FlowId, FlowReport, Monitor};
use crate::tables::protocol::Place;

const TICK: Duration = Duration::from_secs(1);
/// How often neighbours in use are confirmed, in ticks: well within the time the kernel takes one for reachable.
const CONFIRM: u64 = 5;
/// How often all routes are looked up again without being told to, in ticks: a path MTU is learned without a word.
const REVISE: u64 = 60;
/// Commands carried out before events are looked at again.
const BATCH: usize = 4096;

/// Everything the thread owns.
pub(super) struct Worker {
    pub(super) inbox: Inbox,
    pub(super) own: View,
    /// Where next hops are looked up at the node.
    pub(super) node: Option<View>,
    pub(super) table: FlowTable,
    pub(super) ways: Ways,
    /// The granted ones.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) agent: Agent,
    /// The generation before, whose counters are to be gone on from.
    pub(super) previous: Option<Previous>,
    pub(super) outcomes: Outcomes,
    pub(super) watchdog: Watchdog,
    pub(super) monitor: Monitor,
    pub(super) ttl: Option<u8>,
    pub(super) hop_limits: HopLimits,
    pub(super) ticks: u64,
    /// There were commands, the last time.
    pub(super) has_worked: bool,
    /// When all routes are to be looked up again.
    pub(super) reroute_at: Option<Instant>,
    /// How long the last time took.
    pub(super) reroute_took: Duration,
}

/// How the thread ends.
enum End {
    /// With all flows, and the table given back.
    Stop,
    /// Leaving everything as it is to a successor.
    Leave,
}

impl Worker {
    /// Works until told to end.
    pub(super) fn run(mut self) {
        let mut next_tick = Instant::now() + TICK;
        let end = loop {
            self.wait(next_tick);
            self.follow(Place::Own);
            self.follow(Place::Node);
            self.hear();
            if let Some(end) = self.carry_out() {
                break end;
            }
            let now = Instant::now();
            self.settle(now);
            if self.reroute_at.is_some_and(|at| now >= at) {
                self.reroute_at = None;
                self.reroute();
            }
            if now >= next_tick {
                self.tick();
                next_tick = now + TICK;
            }
        };
        match end {
            End::Stop => {
                self.table.clear();
                // Even if there is no agent to take it back.
                self.table.end_lease();
                self.agent.release();
            }
            End::Leave => self.table.alive(now_ns()),
        }
    }

    fn wait(&self, next_tick: Instant) {
        let until = self.reroute_at.map_or(next_tick, |at| at.min(next_tick));
        let mut left = until.saturating_duration_since(Instant::now());
        if let Some(at_most) = self.inbox.lie_down(self.has_worked) {
            left = left.min(at_most);
        }
        // Rounded up, so as not to spin through the last millisecond.
        let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::ZERO);
        let commands = self.inbox.descriptor();
        let mut descriptors = vec![
            PollFd::new(commands.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.own.watch.as_fd(), PollFlags::POLLIN),
        ];
        let node = self.node.as_ref().map(|view| view.watch.as_fd());
        descriptors.extend(node.map(|node| PollFd::new(node, PollFlags::POLLIN)));
        let agent = self.agent.connection.descriptor();
        descriptors.extend(agent.map(|agent| PollFd::new(agent, PollFlags::POLLIN)));
        // Interrupted or not: what is there is looked at.
        let _ = poll(&mut descriptors, timeout);
    }

    fn carry_out(&mut self) -> Option<End> {
        let mut waiting = Vec::new();
        let commands = self.inbox.take(BATCH);
        self.has_worked = !commands.is_empty();
        for command in commands {
            match command {
                Command::Install(id, flow, report) => self.install(id, flow, report),
                Command::Remove(id) => {
                    let legs = self.table.remove(id);
                    self.give_back(&legs);
                }
                Command::Hold(ports) => self.table.hold(&ports, true),
                Command::LetGo(ports) => self.table.hold(&ports, false),
                Command::Refresh(done) => waiting.push(done),
                Command::RefreshFlows(flows, _done) => self.table.sweep_some(&flows),
                Command::Settled(done) => self.agent.restored(done),
                Command::Leave(_done) => return Some(End::Leave),
                Command::Stop => return Some(End::Stop),
            }
        }
        if !waiting.is_empty() {
            self.count();
        }
        None
    }

    fn install(&mut self, id: FlowId, flow: Flow, report: Arc<FlowReport>) {
        let paths = self.paths(&flow);
        let legs = self.take(flow.local.ip(), &paths);
        let before = self.table.install(id, flow, legs, report);
        self.give_back(&before);
    }

    pub(super) fn give_back(&mut self, legs: &[Leg]) {
        for Leg { path, .. } in legs {
            if let Some(view) = self.view(path.place) {
                view.hops.give_back(path);
            }
        }
    }

    fn count(&mut self) {
        self.table.sweep();
        let (packets, bytes) = self.table.totals();
        let mut outcomes = self.outcomes.read();
        outcomes[Outcome::Forwarded as usize] = packets;
        self.monitor.set_outcomes(outcomes);
        let (wanted, held) = self.table.sizes();
        self.monitor.set_flows(wanted as u64, held as u64, bytes);
    }

    fn tick(&mut self) {
        self.ticks += 1;
        self.table.alive(now_ns());
        if self.agent.connection.keep() {
            self.found_again();
        }
        self.count();
        self.table.tick();
        let forwarded = self.table.take_forwarded();
        self.judge(&forwarded);
        if self.ticks.is_multiple_of(REVISE) {
            self.reroute_soon();
        }
        if self.ticks.is_multiple_of(CONFIRM) {
            for place in [Place::Own, Place::Node] {
                self.with_kernel(place, |hops, kernel| hops.keep_fresh(kernel));
            }
        }
    }
}
