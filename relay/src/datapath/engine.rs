//! Which engine an interface gets: what is asked for, what its kind allows, in which order it is tried.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What forwards packets on one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// XDP in the driver, before a socket buffer exists.
    Xdp,
    /// XDP after the socket buffer was made: any device, slower.
    XdpGeneric,
    /// A classifier at tc ingress: TCX, or a clsact filter on kernels before 6.6.
    Tc,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xdp => "xdp",
            Self::XdpGeneric => "xdp-generic",
            Self::Tc => "tc",
        })
    }
}

/// What the configuration asks for, for all interfaces or for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineChoice {
    /// By the kind of the interface, with fallback to the next engine.
    #[default]
    Auto,
    /// Native XDP first; given up at run time all the same if the device does not send.
    Xdp,
    /// Generic XDP only.
    XdpGeneric,
    /// tc only.
    Tc,
    /// None: user space.
    Null,
}

/// Not the name of an engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown engine '{0}': one of auto, xdp, xdp-generic, tc, null")]
pub struct UnknownEngine(String);

impl FromStr for EngineChoice {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        match name {
            "auto" => Ok(Self::Auto),
            "xdp" => Ok(Self::Xdp),
            "xdp-generic" => Ok(Self::XdpGeneric),
            "tc" => Ok(Self::Tc),
            "null" => Ok(Self::Null),
            other => Err(UnknownEngine(other.to_owned())),
        }
    }
}

impl EngineChoice {
    /// The engines to try on an interface, best first. `kind` is the kernel's word for a virtual link
    /// (`IFLA_INFO_KIND`: `veth`, `macvlan`, …); physical and virtio devices have none.
    #[must_use]
    pub fn candidates(self, kind: Option<&str>) -> &'static [Engine] {
        match (self, kind) {
            // Native XDP on a veth loses everything unless its peer co-operates; other virtual kinds have none.
            (Self::Auto, Some(_)) => &[Engine::Tc, Engine::XdpGeneric],
            (Self::Auto, None) => &[Engine::Xdp, Engine::Tc, Engine::XdpGeneric],
            (Self::Xdp, _) => &[Engine::Xdp, Engine::Tc],
            (Self::XdpGeneric, _) => &[Engine::XdpGeneric],
            (Self::Tc, _) => &[Engine::Tc],
            (Self::Null, _) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_without_a_kind_is_tried_with_native_xdp_first() {
        assert_eq!(
            EngineChoice::Auto.candidates(None),
            [Engine::Xdp, Engine::Tc, Engine::XdpGeneric]
        );
    }

    #[test]
    fn a_virtual_link_gets_tc_unless_told_otherwise() {
        for kind in ["veth", "macvlan", "vlan", "bridge"] {
            assert_eq!(EngineChoice::Auto.candidates(Some(kind))[0], Engine::Tc);
        }
        assert_eq!(EngineChoice::Xdp.candidates(Some("veth"))[0], Engine::Xdp);
    }

    #[test]
    fn null_tries_nothing() {
        assert!(EngineChoice::Null.candidates(None).is_empty());
    }
}
