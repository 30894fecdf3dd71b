//! A node's kernel that only remembers what was asked of it. Like the real one's pins, what it has outlives agents.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard};

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::kernel::{Generation, KernelError, Maps, NodeKernel, Spec};
use super::monotonic_ns;
use crate::datapath::TableUsage;
use crate::tables::protocol::{Interface, Place, Placement, Shape};

/// The kernel, as tests see it; each clone is the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeKernel(Arc<Mutex<World>>);

/// What there is.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// Addresses of every namespace.
    pub(crate) addresses: Vec<IpAddr>,
    /// Generations with pins.
    pub(crate) generations: BTreeMap<Generation, Pinned>,
    /// Making a generation fails.
    pub(crate) refuses: bool,
    /// Generations whose placement changes next.
    pub(crate) changed: Vec<Generation>,
    /// What owners asked for.
    pub(crate) asked: Vec<String>,
    /// How often a placement has been given.
    placements: u32,
}

/// A generation.
#[derive(Clone, Debug)]
pub(crate) struct Pinned {
    /// What it is for.
    pub(crate) spec: Spec,
    /// Packets come in.
    pub(crate) is_attached: bool,
    /// Its owner's last sign of life; `None`: it can't be told.
    pub(crate) alive_ns: Option<u64>,
}

impl FakeKernel {
    /// A node with these addresses.
    pub(crate) fn with(addresses: &[IpAddr]) -> Self {
        let kernel = Self::default();
        kernel.world().addresses = addresses.to_vec();
        kernel
    }

    /// What there is now.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Generations packets come in for.
    pub(crate) fn attached(&self) -> Vec<Generation> {
        let world = self.world();
        let attached = world
            .generations
            .iter()
            .filter(|(_, pinned)| pinned.is_attached);
        attached.map(|(generation, _)| *generation).collect()
    }
}

impl World {
    fn placement(&self, generation: Generation) -> Placement {
        let Some(pinned) = self.generations.get(&generation) else {
            return Placement::default();
        };
        let interface = Interface {
            name: "eth0".to_owned(),
            place: Place::Own,
            ifindex: 2,
            shape: Shape::Own,
            engine: None,
            note: format!("placement {}", self.placements),
            addresses: pinned.spec.addresses.clone(),
            mac: [0; 6],
            lookup: Place::Own,
        };
        Placement {
            interfaces: vec![interface],
            egresses: Vec::new(),
        }
    }
}

fn map() -> OwnedFd {
    memfd_create(c"map", MFdFlags::MFD_CLOEXEC).unwrap()
}

impl NodeKernel for FakeKernel {
    fn addresses(&mut self, _namespace: BorrowedFd<'_>) -> Result<Vec<IpAddr>, KernelError> {
        Ok(self.world().addresses.clone())
    }

    fn create(
        &mut self,
        generation: Generation,
        spec: &Spec,
        _namespace: OwnedFd,
    ) -> Result<(), KernelError> {
        let mut world = self.world();
        let pinned = Pinned {
            spec: spec.clone(),
            is_attached: false,
            alive_ns: Some(0),
        };
        let earlier = world.generations.insert(generation, pinned);
        assert!(earlier.is_none(), "{generation:?} is made twice");
        if world.refuses {
            return Err(KernelError::Pins(io::ErrorKind::StorageFull.into()));
        }
        Ok(())
    }

    fn adopt(
        &mut self,
        generation: Generation,
        spec: &Spec,
        _namespace: Option<OwnedFd>,
    ) -> Result<(), KernelError> {
        match self.world().generations.get(&generation) {
            Some(pinned) => {
                assert_eq!(pinned.spec, *spec, "adopted for something else");
                Ok(())
            }
            None => Err(KernelError::NotThere(generation)),
        }
    }

    fn maps(&mut self, generation: Generation, for_owner: bool) -> Result<Maps, KernelError> {
        if !self.world().generations.contains_key(&generation) {
            return Err(KernelError::NotThere(generation));
        }
        let _ = for_owner;
        Ok(Maps {
            header: map(),
            ports: map(),
            records: map(),
            outcomes: map(),
        })
    }

    fn attach(&mut self, generation: Generation, previous: Option<Generation>) -> Placement {
        let mut world = self.world();
        if let Some(previous) = previous {
            world.generations.remove(&previous);
        }
        if let Some(pinned) = world.generations.get_mut(&generation) {
            pinned.is_attached = true;
        }
        world.placement(generation)
    }

    fn is_at_work(&self, generation: Generation) -> bool {
        self.attached().contains(&generation)
    }

    fn placement(&mut self, generation: Generation) -> Placement {
        let mut world = self.world();
        world.placements += 1;
        world.placement(generation)
    }

    fn last_alive_ns(&mut self, generation: Generation) -> Option<u64> {
        self.world().generations.get(&generation)?.alive_ns
    }

    fn keep_alive(&mut self, generation: Generation) {
        if let Some(pinned) = self.world().generations.get_mut(&generation) {
            pinned.alive_ns = Some(monotonic_ns());
        }
    }

    fn usage(&mut self, _generation: Generation) -> Option<TableUsage> {
        None
    }

    fn remove(&mut self, generation: Generation) {
        self.world().generations.remove(&generation);
    }

    fn pinned(&mut self) -> Vec<Generation> {
        self.world().generations.keys().copied().collect()
    }

    fn want_egress(&mut self, generation: Generation, place: Place, ifindex: u32) {
        let asked = format!("egress {} {place:?} {ifindex}", generation.table);
        self.world().asked.push(asked);
    }

    fn use_neighbour(
        &mut self,
        generation: Generation,
        place: Place,
        ifindex: u32,
        address: IpAddr,
    ) {
        let asked = format!(
            "neighbour {} {place:?} {ifindex} {address}",
            generation.table
        );
        self.world().asked.push(asked);
    }

    fn not_sending(&mut self, generation: Generation, place: Place, ifindex: u32) {
        let asked = format!("not sending {} {place:?} {ifindex}", generation.table);
        self.world().asked.push(asked);
    }

    fn node_sockets(
        &mut self,
        _generation: Generation,
    ) -> Result<Option<(OwnedFd, OwnedFd)>, KernelError> {
        Ok(None)
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    fn follow(&mut self) -> Vec<Generation> {
        std::mem::take(&mut self.world().changed)
    }
}
