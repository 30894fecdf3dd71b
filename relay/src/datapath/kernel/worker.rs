//! The thread that carries out what is wished for, follows what changes, and counts.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
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
use super::view::{Questions, View};
use crate::datapath::next_hop::{Kernel, NextHops, Path};
use crate::datapath::placement::{Device, Ways};
use crate::datapath::table::{FlowTable, Previous, Way};
use crate::datapath::watchdog::Watchdog;
use crate::datapath::{Flow, FlowId, FlowReport, Monitor, Reason};
use crate::netlink::{Event, Neighbour};
use crate::tables::protocol::{FromAgent, Place, Placement, Refusal};

const TICK: Duration = Duration::from_secs(1);
/// How often neighbours in use are confirmed, in ticks: well within the time the kernel takes one for reachable.
const CONFIRM: u64 = 5;
/// How often all routes are looked up again without being told to, in ticks: a path MTU is learned without a word.
const REVISE: u64 = 60;
/// Commands carried out before events are looked at again.
const BATCH: usize = 4096;
/// How long route changes gather before all routes are looked up again.
const GATHER: Duration = Duration::from_millis(100);

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
            self.agent.settle(now);
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
        let left = until.saturating_duration_since(Instant::now());
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
        for command in self.inbox.take(BATCH) {
            match command {
                Command::Install(id, flow, report) => self.install(id, flow, report),
                Command::Remove(id) => {
                    if let Some(path) = self.table.remove(id) {
                        self.give_back(&path);
                    }
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
        let path = self.path(&flow);
        self.with_kernel(path.place, |hops, kernel| hops.take(path, kernel));
        let way = self.way(flow.local.ip(), &path);
        if let Some(before) = self.table.install(id, flow, path, report, way) {
            self.give_back(&before);
        }
    }

    fn give_back(&mut self, path: &Path) {
        if let Some(view) = self.view(path.place) {
            view.hops.give_back(path);
        }
    }

    /// Carries out what has happened in one place.
    fn follow(&mut self, place: Place) {
        let Some(view) = self.view(place) else {
            return;
        };
        let mut paths = BTreeSet::new();
        let mut unresolved = Vec::new();
        let mut reroute = false;
        let mut links_changed = false;
        for event in view.watch.events() {
            match event {
                Event::Lost => {
                    if let Err(error) = view.read_all() {
                        tracing::error!(%error, "links and neighbours can't be read");
                    }
                    reroute = true;
                    paths.extend(view.hops.paths());
                }
                // An address that comes or goes changes routes, not always with a word about each.
                Event::Routes | Event::Address(..) | Event::AddressGone(..) => reroute = true,
                Event::Neighbour(index, address, neighbour) => {
                    let touched = view.hops.neighbour_changed(index, address, neighbour);
                    let is_lost = neighbour.and_then(Neighbour::usable).is_none();
                    if is_lost && !touched.is_empty() {
                        unresolved.push((index, address));
                    }
                    paths.extend(touched);
                }
                Event::Link(index, link) => {
                    links_changed |= view.hops.link_changed(index, Some(link));
                }
                Event::LinkGone(index) => links_changed |= view.hops.link_changed(index, None),
            }
        }
        if links_changed {
            paths.extend(view.hops.paths());
            self.hop_limits.forget();
        }
        if links_changed || reroute {
            self.reroute_soon();
        }
        self.with_kernel(place, |_, kernel| {
            for (index, address) in unresolved {
                kernel.use_neighbour(index, address);
            }
        });
        for path in paths {
            self.place_along(&path);
        }
    }

    /// Carries out what the agent has said.
    fn hear(&mut self) {
        while let Some(message) = self.agent.connection.receive() {
            match message {
                FromAgent::Placement(placement) => self.set_placement(placement),
                FromAgent::Granted(granted) => {
                    if !granted.takes_over {
                        self.go_on_from_previous();
                    }
                    self.set_placement(granted.placement);
                }
                FromAgent::Settled => self.go_on_from_previous(),
                FromAgent::Refused(refused) if refused.reason == Refusal::NoSuchTable => {
                    self.lose(&refused.text);
                }
                FromAgent::Refused(refused) => {
                    tracing::warn!("the agent refused: {}", refused.text);
                    self.agent.wait_no_longer();
                }
                FromAgent::Released => self.lose("it has been freed"),
                FromAgent::Tables { .. } => {}
            }
        }
    }

    /// The agent has taken the table back.
    fn lose(&mut self, why: &str) {
        tracing::error!("forwarding in user space only: the table is gone: {why}");
        self.ways.lose();
        self.agent.wait_no_longer();
        self.monitor.set_interfaces(Vec::new());
        self.place_all();
    }

    fn set_placement(&mut self, placement: Placement) {
        self.ways.set(placement);
        let ways = &self.ways;
        self.agent.has(|device| ways.egress(device).is_some());
        let before = self.monitor.interfaces();
        let now = self.ways.summary(&self.addresses);
        for interface in now.iter().filter(|interface| !before.contains(interface)) {
            let engine = interface
                .engine
                .map_or_else(|| "user space".to_owned(), |engine| engine.to_string());
            let (name, note) = (&interface.name, &interface.note);
            tracing::info!(%name, %engine, %note, "interface changed");
        }
        self.monitor.set_interfaces(now);
        self.place_all();
    }

    /// The generation before is gone: what it has counted belongs to the flows that have taken over.
    fn go_on_from_previous(&mut self) {
        if self.agent.settled()
            && let Some(previous) = self.previous.take()
        {
            let flows = self.table.take_over(&previous);
            tracing::info!(flows, "the table has taken its predecessor's place");
        }
        self.agent.wait_no_longer();
    }

    /// The agent, or its successor, is there again.
    fn found_again(&mut self) {
        self.agent.found_again();
        for device in self.ways.given_up() {
            self.say_not_sending(device);
        }
        self.place_all();
    }

    fn reroute_soon(&mut self) {
        // With many paths a lookup takes its time: a machine whose routes never rest may spend a tenth on it.
        let pause = GATHER.max(self.reroute_took * 9);
        self.reroute_at
            .get_or_insert_with(|| Instant::now() + pause);
    }

    fn reroute(&mut self) {
        let began = Instant::now();
        let mut changed = Vec::new();
        for place in [Place::Own, Place::Node] {
            self.with_kernel(place, |hops, kernel| {
                changed.extend(hops.reroute(kernel));
                hops.ask_unresolved(kernel);
            });
        }
        for path in changed {
            self.place_along(&path);
        }
        self.reroute_took = began.elapsed();
    }

    /// Everything may have changed, even where next hops are looked up.
    pub(super) fn place_all(&mut self) {
        for id in self.table.ids() {
            let Some(flow) = self.table.flow(id) else {
                continue;
            };
            let path = self.path(flow);
            let before = self.table.path(id);
            if let Some(before) = before.filter(|before| *before != path) {
                self.with_kernel(path.place, |hops, kernel| hops.take(path, kernel));
                self.table.set_path(id, path);
                self.give_back(&before);
            }
            self.place(id, &path);
        }
    }

    fn place_along(&mut self, path: &Path) {
        for id in self.table.on_path(path) {
            self.place(id, path);
        }
    }

    fn place(&mut self, id: FlowId, path: &Path) {
        if let Some(local) = self.table.flow(id).map(|flow| flow.local.ip()) {
            let way = self.way(local, path);
            self.table.reroute(id, way);
        }
    }

    /// What a flow's route is looked up by, and where.
    fn path(&self, flow: &Flow) -> Path {
        Path {
            place: self.ways.lookup(flow.local.ip()),
            to: flow.to.ip(),
            from: flow.from.ip(),
            oif: match flow.to {
                SocketAddr::V6(to) => to.scope_id(),
                SocketAddr::V4(_) => 0,
            },
        }
    }

    /// How packets for `local` can be forwarded along a path now, or why they can't.
    fn way(&mut self, local: IpAddr, path: &Path) -> Result<Way, Reason> {
        let view = self.view(path.place).ok_or(Reason::NoRoute)?;
        let hop = view.hops.get(path)?;
        let ingress = self.ways.ingress(local)?;
        let named = Device {
            place: path.place,
            ifindex: hop.ifindex,
        };
        let Some(egress) = self.ways.egress(named) else {
            self.agent.want(named);
            return Err(Reason::EgressNotGranted);
        };
        // What comes in at the node turns around there: an interface of ours stands for its parent.
        let leaves_by = if ingress.device.place == path.place {
            named
        } else {
            ingress.device
        };
        // Most drivers have queues for XDP to send by only while a program of their own is attached.
        if ingress.by_xdp && !egress.xdp {
            return Err(Reason::EgressUnsupported);
        }
        if ingress.by_xdp && self.ways.is_given_up(leaves_by) {
            return Err(Reason::EngineGivenUp);
        }
        let ttl = match (self.ttl.or(hop.hop_limit), path.to) {
            (Some(ttl), _) => ttl,
            (None, IpAddr::V4(_)) => self.hop_limits.ttl(),
            (None, IpAddr::V6(_)) => {
                let link = self.own.hops.link(hop.ifindex);
                // The node's own settings are not to be had.
                let link = link.filter(|_| path.place == Place::Own);
                self.hop_limits
                    .hop_limit(link.map_or("default", |link| link.name.as_str()))
            }
        };
        Ok(Way {
            hop,
            egress: egress.slot,
            from_mac: egress.mac,
            ttl,
            local_mac: ingress.mac,
            between: [ingress.device, leaves_by],
        })
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

    /// What is known of a place; `None` if it can't be seen.
    pub(super) fn view(&mut self, place: Place) -> Option<&mut View> {
        match place {
            Place::Own => Some(&mut self.own),
            Place::Node => self.node.as_mut(),
        }
    }

    fn with_kernel(&mut self, place: Place, act: impl FnOnce(&mut NextHops, &mut Questions<'_>)) {
        let view = match place {
            Place::Own => Some(&mut self.own),
            Place::Node => self.node.as_mut(),
        };
        if let Some(View { netlink, hops, .. }) = view {
            let agent = &mut self.agent.connection;
            let mut questions = Questions {
                netlink,
                agent,
                place,
            };
            act(hops, &mut questions);
        }
    }
}
