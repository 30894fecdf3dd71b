//! What changes on this machine, as it changes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rtnetlink::sys::{Socket, protocols::NETLINK_ROUTE};

use super::message::messages;
use super::{Event, parse};

const GROUPS: [u32; 8] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_NEIGH,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_IPV4_RULE,
    libc::RTNLGRP_IPV6_RULE,
];

const LINK_GROUPS: [u32; 3] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV6_IFADDR,
];

/// Those, and what decides where packets for an address go.
const ROUTE_GROUPS: [u32; 5] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_ROUTE,
];

/// Room for bursts: a full routing table re-learned, a network's neighbours flushed.
const RECEIVE_BUFFER: usize = 8 << 20;

/// A socket subscribed to links, neighbours, addresses, routes and rules.
pub(crate) struct Watch {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Watch {
    /// Subscribes in the thread's network namespace.
    ///
    /// # Errors
    /// No socket to be had.
    pub(crate) fn open() -> io::Result<Self> {
        Self::open_for(&GROUPS)
    }

    /// The same for links and addresses alone, and `routes` if wanted.
    ///
    /// # Errors
    /// No socket to be had.
    pub(crate) fn open_for_links(routes: bool) -> io::Result<Self> {
        Self::open_for(if routes { &ROUTE_GROUPS } else { &LINK_GROUPS })
    }

    fn open_for(groups: &[u32]) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        let force = nix::sys::socket::sockopt::RcvBufForce;
        if nix::sys::socket::setsockopt(&socket, force, &RECEIVE_BUFFER).is_err() {
            socket.set_rx_buf_sz(RECEIVE_BUFFER as libc::c_int)?;
        }
        for group in groups {
            socket.add_membership(*group)?;
        }
        Self::from_fd(super::into_fd(socket))
    }

    /// Goes on with a socket that another has subscribed, in whatever network namespace that was.
    ///
    /// # Errors
    /// It can't be made not to wait.
    pub(crate) fn from_fd(descriptor: OwnedFd) -> io::Result<Self> {
        let socket = super::from_fd(descriptor);
        socket.set_non_blocking(true)?;
        Ok(Self {
            socket,
            buffer: Vec::with_capacity(64 * 1024),
        })
    }

    /// The socket itself, to be passed on.
    pub(crate) fn into_fd(self) -> OwnedFd {
        super::into_fd(self.socket)
    }

    /// Everything that has happened since the last call; never waits.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, 0) {
                Ok(_) => events.extend(messages(&self.buffer).filter_map(|m| parse::event(&m))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return events,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // ENOBUFS: the kernel dropped events that we were too slow for.
                    tracing::debug!(%error, "netlink events lost");
                    events.push(Event::Lost);
                    return events;
                }
            }
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}
