//! What is measured: a system on a device between two address families with a number of flows.

use std::fmt;

use lab::{Family, Wiring};

/// What carries the packets from the caller's network to the callee's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Plain IP forwarding: no relay.
    Routing,
    /// The bare redirect program, the limit; IPv4 only.
    Bare,
    /// The kernel path, its flows installed through the datapath's own interface.
    Kernel,
    /// The kernel path as calls set it up: a relay process that was told of them by ng.
    KernelByCalls,
    /// The relay in user space.
    Null,
    /// Debian's rtpengine in user space.
    Rtpengine,
}

/// How the relay's interfaces are made, and with that the hook that programs are attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// veth, as container engines make it; programs at tc ingress.
    Veth,
    /// veth whose peers co-operate (GRO, a program that passes all); programs at native XDP.
    VethXdp,
    /// macvlan on a host's interface; programs at tc ingress of the macvlan itself, which has no native XDP.
    Macvlan,
}

/// The families packets come in and leave by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    /// The caller's.
    pub ingress: Family,
    /// The callee's.
    pub egress: Family,
}

/// One thing that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What relays.
    pub system: System,
    /// Over what.
    pub device: Device,
    /// From which family to which.
    pub families: Families,
    /// Flows, all from caller to callee.
    pub flows: usize,
}

impl Families {
    /// IPv4 on both sides.
    pub const V4: Self = Self::of(Family::V4, Family::V4);
    /// IPv6 on both sides.
    pub const V6: Self = Self::of(Family::V6, Family::V6);
    /// A caller with IPv4 and a callee with IPv6.
    pub const V4_TO_V6: Self = Self::of(Family::V4, Family::V6);
    /// A caller with IPv6 and a callee with IPv4.
    pub const V6_TO_V4: Self = Self::of(Family::V6, Family::V4);
    /// All of them.
    pub const ALL: [Self; 4] = [Self::V4, Self::V6, Self::V4_TO_V6, Self::V6_TO_V4];

    const fn of(ingress: Family, egress: Family) -> Self {
        Self { ingress, egress }
    }
}

impl Device {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Veth, Self::VethXdp, Self::Macvlan];

    /// As the lab builds it.
    #[must_use]
    pub fn wiring(self) -> Wiring {
        match self {
            Self::Veth => Wiring::Veth,
            Self::VethXdp => Wiring::VethWithXdpPeer,
            Self::Macvlan => Wiring::Macvlan,
        }
    }
}

impl System {
    /// Whether it is one of our programs at a hook, so that the hook belongs to its name.
    fn is_program(self) -> bool {
        matches!(self, Self::Bare | Self::Kernel | Self::KernelByCalls)
    }
}

impl Cell {
    /// Plain routing over the same device, by the family that the packets come in by, with as many flows: what there
    /// would be without a relay.
    #[must_use]
    pub fn routing(&self) -> Self {
        let family = self.families.ingress;
        Self {
            system: System::Routing,
            families: Families::of(family, family),
            ..*self
        }
    }

    /// The name of its series: all but the number of flows.
    #[must_use]
    pub fn series(&self) -> String {
        let hook = match (self.device, self.system.is_program()) {
            (Device::Veth, true) => "veth tc",
            (Device::Veth, false) => "veth",
            (Device::VethXdp, true) => "veth xdp",
            (Device::VethXdp, false) => "veth with XDP peers",
            (Device::Macvlan, true) => "macvlan tc",
            (Device::Macvlan, false) => "macvlan",
        };
        format!("{}, {hook}, {}", self.system, self.families)
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Routing => "routing",
            Self::Bare => "bare program",
            Self::Kernel => "kernel",
            Self::KernelByCalls => "kernel by calls",
            Self::Null => "null engine",
            Self::Rtpengine => "rtpengine",
        })
    }
}

impl fmt::Display for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |family| match family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        };
        f.write_str(name(self.ingress))?;
        if self.ingress != self.egress {
            write!(f, " to {}", name(self.egress))?;
        }
        Ok(())
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} flows", self.series(), self.flows)
    }
}
