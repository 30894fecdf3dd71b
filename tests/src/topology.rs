//! Two networks that have no route to each other, and the relay between them.
//!
//! ```text
//!   caller 10.1.0.2 ----- 10.1.0.1  relay  10.2.0.1 ----- 10.2.0.2 callee
//!       fd01::2            fd01::1          fd02::1           fd02::2
//! ```
//! Each far side has a second address (10.x.0.3, fd0x::3) for strangers and for a party that moves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::lab::Lab;
use crate::netns::Netns;
use crate::xdp_pass::XdpPass;

/// How the relay's interfaces are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// A veth pair a side, as a container engine makes them.
    Veth,
    /// A veth pair a side whose far end co-operates with native XDP: GRO on, and an XDP program that passes all.
    VethWithXdpPeer,
    /// The relay has a macvlan a side, on a parent in the namespace of a host.
    Macvlan,
    /// A veth pair a side with a VLAN on it; both ends use the VLAN's interface.
    Vlan,
}

/// Which IP a party speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// One of the two networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The caller's, the relay's interface `a`.
    A,
    /// The callee's, the relay's interface `b`.
    B,
}

/// The namespaces of the topology; the interface is `eth0` in the far ones, `a` and `b` in the relay's.
#[derive(Debug)]
pub struct TwoNetworks {
    /// The caller's.
    pub caller: Netns,
    /// The relay's.
    pub relay: Netns,
    /// The callee's.
    pub callee: Netns,
    _host: Option<Netns>,
    _peers: Vec<XdpPass>,
}

impl TwoNetworks {
    /// Builds it.
    #[must_use]
    pub fn build(lab: &Lab, wiring: Wiring) -> Self {
        let (caller, relay, callee) =
            (lab.netns("caller"), lab.netns("relay"), lab.netns("callee"));
        let host = (wiring == Wiring::Macvlan).then(|| lab.netns("host"));
        let mut peers = Vec::new();
        for (side, far) in [(Side::A, &caller), (Side::B, &callee)] {
            let near = side.interface();
            match &host {
                None if wiring == Wiring::Vlan => vlan(far, &relay, near),
                None => far.veth("eth0", &relay, near),
                Some(host) => {
                    far.veth("eth0", host, near);
                    host.ip(&format!("link set dev {near} up"));
                    host.ip(&format!(
                        "link add link {near} name child-{near} type macvlan mode bridge"
                    ));
                    host.ip(&format!(
                        "link set dev child-{near} netns {} name {near}",
                        relay.name()
                    ));
                }
            }
            for family in [Family::V4, Family::V6] {
                relay.address(near, &with_prefix(side.relay(family)));
                far.address("eth0", &with_prefix(side.far(family)));
                far.address("eth0", &with_prefix(side.stranger(family)));
            }
            if wiring == Wiring::VethWithXdpPeer {
                far.offload("eth0", "gro", true);
                peers.push(XdpPass::attach(far, "eth0"));
            }
        }
        Self {
            caller,
            relay,
            callee,
            _host: host,
            _peers: peers,
        }
    }

    /// The far namespace of a side.
    #[must_use]
    pub fn far(&self, side: Side) -> &Netns {
        match side {
            Side::A => &self.caller,
            Side::B => &self.callee,
        }
    }
}

impl Side {
    /// The name of the relay's interface on this side, as a device and as rtpengine's `--interface` names it.
    #[must_use]
    pub fn interface(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// The relay's address on this side.
    #[must_use]
    pub fn relay(self, family: Family) -> IpAddr {
        self.host(family, 1)
    }

    /// The party's address on this side.
    #[must_use]
    pub fn far(self, family: Family) -> IpAddr {
        self.host(family, 2)
    }

    /// The second far address: a stranger's, or where a party moves to.
    #[must_use]
    pub fn stranger(self, family: Family) -> IpAddr {
        self.host(family, 3)
    }

    fn host(self, family: Family, host: u8) -> IpAddr {
        let network = match self {
            Self::A => 1,
            Self::B => 2,
        };
        match family {
            Family::V4 => Ipv4Addr::new(10, network, 0, host).into(),
            Family::V6 => Ipv6Addr::new(
                0xfd00 + u16::from(network),
                0,
                0,
                0,
                0,
                0,
                0,
                u16::from(host),
            )
            .into(),
        }
    }
}

/// `eth0` of `far` and `near` of `relay` are VLAN 7 of a veth pair.
fn vlan(far: &Netns, relay: &Netns, near: &str) {
    let trunk = format!("{near}-trunk");
    far.veth("trunk", relay, &trunk);
    for (ns, parent, name) in [(far, "trunk", "eth0"), (relay, &*trunk, near)] {
        ns.ip(&format!("link set dev {parent} up"));
        ns.ip(&format!(
            "link add link {parent} name {name} type vlan id 7"
        ));
    }
}

fn with_prefix(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 24 } else { 64 })
}
