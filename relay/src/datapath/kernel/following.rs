//! What happens to links, neighbours and routes, and where flows go then.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::view::{Questions, View};
use super::worker::Worker;
use crate::datapath::next_hop::{Kernel, NextHops, Path};
use crate::datapath::placement::Device;
use crate::datapath::table::{Leg, Legs, Way};
use crate::datapath::{Flow, Reason, Receiver};
use crate::netlink::{Event, Neighbour};
use crate::tables::protocol::Place;

/// How long route changes gather before all routes are looked up again.
const GATHER: Duration = Duration::from_millis(100);

impl Worker {
    /// Carries out what has happened in one place.
    pub(super) fn follow(&mut self, place: Place) {
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

    pub(super) fn reroute_soon(&mut self) {
        // With many paths a lookup takes its time: a machine whose routes never rest may spend a tenth on it.
        let pause = GATHER.max(self.reroute_took * 9);
        self.reroute_at
            .get_or_insert_with(|| Instant::now() + pause);
    }

    pub(super) fn reroute(&mut self) {
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
            let (local, paths) = (flow.local.ip(), self.paths(flow));
            let legs = self.take(local, &paths);
            let before = self.table.set_legs(id, legs);
            self.give_back(&before);
        }
    }

    fn place_along(&mut self, path: &Path) {
        for id in self.table.on_path(path) {
            if let Some(flow) = self.table.flow(id) {
                let (local, is_alone) = (flow.local.ip(), flow.further.is_empty());
                let way = self.way(local, path, is_alone);
                self.table.reroute(id, path, way);
            }
        }
    }

    /// What the routes to a flow's receivers are looked up by, and where.
    pub(super) fn paths(&self, flow: &Flow) -> SmallVec<[Path; 1]> {
        let place = self.ways.lookup(flow.local.ip());
        let path = |receiver: Receiver| Path {
            place,
            to: receiver.to.ip(),
            from: receiver.from.ip(),
            oif: match receiver.to {
                SocketAddr::V6(to) => to.scope_id(),
                SocketAddr::V4(_) => 0,
            },
        };
        flow.receivers().map(path).collect()
    }

    /// Takes these paths into use for packets that arrive at `local`.
    pub(super) fn take(&mut self, local: IpAddr, paths: &[Path]) -> Legs {
        let leg = |path: &Path| {
            self.with_kernel(path.place, |hops, kernel| hops.take(*path, kernel));
            let way = self.way(local, path, paths.len() == 1);
            Leg { path: *path, way }
        };
        paths.iter().map(leg).collect()
    }

    /// How packets for `local` can be forwarded along a path now, or why they can't. `is_alone`: nobody else gets them.
    fn way(&mut self, local: IpAddr, path: &Path, is_alone: bool) -> Result<Way, Reason> {
        let place = path.place;
        let view = self.view(place).ok_or(Reason::NoRoute)?;
        let hop = view.hops.get(path);
        let named = view
            .hops
            .egress(path)
            .map(|ifindex| Device { place, ifindex });
        let egress = named.and_then(|named| self.ways.egress(named));
        // Even if there is no next hop yet: the agent asks for neighbours at ways out alone.
        if let Some(named) = named.filter(|_| egress.is_none()) {
            self.agent.want(named);
        }
        let hop = hop?;
        let ingress = self.ways.ingress(local)?;
        let (Some(named), Some(egress)) = (named, egress) else {
            return Err(Reason::EgressNotGranted);
        };
        if ingress.has_xdp && !is_alone {
            return Err(Reason::SeveralReceiversByXdp);
        }
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

    /// What is known of a place; `None` if it can't be seen.
    pub(super) fn view(&mut self, place: Place) -> Option<&mut View> {
        match place {
            Place::Own => Some(&mut self.own),
            Place::Node => self.node.as_mut(),
        }
    }

    pub(super) fn with_kernel(
        &mut self,
        place: Place,
        act: impl FnOnce(&mut NextHops, &mut Questions<'_>),
    ) {
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
