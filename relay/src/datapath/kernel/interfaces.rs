//! The interfaces that carry media addresses, and the engine on each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::programs::{Attached, Programs};
use crate::datapath::next_hop::NextHops;
use crate::datapath::{Engine, EngineChoice, InterfaceSummary, Reason};
use crate::netlink::{Link, Netlink};

/// Where packets for a local address come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ingress {
    /// The interface.
    pub(super) ifindex: u32,
    /// The engine on it.
    pub(super) engine: Engine,
    /// Its Ethernet address; zero where packets may come in by several.
    pub(super) mac: [u8; 6],
}

struct Interface {
    name: String,
    mac: [u8; 6],
    /// Its packets come in elsewhere.
    is_anchor: bool,
    /// Another media interface gets its frames through it.
    is_parent: bool,
    engine: Option<(Engine, Attached)>,
    note: String,
}

impl Interface {
    /// Another engine may be possible now: it has become, or is no longer, a parent; or it got its name only after
    /// attaching by the old one failed.
    fn is_outdated(&self, link: &Link, is_parent: bool) -> bool {
        self.is_parent != is_parent || (self.engine.is_none() && self.name != link.name)
    }
}

/// Engines by interface.
pub(super) struct Interfaces {
    programs: Programs,
    choice: EngineChoice,
    by_name: BTreeMap<String, EngineChoice>,
    /// Media addresses, and the interface that carries each now.
    addresses: BTreeMap<IpAddr, Option<u32>>,
    interfaces: BTreeMap<u32, Interface>,
    /// Names of interfaces whose native XDP has been given up for good.
    given_up: BTreeSet<String>,
    /// Priority of our filters where there is no TCX.
    priority: u16,
}

impl Interfaces {
    /// No interface yet: see [`Self::reconcile`].
    pub(super) fn new(
        programs: Programs,
        choice: EngineChoice,
        by_name: BTreeMap<String, EngineChoice>,
        addresses: &[IpAddr],
        priority: u16,
    ) -> Self {
        Self {
            programs,
            choice,
            by_name,
            addresses: addresses.iter().map(|address| (*address, None)).collect(),
            interfaces: BTreeMap::new(),
            given_up: BTreeSet::new(),
            priority,
        }
    }

    /// Notes that an interface carries an address, or no longer does. True if it is one of ours.
    pub(super) fn address_changed(
        &mut self,
        ifindex: u32,
        address: IpAddr,
        is_there: bool,
    ) -> bool {
        let Some(carrier) = self.addresses.get_mut(&address) else {
            return false;
        };
        match (is_there, *carrier == Some(ifindex)) {
            (true, false) => *carrier = Some(ifindex),
            (false, true) => *carrier = None,
            _ => return false,
        }
        true
    }

    /// Forgets who carries what, before it is read anew.
    pub(super) fn forget_addresses(&mut self) {
        for carrier in self.addresses.values_mut() {
            *carrier = None;
        }
    }

    /// Attaches where a media address is carried, or the configuration names the interface, and detaches elsewhere.
    pub(super) fn reconcile(&mut self, hops: &NextHops, netlink: &mut Netlink) {
        let wanted: BTreeMap<u32, Link> = hops
            .links()
            .filter(|(index, link)| self.is_wanted(*index, link))
            .map(|(index, link)| (index, link.clone()))
            .collect();
        let parents: BTreeSet<u32> = wanted.values().filter_map(Link::parent).collect();
        self.interfaces
            .retain(|index, _| wanted.contains_key(index));
        for (index, link) in wanted {
            let is_parent = parents.contains(&index);
            match self.interfaces.get_mut(&index) {
                Some(known) if !known.is_outdated(&link, is_parent) => {
                    known.mac = link.mac.unwrap_or_default();
                    known.name = link.name;
                }
                Some(_) => self.attach_anew(index, &link, is_parent),
                None => {
                    // What a dead owner of this table left there would forward its dead flows.
                    let _ = netlink.remove_ingress_filters(index, self.priority);
                    self.attach_anew(index, &link, is_parent);
                }
            }
        }
    }

    /// Where packets for `local` come in, or why the kernel can't forward them.
    pub(super) fn ingress(&self, local: IpAddr) -> Result<Ingress, Reason> {
        let carrier = self.addresses.get(&local).copied().flatten();
        let interface = carrier.and_then(|index| Some((index, self.interfaces.get(&index)?)));
        match interface {
            Some((ifindex, interface)) if !interface.is_anchor => match interface.engine {
                Some((engine, _)) => Ok(Ingress {
                    ifindex,
                    engine,
                    mac: interface.mac,
                }),
                None if self.given_up.contains(&interface.name) => Err(Reason::EngineGivenUp),
                None => Err(Reason::NoEngineOnInterface),
            },
            _ => self.named_ingress().ok_or(Reason::NoEngineOnInterface),
        }
    }

    /// The engine on an interface.
    pub(super) fn engine(&self, ifindex: u32) -> Option<Engine> {
        let interface = self.interfaces.get(&ifindex)?;
        interface.engine.as_ref().map(|(engine, _)| *engine)
    }

    /// Gives native XDP up on an interface and attaches the next engine. True if it had it.
    pub(super) fn give_up_xdp(&mut self, ifindex: u32, link: &Link) -> bool {
        if self.engine(ifindex) != Some(Engine::Xdp) {
            return false;
        }
        self.given_up.insert(link.name.clone());
        let is_parent = self
            .interfaces
            .get(&ifindex)
            .is_some_and(|interface| interface.is_parent);
        self.attach_anew(ifindex, link, is_parent);
        true
    }

    /// Interfaces, engines and notes, for operators.
    pub(super) fn summary(&self) -> Vec<InterfaceSummary> {
        let missing = self
            .addresses
            .iter()
            .filter(|(_, carrier)| carrier.is_none())
            .map(|(address, _)| InterfaceSummary {
                name: "-".to_owned(),
                engine: None,
                note: format!("no interface carries {address}"),
            });
        self.interfaces
            .values()
            .map(|interface| InterfaceSummary {
                name: interface.name.clone(),
                engine: interface.engine.as_ref().map(|(engine, _)| *engine),
                note: interface.note.clone(),
            })
            .chain(missing)
            .collect()
    }

    fn is_wanted(&self, index: u32, link: &Link) -> bool {
        self.by_name.contains_key(&link.name)
            || self
                .addresses
                .values()
                .any(|carrier| *carrier == Some(index))
    }

    /// Where packets come in for addresses that no interface of theirs receives: the first that the configuration names.
    fn named_ingress(&self) -> Option<Ingress> {
        self.interfaces
            .iter()
            .filter(|(_, interface)| self.by_name.contains_key(&interface.name))
            .find_map(|(index, interface)| {
                let (engine, _) = interface.engine.as_ref()?;
                Some(Ingress {
                    ifindex: *index,
                    engine: *engine,
                    mac: [0; 6],
                })
            })
    }

    /// The new engine stands before the old one goes: nothing has to come up in between.
    fn attach_anew(&mut self, index: u32, link: &Link, is_parent: bool) {
        let interface = self.attach(index, link, is_parent);
        self.interfaces.insert(index, interface);
    }

    /// Tries the engines for a link, best first; says in the log what came of it.
    fn attach(&mut self, index: u32, link: &Link, is_parent: bool) -> Interface {
        let given_up = self.given_up.contains(&link.name);
        let choice = *self.by_name.get(&link.name).unwrap_or(&self.choice);
        let mut interface = Interface {
            name: link.name.clone(),
            mac: link.mac.unwrap_or_default(),
            is_anchor: link.is_anchor(),
            is_parent,
            engine: None,
            note: String::new(),
        };
        if link.is_anchor() {
            "packets come in by other interfaces; name those".clone_into(&mut interface.note);
            return interface;
        }
        if choice == EngineChoice::Null {
            "null engine by configuration".clone_into(&mut interface.note);
            return interface;
        }
        let mut notes = Vec::new();
        for engine in choice.candidates(link.kind.as_deref()) {
            if *engine == Engine::Xdp && given_up {
                notes.push("xdp: given up, the device did not send".to_owned());
                continue;
            }
            // XDP would see the other interface's frames first, and can't send through it.
            if *engine == Engine::Xdp && is_parent {
                notes.push("xdp: another media interface sits on this one".to_owned());
                continue;
            }
            match self.programs.attach(*engine, index, &link.name) {
                Ok(attached) => {
                    interface.engine = Some((*engine, attached));
                    break;
                }
                Err(error) => notes.push(format!("{engine}: {error}")),
            }
        }
        interface.note = notes.join("; ");
        let (name, note) = (&interface.name, &interface.note);
        match &interface.engine {
            Some((engine, _)) => tracing::info!(%name, %engine, %note, "engine attached"),
            None => {
                tracing::warn!(%name, %note, "no engine on this interface: user space forwards")
            }
        }
        interface
    }
}
