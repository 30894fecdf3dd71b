//! One network namespace as the thread sees it: its routes, neighbours and links, asked for and watched.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use crate::datapath::Reason;
use crate::datapath::next_hop::{Kernel, NextHops, Path};
use crate::netlink::{Event, Netlink, Route, Watch};
use crate::tables::client::Connection;
use crate::tables::protocol::{Place, ToAgent};

/// Next hops of one place, and what they are learned by.
#[derive(Debug)]
pub(super) struct View {
    pub(super) netlink: Netlink,
    pub(super) watch: Watch,
    pub(super) hops: NextHops,
}

impl View {
    /// The thread's own network namespace.
    ///
    /// # Errors
    /// It can't be read.
    pub(super) fn own() -> io::Result<Self> {
        Self::new(Netlink::open()?, Watch::open()?)
    }

    /// The node's, through sockets that were opened there: one to ask, one that hears of changes.
    ///
    /// # Errors
    /// It can't be read.
    pub(super) fn node((asks, hears): (OwnedFd, OwnedFd)) -> io::Result<Self> {
        Self::new(Netlink::from_fd(asks)?, Watch::from_fd(hears)?)
    }

    fn new(netlink: Netlink, watch: Watch) -> io::Result<Self> {
        let mut view = Self {
            netlink,
            watch,
            hops: NextHops::default(),
        };
        view.read_all()?;
        Ok(view)
    }

    /// Reads links and neighbours anew.
    ///
    /// # Errors
    /// They can't be read.
    pub(super) fn read_all(&mut self) -> io::Result<()> {
        let events = self.netlink.dump()?;
        self.hops.clear();
        for event in events {
            match event {
                Event::Link(index, link) => {
                    self.hops.link_changed(index, Some(link));
                }
                Event::Neighbour(index, address, neighbour) => {
                    self.hops.neighbour_changed(index, address, neighbour);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Answers what next hops ask: routes by netlink, and neighbours by the agent, which may touch them.
pub(super) struct Questions<'a> {
    pub(super) netlink: &'a mut Netlink,
    pub(super) agent: &'a mut Connection,
    pub(super) place: Place,
}

impl Kernel for Questions<'_> {
    fn route(&mut self, path: &Path) -> Result<Route, Reason> {
        // At the node our addresses are others' ones, which the kernel takes no word about.
        let from = Some(path.from).filter(|_| self.place == Place::Own);
        self.netlink
            .route(path.to, from, path.oif)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::ENETDOWN) => Reason::InterfaceDown,
                _ => Reason::NoRoute,
            })
    }

    fn use_neighbour(&mut self, ifindex: u32, address: IpAddr) {
        // Without an agent the packets that user space sends, or the kernel's own timers, do it.
        self.agent.send(&ToAgent::UseNeighbour {
            place: self.place,
            ifindex,
            address,
        });
    }
}
