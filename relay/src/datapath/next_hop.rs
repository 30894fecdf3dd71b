//! Where packets leave: routes and neighbours of the destinations in use, resolved once for all flows that share them.
//!
//! Holds a copy of what the kernel has told and knows no socket: questions go through [`Kernel`], changes come in as
//! values, and every change answers with the paths it touches.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Reason;
use crate::netlink::{Link, Neighbour, Route};
use crate::tables::protocol::Place;

/// What the kernel decides a route by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path {
    /// Whose routes.
    pub(crate) place: Place,
    /// Destination.
    pub(crate) to: IpAddr,
    /// Our source address.
    pub(crate) from: IpAddr,
    /// The egress device where the destination's scope names it; else 0.
    pub(crate) oif: u32,
}

/// How to send along a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NextHop {
    /// The egress device.
    pub(crate) ifindex: u32,
    /// Largest IP packet, bytes.
    pub(crate) mtu: u16,
    /// The route's TTL or hop limit, if it has its own.
    pub(crate) hop_limit: Option<u8>,
    /// The neighbour's.
    pub(crate) to_mac: [u8; 6],
}

/// What has to be asked of the kernel.
pub(crate) trait Kernel {
    /// The route along a path.
    fn route(&mut self, path: &Path) -> Result<Route, Reason>;

    /// Makes the kernel resolve a neighbour, or confirm it if it is stale.
    fn use_neighbour(&mut self, ifindex: u32, address: IpAddr);
}

#[derive(Debug)]
struct Entry {
    users: usize,
    route: Result<Route, Reason>,
    /// The egress device of the last route there was.
    egress: Option<u32>,
}

/// The next hops of all paths in use.
#[derive(Debug, Default)]
pub(crate) struct NextHops {
    links: BTreeMap<u32, Link>,
    neighbours: BTreeMap<(u32, IpAddr), Neighbour>,
    paths: BTreeMap<Path, Entry>,
    by_neighbour: BTreeMap<(u32, IpAddr), BTreeSet<Path>>,
}

impl NextHops {
    /// Counts one more user of a path, and resolves it if it is the first.
    pub(crate) fn take(&mut self, path: Path, kernel: &mut impl Kernel) {
        if let Some(entry) = self.paths.get_mut(&path) {
            entry.users += 1;
            return;
        }
        let route = kernel.route(&path);
        let entry = Entry {
            users: 1,
            route,
            egress: egress(route),
        };
        self.paths.insert(path, entry);
        self.index(path, kernel);
    }

    /// Counts one user less; forgets the path after the last.
    pub(crate) fn give_back(&mut self, path: &Path) {
        let Some(entry) = self.paths.get_mut(path) else {
            return;
        };
        entry.users -= 1;
        if entry.users == 0 {
            self.unindex(path);
            self.paths.remove(path);
        }
    }

    /// How to send along a path in use, or why that can't be done.
    pub(crate) fn get(&self, path: &Path) -> Result<NextHop, Reason> {
        let entry = self.paths.get(path).ok_or(Reason::NoRoute)?;
        let (ifindex, neighbour, mtu, hop_limit) = match entry.route {
            Ok(Route::Unicast {
                ifindex,
                neighbour,
                mtu,
                hop_limit,
            }) => (ifindex, neighbour, mtu, hop_limit),
            Ok(Route::Local) => return Err(Reason::DestinationIsLocal),
            Ok(Route::Unusable) => return Err(Reason::NoRoute),
            // The routes of a link that goes down go with it: the link is the reason.
            Err(_) if entry.egress.is_some_and(|index| !self.is_up(index)) => {
                return Err(Reason::InterfaceDown);
            }
            Err(reason) => return Err(reason),
        };
        let link = self.links.get(&ifindex).ok_or(Reason::InterfaceDown)?;
        if !link.up {
            return Err(Reason::InterfaceDown);
        }
        if link.mac.is_none() {
            return Err(Reason::EgressUnsupported);
        }
        let to_mac = self
            .neighbours
            .get(&(ifindex, neighbour))
            .and_then(|neighbour| neighbour.usable())
            .ok_or(Reason::NextHopUnresolved)?;
        let mtu = mtu.unwrap_or(link.mtu).min(link.mtu);
        Ok(NextHop {
            ifindex,
            mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
            hop_limit,
            to_mac,
        })
    }

    /// Through which device a path in use leads, or led last.
    pub(crate) fn egress(&self, path: &Path) -> Option<u32> {
        self.paths.get(path)?.egress
    }

    /// A link as last told.
    pub(crate) fn link(&self, ifindex: u32) -> Option<&Link> {
        self.links.get(&ifindex)
    }

    /// All paths in use.
    pub(crate) fn paths(&self) -> Vec<Path> {
        self.paths.keys().copied().collect()
    }

    /// Notes a link (`None`: gone) and says whether anything about it has changed. If so, every route may have: see
    /// [`Self::reroute`].
    pub(crate) fn link_changed(&mut self, ifindex: u32, link: Option<Link>) -> bool {
        if self.links.get(&ifindex) == link.as_ref() {
            return false;
        }
        match link {
            Some(link) => self.links.insert(ifindex, link),
            None => {
                self.neighbours.retain(|(on, _), _| *on != ifindex);
                self.links.remove(&ifindex)
            }
        };
        true
    }

    /// Notes a neighbour (`None`: forgotten) and returns the paths whose next hop changed by it.
    pub(crate) fn neighbour_changed(
        &mut self,
        ifindex: u32,
        address: IpAddr,
        neighbour: Option<Neighbour>,
    ) -> Vec<Path> {
        let key = (ifindex, address);
        let before = self.neighbours.get(&key).and_then(|n| n.usable());
        let after = neighbour.and_then(Neighbour::usable);
        match neighbour {
            Some(neighbour) => self.neighbours.insert(key, neighbour),
            None => self.neighbours.remove(&key),
        };
        if before == after {
            return Vec::new();
        }
        self.by_neighbour
            .get(&key)
            .map(|paths| paths.iter().copied().collect())
            .unwrap_or_default()
    }

    /// Looks every route up again, and returns the paths whose route changed.
    pub(crate) fn reroute(&mut self, kernel: &mut impl Kernel) -> Vec<Path> {
        let mut changed = Vec::new();
        for path in self.paths() {
            let route = kernel.route(&path);
            if self.paths.get(&path).is_some_and(|e| e.route == route) {
                continue;
            }
            self.unindex(&path);
            if let Some(entry) = self.paths.get_mut(&path) {
                entry.route = route;
                entry.egress = egress(route).or(entry.egress);
            }
            self.index(path, kernel);
            changed.push(path);
        }
        changed
    }

    /// Forgets links and neighbours, before they are read anew.
    pub(crate) fn clear(&mut self) {
        self.links.clear();
        self.neighbours.clear();
    }

    /// Tells the kernel which neighbours are in use: it confirms those gone stale and asks again for those that do not
    /// answer, as it would if the packets went through its own stack. Call it every few seconds.
    pub(crate) fn keep_fresh(&self, kernel: &mut impl Kernel) {
        self.ask(kernel, |neighbour| {
            !neighbour.is_some_and(Neighbour::is_static)
        });
    }

    /// Asks for the neighbours in use that are not resolved.
    pub(crate) fn ask_unresolved(&self, kernel: &mut impl Kernel) {
        self.ask(kernel, |neighbour| {
            neighbour.and_then(Neighbour::usable).is_none()
        });
    }

    fn ask(&self, kernel: &mut impl Kernel, which: impl Fn(Option<Neighbour>) -> bool) {
        for (ifindex, address) in self.by_neighbour.keys() {
            let neighbour = self.neighbours.get(&(*ifindex, *address)).copied();
            if which(neighbour) && self.is_up(*ifindex) {
                kernel.use_neighbour(*ifindex, *address);
            }
        }
    }

    fn is_up(&self, ifindex: u32) -> bool {
        self.links.get(&ifindex).is_some_and(|link| link.up)
    }

    fn index(&mut self, path: Path, kernel: &mut impl Kernel) {
        let Some(key) = self.neighbour_of(&path) else {
            return;
        };
        self.by_neighbour.entry(key).or_default().insert(path);
        if self
            .neighbours
            .get(&key)
            .and_then(|neighbour| neighbour.usable())
            .is_none()
        {
            kernel.use_neighbour(key.0, key.1);
        }
    }

    fn unindex(&mut self, path: &Path) {
        let Some(key) = self.neighbour_of(path) else {
            return;
        };
        if let Some(paths) = self.by_neighbour.get_mut(&key) {
            paths.remove(path);
            if paths.is_empty() {
                self.by_neighbour.remove(&key);
            }
        }
    }

    fn neighbour_of(&self, path: &Path) -> Option<(u32, IpAddr)> {
        match self.paths.get(path)?.route {
            Ok(Route::Unicast {
                ifindex, neighbour, ..
            }) => Some((ifindex, neighbour)),
            _ => None,
        }
    }
}

fn egress(route: Result<Route, Reason>) -> Option<u32> {
    match route {
        Ok(Route::Unicast { ifindex, .. }) => Some(ifindex),
        _ => None,
    }
}

#[cfg(test)]
#[path = "next_hop_tests.rs"]
mod tests;
