//! Where a table's packets come in and leave, worked out from links, addresses and routes. Values in, values out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::grant::Device;
use super::space::View;
use crate::agent::kernel::Spec;
use crate::datapath::EngineChoice;
use crate::netlink::Link;
use crate::tables::protocol::Place;

/// An interface at a place.
pub(super) type Spot = (Place, u32);

/// What a plan is made from.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    /// What is granted.
    pub(super) spec: &'a Spec,
    /// The owner's namespace.
    pub(super) own: &'a View,
    /// The node's.
    pub(super) node: &'a View,
    /// They are the same.
    pub(super) is_home: bool,
    /// What the owner's namespace calls the node's.
    pub(super) node_id: Option<i32>,
    /// The node's uplinks.
    pub(super) uplinks: BTreeSet<u32>,
    /// Granted addresses that the node routes into a veth of its own, and into which.
    pub(super) routed: BTreeMap<IpAddr, u32>,
    /// Ways out that the owner has asked for.
    pub(super) asked: &'a BTreeSet<Spot>,
}

/// Where packets come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entrance {
    /// Where the interface is.
    pub(super) spot: Spot,
    /// Its name.
    pub(super) name: String,
    /// Its kind, as [`Link::kind`].
    pub(super) kind: Option<String>,
    /// The link-layer address of frames for [`Entrance::addresses`]; zero: any.
    pub(super) mac: [u8; 6],
    /// Granted addresses whose packets come in there.
    pub(super) addresses: Vec<IpAddr>,
    /// Where next hops of its flows are looked up.
    pub(super) lookup: Place,
    /// What is asked for.
    pub(super) choice: EngineChoice,
    /// It receives nothing: loopback, dummy.
    pub(super) is_anchor: bool,
    /// Another interface of the table gets its frames through it.
    pub(super) is_parent: bool,
}

/// Where packets may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    /// What a next hop names.
    pub(super) spot: Spot,
    /// What instances in the owner's namespace send by.
    pub(super) own: Option<Device>,
    /// What instances at an uplink send by.
    pub(super) node: Option<Device>,
}

impl Exit {
    /// The link-layer source.
    pub(super) fn mac(&self) -> [u8; 6] {
        self.node.or(self.own).map_or([0; 6], |device| device.mac)
    }
}

/// How a table's packets come in and leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Uplinks first.
    pub(super) entrances: Vec<Entrance>,
    /// Each spot once.
    pub(super) exits: Vec<Exit>,
}

/// Makes a plan.
pub(super) fn plan(ground: &Ground<'_>) -> Plan {
    let own = ground.own_entrances();
    let mut plan = Plan {
        entrances: ground.uplink_entrances(&own),
        exits: ground.exits(&own),
    };
    plan.entrances.extend(own);
    plan
}

impl Ground<'_> {
    /// The interfaces of the owner's namespace that carry granted addresses, or that the configuration names.
    fn own_entrances(&self) -> Vec<Entrance> {
        let Spec {
            addresses,
            interface_engines,
            ..
        } = self.spec;
        let carries = |index: u32, address: &IpAddr| self.own.carries(index, address);
        let wanted: Vec<(u32, &Link)> = self
            .own
            .links
            .iter()
            .map(|(index, link)| (*index, link))
            .filter(|(index, link)| {
                self.may_name() && interface_engines.contains_key(&link.name)
                    || addresses.iter().any(|address| carries(*index, address))
            })
            .collect();
        let parents: BTreeSet<u32> = wanted
            .iter()
            .filter_map(|(_, link)| link.parent())
            .collect();
        let mut homeless: Vec<IpAddr> = addresses
            .iter()
            .filter(|address| {
                let mut receiving = wanted.iter().filter(|(_, link)| !link.is_anchor());
                !receiving.any(|(index, _)| carries(*index, address))
            })
            .copied()
            .collect();
        let mut entrances = Vec::new();
        for (index, link) in wanted {
            let mut entrance = Entrance {
                spot: (Place::Own, index),
                name: link.name.clone(),
                kind: link.kind.clone(),
                mac: link.mac.unwrap_or_default(),
                addresses: Vec::new(),
                lookup: Place::Own,
                choice: self.choice(&link.name),
                is_anchor: link.is_anchor(),
                is_parent: parents.contains(&index),
            };
            if !link.is_anchor() {
                let carried = addresses.iter().filter(|address| carries(index, address));
                entrance.addresses = carried.copied().collect();
                if self.may_name()
                    && interface_engines.contains_key(&link.name)
                    && !homeless.is_empty()
                {
                    entrance.addresses.append(&mut homeless);
                    entrance.mac = [0; 6];
                }
            }
            entrances.push(entrance);
        }
        entrances
    }

    /// The uplinks that the owner's interfaces are reached through.
    fn uplink_entrances(&self, own: &[Entrance]) -> Vec<Entrance> {
        let mut entrances = Vec::new();
        for child in own {
            let Some(uplink) = self.uplink_of(child.spot.1) else {
                continue;
            };
            entrances.extend(self.at_uplink(uplink, child.mac, &child.addresses, Place::Own));
        }
        for uplink in &self.uplinks {
            let mac = self.node_mac(*uplink).unwrap_or_default();
            let routed = self.routed_through_node(own);
            entrances.extend(self.at_uplink(*uplink, mac, &routed, Place::Node));
        }
        entrances
    }

    fn at_uplink(
        &self,
        uplink: u32,
        mac: [u8; 6],
        addresses: &[IpAddr],
        lookup: Place,
    ) -> Option<Entrance> {
        let link = self.node.links.get(&uplink)?;
        if addresses.is_empty() {
            return None;
        }
        Some(Entrance {
            spot: (Place::Node, uplink),
            name: link.name.clone(),
            kind: link.kind.clone(),
            mac,
            addresses: addresses.to_vec(),
            lookup,
            choice: self.choice(&link.name),
            is_anchor: false,
            is_parent: false,
        })
    }

    /// The ways out: by the interfaces that carry granted addresses, and by those asked for that may be had.
    fn exits(&self, own: &[Entrance]) -> Vec<Exit> {
        let mut spots: Vec<Spot> = own
            .iter()
            .filter(|entrance| {
                let (_, index) = entrance.spot;
                let mut addresses = self.spec.addresses.iter();
                !entrance.is_anchor && addresses.any(|address| self.own.carries(index, address))
            })
            .map(|entrance| entrance.spot)
            .collect();
        if !self.routed_through_node(own).is_empty() {
            spots.extend(self.uplinks.iter().map(|uplink| (Place::Node, *uplink)));
        }
        for spot in self.asked {
            if self.may_have(*spot) && !spots.contains(spot) {
                spots.push(*spot);
            }
        }
        spots
            .into_iter()
            .filter_map(|spot| self.exit(spot))
            .collect()
    }

    /// Whether the owner may have programs at interfaces that carry none of its addresses: not at the node's, unless it
    /// may do anything there anyway.
    fn may_name(&self) -> bool {
        !self.is_home || self.spec.is_trusted
    }

    fn may_have(&self, (place, index): Spot) -> bool {
        let (links, is_free) = match place {
            Place::Own => (&self.own.links, !self.is_home),
            Place::Node => (&self.node.links, false),
        };
        let is_device = links.get(&index).is_some_and(|link| !link.is_anchor());
        is_device && (is_free || self.spec.is_trusted)
    }

    fn exit(&self, spot: Spot) -> Option<Exit> {
        let (place, ifindex) = spot;
        match place {
            Place::Own => {
                let mac = self.own.links.get(&ifindex)?.mac?;
                let node = self.uplink_of(ifindex);
                Some(Exit {
                    spot,
                    own: Some(Device { ifindex, mac }),
                    node: node.map(|ifindex| Device { ifindex, mac }),
                })
            }
            Place::Node => {
                let mac = self.node_mac(ifindex)?;
                Some(Exit {
                    spot,
                    own: None,
                    node: Some(Device { ifindex, mac }),
                })
            }
        }
    }

    /// The uplink that one of the owner's interfaces is a macvlan of.
    fn uplink_of(&self, index: u32) -> Option<u32> {
        let link = self.own.links.get(&index)?;
        if link.kind.as_deref() != Some("macvlan") {
            return None;
        }
        let parent = match (self.is_home, link.elsewhere) {
            (true, _) => link.lower?,
            (false, Some((parent, namespace))) if Some(namespace) == self.node_id => parent,
            _ => return None,
        };
        self.uplinks.contains(&parent).then_some(parent)
    }

    /// Granted addresses that packets reach through the node, as they are.
    fn routed_through_node(&self, own: &[Entrance]) -> Vec<IpAddr> {
        if self.is_home {
            return Vec::new();
        }
        own.iter()
            .flat_map(|entrance| {
                let device = self.other_end(entrance.spot.1);
                let addresses = entrance.addresses.iter();
                addresses.filter(move |address| {
                    device.is_some() && self.routed.get(address).copied() == device
                })
            })
            .copied()
            .collect()
    }

    /// The node's end of one of the owner's interfaces. That the node routes an address into some veth says nothing: in a
    /// network of one's own anybody has any address.
    fn other_end(&self, index: u32) -> Option<u32> {
        let link = self.own.links.get(&index)?;
        let (end, namespace) = link.elsewhere?;
        (link.kind.as_deref() == Some("veth") && Some(namespace) == self.node_id).then_some(end)
    }

    fn node_mac(&self, index: u32) -> Option<[u8; 6]> {
        self.node.links.get(&index)?.mac
    }

    fn choice(&self, name: &str) -> EngineChoice {
        *self
            .spec
            .interface_engines
            .get(name)
            .unwrap_or(&self.spec.engine)
    }
}
