//! What the relay needs of rtnetlink(7): routes, neighbours, links and addresses, asked for and watched.

mod filter;
mod inspect;
mod message;
mod parse;
mod request;
mod watch;

pub(crate) use filter::Filter;
pub(crate) use inspect::Classifier;
pub(crate) use request::Netlink;
pub(crate) use watch::Watch;

use std::net::IpAddr;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};

use rtnetlink::sys::Socket;

/// Something changed, or was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A link is there, maybe changed.
    Link(u32, Link),
    /// A link is gone.
    LinkGone(u32),
    /// A link carries an address.
    Address(u32, IpAddr),
    /// It does not any more.
    AddressGone(u32, IpAddr),
    /// A neighbour on a link; `None`: forgotten.
    Neighbour(u32, IpAddr, Option<Neighbour>),
    /// A route or a rule changed.
    Routes,
    /// Events were lost: everything has to be read anew.
    Lost,
}

/// A network device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its name.
    pub(crate) name: String,
    /// `IFLA_INFO_KIND` of virtual devices.
    pub(crate) kind: Option<String>,
    /// Its Ethernet address, if it has one.
    pub(crate) mac: Option<[u8; 6]>,
    /// Largest IP packet, bytes.
    pub(crate) mtu: u32,
    /// Set up, and the layer below is.
    pub(crate) up: bool,
    /// The loopback device.
    pub(crate) loopback: bool,
    /// The device of the same namespace that this one sits on (VLAN, macvlan, …) or is the peer of (veth).
    pub(crate) lower: Option<u32>,
    /// The same where that device is in another namespace: its index there, and what this namespace calls the other
    /// ([`Netlink::namespace_id`]).
    pub(crate) elsewhere: Option<(u32, i32)>,
}

impl Link {
    /// Carries addresses whose packets come in elsewhere.
    pub(crate) fn is_anchor(&self) -> bool {
        self.loopback || self.kind.as_deref() == Some("dummy")
    }

    /// The device whose frames this one gets.
    pub(crate) fn parent(&self) -> Option<u32> {
        self.lower.filter(|_| self.kind.as_deref() != Some("veth"))
    }
}

/// A neighbour's link-layer address and how far it is to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neighbour {
    /// `None` until it has answered.
    pub(crate) mac: Option<[u8; 6]>,
    /// `NUD_*`.
    pub(crate) state: u16,
}

const NUD_INCOMPLETE: u16 = 0x01;
const NUD_FAILED: u16 = 0x20;
const NUD_NOARP: u16 = 0x40;
const NUD_PERMANENT: u16 = 0x80;

impl Neighbour {
    /// The address to send to, if the kernel itself would send there.
    pub(crate) fn usable(self) -> Option<[u8; 6]> {
        if self.state == 0 || self.state & (NUD_INCOMPLETE | NUD_FAILED) != 0 {
            return None;
        }
        self.mac
    }

    /// The kernel never asks for it again by itself, and need not.
    pub(crate) fn is_static(self) -> bool {
        self.state & (NUD_NOARP | NUD_PERMANENT) != 0
    }
}

/// A route towards one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Through a device.
    Unicast {
        /// The egress device.
        ifindex: u32,
        /// Whom to send to on the link: the gateway, or the destination itself.
        neighbour: IpAddr,
        /// The route's own MTU, if it has one.
        mtu: Option<u32>,
        /// The route's own TTL or hop limit, if it has one.
        hop_limit: Option<u8>,
    },
    /// An address of this machine.
    Local,
    /// Unreachable, prohibited, broadcast, multicast: not for us.
    Unusable,
}

fn from_fd(descriptor: OwnedFd) -> Socket {
    // SAFETY: an open descriptor that belongs to nobody else.
    unsafe { Socket::from_raw_fd(descriptor.into_raw_fd()) }
}

fn into_fd(socket: Socket) -> OwnedFd {
    // SAFETY: an open descriptor that the socket has just given up.
    unsafe { OwnedFd::from_raw_fd(socket.into_raw_fd()) }
}
