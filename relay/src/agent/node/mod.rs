//! The kernel's part of a node, for real: maps, programs, links, grants, and the namespaces they are in.
//!
//! All that must outlive an agent is in bpffs ([`pins`], [`hook`]); what is kept here is a copy, or can be found out
//! again. The caller sees to it that one agent of the node at a time changes anything.

mod addresses;
mod bpf;
mod deed;
mod front;
mod grant;
mod heartbeat;
mod hook;
mod hooks;
pub(super) mod look;
mod namespace;
mod pins;
mod placement;
mod plan;
mod programs;
mod reconcile;
mod share;
mod space;
mod table;
mod usage;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use underpass_abi::{GRANT, HEADER, LAYOUT_VERSION, OUTCOMES, PORTS, RECORDS};

use super::kernel::{Generation, KernelError, Maps, NodeKernel, Spec};
use crate::datapath::TableUsage;
use crate::datapath::table::Sizes;
use crate::netlink::{Event, Netlink, Watch};
use crate::tables::protocol::{Place, Placement};
use deed::Deed;
use grant::Grant;
use hooks::Hooks;
use pins::{At, Pins};
use space::Space;
use table::Table;

/// The node that this thread is on.
///
/// # Errors
/// As [`Node::new`].
pub(super) fn open(bpffs: &Path, uplinks: &[String]) -> Result<Box<dyn NodeKernel>, KernelError> {
    Ok(Box::new(Node::new(bpffs, uplinks.to_vec())?))
}

/// The node whose network namespace this thread was in when it was made.
#[derive(Debug)]
pub(crate) struct Node {
    hooks: Hooks,
    /// Names of the node's interfaces through which the own ones of relays that come now are reached.
    uplinks: Vec<String>,
    /// The node's own namespace, in [`Node::spaces`].
    home: u64,
    spaces: BTreeMap<u64, Space>,
    tables: BTreeMap<Generation, Table>,
    /// Interfaces whose native XDP has been given up for good, by namespace and name.
    given_up: BTreeSet<(u64, String)>,
    /// Whose placement has changed since [`NodeKernel::follow`] told last.
    changed: BTreeSet<Generation>,
}

impl Node {
    /// The node that this thread is on, with its bpffs, which is mounted if it is not.
    ///
    /// # Errors
    /// No bpffs, or the node's links can't be read.
    pub(crate) fn new(bpffs: &Path, uplinks: Vec<String>) -> Result<Self, KernelError> {
        let pins = Pins::open(bpffs).map_err(KernelError::Pins)?;
        let namespace = namespace::current().map_err(KernelError::Namespace)?;
        let home = Space::open(namespace, !uplinks.is_empty())?;
        Ok(Self {
            hooks: Hooks {
                pins,
                without_tcx: false,
            },
            uplinks,
            home: home.inode,
            spaces: BTreeMap::from([(home.inode, home)]),
            tables: BTreeMap::new(),
            given_up: BTreeSet::new(),
            changed: BTreeSet::new(),
        })
    }

    fn directory(&self, generation: Generation) -> PathBuf {
        self.hooks.pins.generation(generation)
    }

    /// Begins to follow a namespace, if it is not followed yet.
    fn enter(&mut self, namespace: OwnedFd, routes: bool) -> Result<u64, KernelError> {
        let inode = namespace::inode(namespace.as_fd()).map_err(KernelError::Namespace)?;
        let is_followed = |space: &Space| space.routes || !routes;
        if !self.spaces.get(&inode).is_some_and(is_followed) {
            self.spaces.insert(inode, Space::open(namespace, routes)?);
        }
        Ok(inode)
    }

    /// Begins to follow what was the node's namespace for the agent that made a generation.
    fn enter_home(&mut self, home: u64, uplinks: &[String]) -> Option<u64> {
        let namespace = match self.spaces.get(&home) {
            Some(space) => space.descriptor().try_clone_to_owned().ok()?,
            None => namespace::find(home)?,
        };
        self.enter(namespace, !uplinks.is_empty()).ok()
    }

    /// Leaves the namespaces that no table is in.
    fn leave(&mut self) {
        let (tables, home) = (&self.tables, self.home);
        self.spaces.retain(|inode, _| {
            let mut in_use = tables
                .values()
                .flat_map(|table| [table.namespace, table.home]);
            *inode == home || in_use.any(|used| used == Some(*inode))
        });
    }

    /// Takes in what has changed since it was looked at last.
    fn catch_up(&mut self) {
        let moved: BTreeSet<u64> = self
            .spaces
            .values_mut()
            .filter_map(|space| space.follow().then_some(space.inode))
            .collect();
        let has_moved = |space: Option<u64>| space.is_some_and(|inode| moved.contains(&inode));
        let concerned: Vec<Generation> = self
            .tables
            .iter()
            .filter(|(_, table)| {
                has_moved(table.namespace) || (has_moved(table.home) && !table.uplinks.is_empty())
            })
            .map(|(generation, _)| *generation)
            .collect();
        for generation in concerned {
            self.reconcile(generation);
        }
    }

    /// The namespace that a place of a table is.
    fn namespace_of(&self, generation: Generation, place: Place) -> Option<u64> {
        let table = self.tables.get(&generation)?;
        match place {
            Place::Node => table.home,
            Place::Own => table.namespace,
        }
    }

    fn make(&mut self, generation: Generation, spec: &Spec) -> Result<Grant, KernelError> {
        let directory = self.directory(generation);
        fs::create_dir_all(&directory).map_err(KernelError::Pins)?;
        let sizes = Sizes::new(spec.max_flows, spec.addresses.len());
        programs::make_maps(&directory, sizes).map_err(KernelError::Load)?;
        let deed = Deed {
            addresses: spec.addresses.clone(),
            ports: spec.ports.clone(),
            home: self.home,
            uplinks: self.uplinks.clone(),
        };
        deed.write(&directory).map_err(KernelError::Pins)?;
        let mut grant = open_grant(&directory)?;
        // Its owner has just asked for it.
        heartbeat::beat(&directory);
        grant.fill(spec);
        Ok(grant)
    }

    fn unpin(&self, generation: Generation) {
        let directory = self.directory(generation);
        pins::remove(&directory);
        if let Some(table) = directory.parent() {
            // Other generations may be in it.
            let _ = fs::remove_dir(table);
        }
    }
}

impl NodeKernel for Node {
    fn addresses(&mut self, namespace: BorrowedFd<'_>) -> Result<Vec<IpAddr>, KernelError> {
        let events = namespace::within(namespace, || Netlink::open()?.dump_links())
            .map_err(KernelError::Namespace)?
            .map_err(KernelError::Netlink)?;
        let addresses = events.into_iter().filter_map(|event| match event {
            Event::Address(_, address) => Some(address),
            _ => None,
        });
        Ok(addresses.collect())
    }

    fn create(
        &mut self,
        generation: Generation,
        spec: &Spec,
        namespace: OwnedFd,
    ) -> Result<(), KernelError> {
        self.catch_up();
        let namespace = self.enter(namespace, false)?;
        match self.make(generation, spec) {
            Ok(grant) => {
                let mut table = Table::new(spec.clone(), Some(grant));
                table.namespace = Some(namespace);
                table.home = Some(self.home);
                table.uplinks.clone_from(&self.uplinks);
                self.tables.insert(generation, table);
                self.reconcile(generation);
                Ok(())
            }
            Err(error) => {
                self.unpin(generation);
                self.leave();
                Err(error)
            }
        }
    }

    fn adopt(
        &mut self,
        generation: Generation,
        spec: &Spec,
        namespace: Option<OwnedFd>,
    ) -> Result<(), KernelError> {
        let directory = self.directory(generation);
        if !directory.is_dir() {
            return Err(KernelError::NotThere(generation));
        }
        self.catch_up();
        let mut table = Table::new(spec.clone(), None);
        if generation.layout == LAYOUT_VERSION {
            table.grant = Some(open_grant(&directory)?);
        }
        if let Ok(deed) = Deed::read(&directory) {
            table.home = self.enter_home(deed.home, &deed.uplinks);
            table.uplinks = deed.uplinks;
        }
        if let Some(namespace) = namespace {
            table.namespace = Some(self.enter(namespace, false)?);
        }
        self.tables.insert(generation, table);
        self.leave();
        self.reconcile(generation);
        Ok(())
    }

    fn maps(&mut self, generation: Generation, _for_owner: bool) -> Result<Maps, KernelError> {
        if generation.layout != LAYOUT_VERSION {
            return Err(KernelError::NotThere(generation));
        }
        let directory = self.directory(generation);
        let open = |name| {
            bpf::open(&directory.join(name)).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => KernelError::NotThere(generation),
                _ => KernelError::Pins(error),
            })
        };
        Ok(Maps {
            header: open(HEADER)?,
            ports: open(PORTS)?,
            records: open(RECORDS)?,
            outcomes: open(OUTCOMES)?,
        })
    }

    fn attach(&mut self, generation: Generation, previous: Option<Generation>) -> Placement {
        self.catch_up();
        if let Some(table) = self.tables.get_mut(&generation) {
            table.is_attached = true;
            table.attempts.clear();
        }
        self.reconcile(generation);
        if let Some(previous) = previous {
            self.remove(previous);
        }
        self.changed.remove(&generation);
        self.placement(generation)
    }

    fn is_at_work(&self, generation: Generation) -> bool {
        self.attached_at(generation).next().is_some()
    }

    fn placement(&mut self, generation: Generation) -> Placement {
        self.placement_of(generation)
    }

    fn last_alive_ns(&mut self, generation: Generation) -> Option<u64> {
        heartbeat::last(&self.directory(generation))
    }

    fn keep_alive(&mut self, generation: Generation) {
        if heartbeat::beat(&self.directory(generation)).is_none() {
            tracing::warn!(?generation, "no sign of life can be given");
        }
    }

    fn usage(&mut self, generation: Generation) -> Option<TableUsage> {
        if generation.layout != LAYOUT_VERSION {
            return None;
        }
        usage::usage(&self.directory(generation))
    }

    fn remove(&mut self, generation: Generation) {
        let directory = self.directory(generation);
        if generation.layout == LAYOUT_VERSION
            && let Ok(mut grant) = open_grant(&directory)
        {
            // Whoever has its maps open can write what he likes: nothing is forwarded.
            grant.revoke();
        }
        for at in self.hooks.pins.interfaces() {
            self.expel(at, generation);
        }
        self.unpin(generation);
        self.tables.remove(&generation);
        self.changed.remove(&generation);
        self.leave();
    }

    fn pinned(&mut self) -> Vec<Generation> {
        self.hooks.pins.generations()
    }

    fn want_egress(&mut self, generation: Generation, place: Place, ifindex: u32) {
        /// More than there are slots; each is looked at whenever links change.
        const MOST: usize = 64;
        let Some(table) = self.tables.get_mut(&generation) else {
            return;
        };
        if table.asked.len() < MOST && table.asked.insert((place, ifindex)) {
            self.reconcile(generation);
        }
    }

    fn use_neighbour(
        &mut self,
        generation: Generation,
        place: Place,
        ifindex: u32,
        address: IpAddr,
    ) {
        let is_way_out = self
            .tables
            .get(&generation)
            .is_some_and(|table| table.slots.contains(&Some((place, ifindex))));
        let Some(namespace) = self.namespace_of(generation, place) else {
            return;
        };
        if !is_way_out {
            return;
        }
        if let Some(space) = self.spaces.get_mut(&namespace)
            && let Err(error) = space.netlink.use_neighbour(ifindex, address)
        {
            tracing::debug!(%error, ifindex, %address, "the neighbour can't be asked for");
        }
    }

    fn not_sending(&mut self, generation: Generation, place: Place, ifindex: u32) {
        if let Some(namespace) = self.namespace_of(generation, place) {
            self.give_up_xdp(generation, At { namespace, ifindex });
        }
    }

    fn node_sockets(
        &mut self,
        generation: Generation,
    ) -> Result<Option<(OwnedFd, OwnedFd)>, KernelError> {
        let looks_there = self.tables.get(&generation).is_some_and(|table| {
            let mut entrances = table.plan.entrances.iter();
            entrances.any(|entrance| entrance.lookup == Place::Node)
        });
        let home = self.namespace_of(generation, Place::Node);
        let home = home.and_then(|inode| self.spaces.get(&inode));
        let Some(home) = home.filter(|_| looks_there) else {
            return Ok(None);
        };
        let sockets = namespace::within(home.descriptor(), || {
            // What a netlink socket may change is what both its maker and whoever sends on it may: a relay that is the
            // superuser of its own network must not become that of the node's.
            namespace::give_up_capabilities()?;
            Ok::<_, io::Error>((Netlink::open()?.into_fd(), Watch::open()?.into_fd()))
        });
        let sockets = sockets.map_err(KernelError::Namespace)?;
        sockets.map(Some).map_err(KernelError::Netlink)
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.spaces.values().map(Space::watched).collect()
    }

    fn follow(&mut self) -> Vec<Generation> {
        self.catch_up();
        std::mem::take(&mut self.changed).into_iter().collect()
    }
}

fn open_grant(directory: &Path) -> Result<Grant, KernelError> {
    let map = bpf::open(&directory.join(GRANT)).map_err(KernelError::Pins)?;
    Grant::new(map.as_fd()).map_err(KernelError::Pins)
}
