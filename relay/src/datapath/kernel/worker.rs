//! The thread that carries out what is wished for, follows what changes, and counts.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use underpass_abi::Outcome;

use super::ethtool;
use super::handle::{Command, Inbox};
use super::interfaces::Interfaces;
use super::maps::Outcomes;
use super::sysctl::HopLimits;
use crate::datapath::next_hop::{Kernel, NextHops, Path};
use crate::datapath::table::{FlowTable, Forwarded, Way};
use crate::datapath::watchdog::{Sent, Watchdog};
use crate::datapath::{Engine, Flow, FlowId, Monitor, Reason};
use crate::netlink::{Event, Neighbour, Netlink, Route, Watch};

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
    pub(super) netlink: Netlink,
    pub(super) watch: Watch,
    pub(super) hops: NextHops,
    pub(super) table: FlowTable,
    pub(super) interfaces: Interfaces,
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
    #[cfg(feature = "kernel-log")]
    pub(super) kernel_log: Option<Box<dyn FnMut() + Send>>,
}

impl Worker {
    /// Works until told to stop; then ends every flow.
    pub(super) fn run(mut self) {
        let mut next_tick = Instant::now() + TICK;
        loop {
            self.wait(next_tick);
            let events = self.watch.events();
            self.follow(events);
            if self.carry_out() {
                break;
            }
            let now = Instant::now();
            if self.reroute_at.is_some_and(|at| now >= at) {
                self.reroute_at = None;
                self.reroute();
            }
            if now >= next_tick {
                self.tick();
                next_tick = now + TICK;
            }
        }
        self.table.clear();
    }

    /// Reads links, addresses and neighbours, and attaches the engines.
    ///
    /// # Errors
    /// They can't be read.
    pub(super) fn read_all(&mut self) -> io::Result<()> {
        let events = self.netlink.dump()?;
        self.hops.clear();
        self.interfaces.forget_addresses();
        for event in events {
            self.note(event);
        }
        self.interfaces.reconcile(&self.hops, &mut self.netlink);
        self.monitor.set_interfaces(self.interfaces.summary());
        Ok(())
    }

    fn wait(&self, next_tick: Instant) {
        let until = self.reroute_at.map_or(next_tick, |at| at.min(next_tick));
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up, so as not to spin through the last millisecond.
        let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::ZERO);
        let commands = self.inbox.descriptor();
        let mut descriptors = [
            PollFd::new(commands.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.watch.as_fd(), PollFlags::POLLIN),
        ];
        // Interrupted or not: what is there is looked at.
        let _ = poll(&mut descriptors, timeout);
    }

    /// True: stop.
    fn carry_out(&mut self) -> bool {
        let mut waiting = Vec::new();
        for command in self.inbox.take(BATCH) {
            match command {
                Command::Install(id, flow, report) => {
                    let path = path(&flow);
                    self.with_kernel(|hops, kernel| hops.take(path, kernel));
                    let way = self.way(flow.local.ip(), &path);
                    let before = self.table.install(id, flow, path, report, way);
                    if let Some(before) = before {
                        self.hops.give_back(&before);
                    }
                }
                Command::Remove(id) => {
                    if let Some(path) = self.table.remove(id) {
                        self.hops.give_back(&path);
                    }
                }
                Command::Refresh(done) => waiting.push(done),
                Command::RefreshFlows(flows, _done) => self.table.sweep_some(&flows),
                Command::Stop => return true,
            }
        }
        if !waiting.is_empty() {
            self.count();
        }
        false
    }

    fn follow(&mut self, events: Vec<Event>) {
        let mut paths = BTreeSet::new();
        let mut links_changed = false;
        for event in events {
            match event {
                Event::Lost => {
                    if let Err(error) = self.read_all() {
                        tracing::error!(%error, "links and neighbours can't be read");
                    }
                    self.reroute_soon();
                    paths.extend(self.hops.paths());
                }
                Event::Routes => self.reroute_soon(),
                Event::Neighbour(index, address, neighbour) => {
                    let touched = self.hops.neighbour_changed(index, address, neighbour);
                    let is_lost = neighbour.and_then(Neighbour::usable).is_none();
                    if is_lost && !touched.is_empty() {
                        self.with_kernel(|_, kernel| kernel.use_neighbour(index, address));
                    }
                    paths.extend(touched);
                }
                event => links_changed |= self.note(event),
            }
        }
        if links_changed {
            self.hop_limits.forget();
            self.interfaces.reconcile(&self.hops, &mut self.netlink);
            self.monitor.set_interfaces(self.interfaces.summary());
            paths.extend(self.hops.paths());
            // A link or address that comes or goes changes routes, not always with a word about each.
            self.reroute_soon();
        }
        for path in paths {
            self.place_along(&path);
        }
    }

    /// Notes one event's news; true if a link or one of our addresses changed.
    fn note(&mut self, event: Event) -> bool {
        match event {
            Event::Link(index, link) => self.hops.link_changed(index, Some(link)),
            Event::LinkGone(index) => self.hops.link_changed(index, None),
            Event::Address(index, address) => self.interfaces.address_changed(index, address, true),
            Event::AddressGone(index, address) => {
                self.interfaces.address_changed(index, address, false)
            }
            Event::Neighbour(index, address, neighbour) => {
                self.hops.neighbour_changed(index, address, neighbour);
                false
            }
            Event::Routes | Event::Lost => false,
        }
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
        self.with_kernel(|hops, kernel| {
            changed = hops.reroute(kernel);
            hops.ask_unresolved(kernel);
        });
        for path in changed {
            self.place_along(&path);
        }
        self.reroute_took = began.elapsed();
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

    /// How packets for `local` can be forwarded along a path now, or why they can't.
    fn way(&mut self, local: IpAddr, path: &Path) -> Result<Way, Reason> {
        let hop = self.hops.get(path)?;
        let ingress = self.interfaces.ingress(local)?;
        // Most drivers have queues for XDP to send by only while a program of their own is attached.
        if ingress.engine == Engine::Xdp && self.interfaces.engine(hop.ifindex) != Some(Engine::Xdp)
        {
            return Err(Reason::EgressUnsupported);
        }
        let ttl = match (self.ttl.or(hop.hop_limit), path.to) {
            (Some(ttl), _) => ttl,
            (None, IpAddr::V4(_)) => self.hop_limits.ttl(),
            (None, IpAddr::V6(_)) => {
                let egress = self.hops.link(hop.ifindex);
                self.hop_limits
                    .hop_limit(egress.map_or("", |link| link.name.as_str()))
            }
        };
        Ok(Way {
            hop,
            ttl,
            ingress: ingress.ifindex,
            local_mac: ingress.mac,
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
        self.count();
        self.table.tick();
        let forwarded = self.table.take_forwarded();
        self.judge(&forwarded);
        if self.ticks.is_multiple_of(REVISE) {
            self.reroute_soon();
        }
        #[cfg(feature = "kernel-log")]
        if let Some(flush) = &mut self.kernel_log {
            flush();
        }
        if self.ticks.is_multiple_of(CONFIRM) {
            self.with_kernel(|hops, kernel| hops.keep_fresh(kernel));
        }
    }

    /// Gives native XDP up where a device does not send what was forwarded through it.
    fn judge(&mut self, forwarded: &Forwarded) {
        let xdp: Vec<u32> = self
            .hops
            .links()
            .map(|(index, _)| index)
            .filter(|index| self.interfaces.engine(*index) == Some(Engine::Xdp))
            .collect();
        let mut lost = Vec::new();
        for egress in xdp {
            let Some(sent) = self.sent(egress) else {
                continue;
            };
            self.watchdog.watch(egress, sent);
            let packets = forwarded
                .iter()
                .filter(|((_, to), _)| *to == egress)
                .map(|(_, packets)| packets)
                .sum();
            if self.watchdog.lost(egress, packets, sent) {
                lost.push(egress);
            }
        }
        for egress in lost {
            let mut affected: BTreeSet<u32> = forwarded
                .keys()
                .filter(|(_, to)| *to == egress)
                .map(|(from, _)| *from)
                .collect();
            affected.insert(egress);
            for index in affected {
                self.give_up_xdp(index);
            }
        }
    }

    fn give_up_xdp(&mut self, index: u32) {
        let Some(link) = self.hops.link(index).cloned() else {
            return;
        };
        tracing::error!(
            name = %link.name,
            "the device does not send what native XDP forwards: giving the engine up on it"
        );
        self.watchdog.forget(index);
        if self.interfaces.give_up_xdp(index, &link) {
            self.monitor.set_interfaces(self.interfaces.summary());
            for path in self.hops.paths() {
                self.place_along(&path);
            }
        }
    }

    fn sent(&mut self, index: u32) -> Option<Sent> {
        let link = self.hops.link(index)?.clone();
        let packets = self.netlink.packets_sent(index).ok()?;
        let statistics = ethtool::statistics(&link.name).unwrap_or_default();
        let trust_xdp = link.kind.as_deref() != Some("veth");
        Some(Sent::new(packets, &statistics, trust_xdp))
    }

    fn with_kernel(&mut self, act: impl FnOnce(&mut NextHops, &mut Questions<'_>)) {
        act(&mut self.hops, &mut Questions(&mut self.netlink));
    }
}

/// What a flow's route is looked up by.
fn path(flow: &Flow) -> Path {
    Path {
        to: flow.to.ip(),
        from: flow.from.ip(),
        oif: match flow.to {
            SocketAddr::V6(to) => to.scope_id(),
            SocketAddr::V4(_) => 0,
        },
    }
}

struct Questions<'a>(&'a mut Netlink);

impl Kernel for Questions<'_> {
    fn route(&mut self, path: &Path) -> Result<Route, Reason> {
        self.0
            .route(path.to, path.from, path.oif)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::ENETDOWN) => Reason::InterfaceDown,
                _ => Reason::NoRoute,
            })
    }

    fn use_neighbour(&mut self, ifindex: u32, address: IpAddr) {
        if let Err(error) = self.0.use_neighbour(ifindex, address) {
            tracing::debug!(%error, ifindex, %address, "the neighbour can't be asked for");
        }
    }
}
