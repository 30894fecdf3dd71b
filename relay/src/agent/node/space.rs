//! One network namespace: its links and addresses, as last told.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::namespace;
use crate::agent::kernel::KernelError;
use crate::netlink::{Event, Link, Netlink, Watch};

/// Links and addresses of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// By index.
    pub(super) links: BTreeMap<u32, Link>,
    /// What each carries.
    pub(super) addresses: BTreeMap<u32, BTreeSet<IpAddr>>,
}

impl View {
    /// Takes an event in.
    pub(super) fn note(&mut self, event: Event) {
        match event {
            Event::Link(index, link) => {
                self.links.insert(index, link);
            }
            Event::LinkGone(index) => {
                self.links.remove(&index);
                self.addresses.remove(&index);
            }
            Event::Address(index, address) => {
                self.addresses.entry(index).or_default().insert(address);
            }
            Event::AddressGone(index, address) => {
                if let Some(addresses) = self.addresses.get_mut(&index) {
                    addresses.remove(&address);
                }
            }
            Event::Neighbour(..) | Event::Routes | Event::Lost => {}
        }
    }

    /// Does a link carry an address?
    pub(super) fn carries(&self, index: u32, address: &IpAddr) -> bool {
        self.addresses
            .get(&index)
            .is_some_and(|addresses| addresses.contains(address))
    }
}

/// A namespace that is followed.
#[derive(Debug)]
pub(super) struct Space {
    /// See [`namespace::inode`].
    pub(super) inode: u64,
    /// Its links and addresses.
    pub(super) view: View,
    /// To ask there.
    pub(super) netlink: Netlink,
    /// Changes of routes count, too.
    pub(super) routes: bool,
    watch: Watch,
    descriptor: OwnedFd,
}

impl Space {
    /// Opens a namespace and reads it. `routes`: changes of routes count, too.
    ///
    /// # Errors
    /// It can't be entered or read.
    pub(super) fn open(descriptor: OwnedFd, routes: bool) -> Result<Self, KernelError> {
        let inode = namespace::inode(descriptor.as_fd()).map_err(KernelError::Namespace)?;
        let (watch, netlink) = namespace::within(descriptor.as_fd(), || {
            // Watched before it is read: nothing is missed in between.
            Ok::<_, io::Error>((Watch::open_for_links(routes)?, Netlink::open()?))
        })
        .map_err(KernelError::Namespace)?
        .map_err(KernelError::Netlink)?;
        let mut space = Self {
            inode,
            view: View::default(),
            netlink,
            routes,
            watch,
            descriptor,
        };
        space.read().map_err(KernelError::Netlink)?;
        Ok(space)
    }

    /// The namespace.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Readable when something has changed.
    pub(super) fn watched(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }

    /// Takes in what has changed; true if anything has.
    pub(super) fn follow(&mut self) -> bool {
        let events = self.watch.events();
        let before = self.view.clone();
        let routes = events.contains(&Event::Routes);
        if events.contains(&Event::Lost) {
            if let Err(error) = self.read() {
                tracing::error!(%error, "links and addresses can't be read");
            }
        } else {
            for event in events {
                self.view.note(event);
            }
        }
        routes || self.view != before
    }

    fn read(&mut self) -> io::Result<()> {
        let events = self.netlink.dump_links()?;
        self.view = View::default();
        for event in events {
            self.view.note(event);
        }
        Ok(())
    }
}
