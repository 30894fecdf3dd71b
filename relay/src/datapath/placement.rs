//! How a table's packets come in and leave, as the agent has told last. Values in, answers out.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Engine, InterfaceSummary, Reason};
use crate::tables::protocol::{Egress, Interface, Place, Placement};

/// An interface, by where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Device {
    /// Its network namespace.
    pub(crate) place: Place,
    /// Its index there.
    pub(crate) ifindex: u32,
}

/// Where packets for a local address come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ingress {
    /// The interface.
    pub(crate) device: Device,
    /// The link-layer address they come to; zero where it may be any.
    pub(crate) mac: [u8; 6],
    /// Native XDP forwards some of them: it can't send by every interface.
    pub(crate) by_xdp: bool,
    /// XDP, native or generic, meets some of them: it makes no copies.
    pub(crate) has_xdp: bool,
}

/// The placement that holds now, and what has been found out about it.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    placement: Placement,
    /// Native XDP does not send there, and the agent has put nothing else in its place yet.
    given_up: BTreeSet<Device>,
    /// The table is not the relay's any more.
    is_lost: bool,
}

impl Ways {
    /// The ways of a new table.
    pub(crate) fn new(placement: Placement) -> Self {
        Self {
            placement,
            ..Self::default()
        }
    }

    /// Things have changed.
    pub(crate) fn set(&mut self, placement: Placement) {
        self.is_lost = false;
        self.given_up.retain(|device| {
            let mut there = placement.interfaces.iter();
            there
                .find(|interface| device_of(interface) == *device)
                .is_some_and(|interface| matches!(interface.engine, None | Some(Engine::Xdp)))
        });
        self.placement = placement;
    }

    /// The agent has taken the table back: nothing comes in by it any more.
    pub(crate) fn lose(&mut self) {
        self.placement = Placement::default();
        self.is_lost = true;
    }

    /// Native XDP does not send at an interface.
    pub(crate) fn give_up(&mut self, device: Device) {
        self.given_up.insert(device);
    }

    /// Where native XDP does not send and still is.
    pub(crate) fn given_up(&self) -> Vec<Device> {
        self.given_up.iter().copied().collect()
    }

    /// Where next hops of flows that come in at `local` are looked up.
    pub(crate) fn lookup(&self, local: IpAddr) -> Place {
        self.of(local)
            .next()
            .map_or(Place::Own, |interface| interface.lookup)
    }

    /// Where packets for `local` come in, or why the kernel can't forward them. Of several interfaces it is the first with
    /// an engine: they lie behind one another, and what the first lets through the next one forwards.
    pub(crate) fn ingress(&self, local: IpAddr) -> Result<Ingress, Reason> {
        if self.is_lost {
            return Err(Reason::TableLost);
        }
        if self
            .of(local)
            .any(|interface| self.given_up.contains(&device_of(interface)))
        {
            return Err(Reason::EngineGivenUp);
        }
        let interface = self
            .of(local)
            .find(|interface| interface.engine.is_some())
            .ok_or(Reason::NoEngineOnInterface)?;
        let has = |engine| {
            let mut interfaces = self.of(local);
            interfaces.any(|interface| interface.engine == Some(engine))
        };
        let by_xdp = has(Engine::Xdp);
        Ok(Ingress {
            device: device_of(interface),
            mac: interface.mac,
            by_xdp,
            has_xdp: by_xdp || has(Engine::XdpGeneric),
        })
    }

    /// The way out through an interface that a next hop names.
    pub(crate) fn egress(&self, device: Device) -> Option<Egress> {
        let mut egresses = self.placement.egresses.iter();
        egresses
            .find(|egress| (egress.place, egress.ifindex) == (device.place, device.ifindex))
            .copied()
    }

    /// Packets that would leave there get lost.
    pub(crate) fn is_given_up(&self, device: Device) -> bool {
        self.given_up.contains(&device)
    }

    /// The interfaces that have native XDP.
    pub(crate) fn native(&self) -> Vec<Device> {
        self.placement
            .interfaces
            .iter()
            .filter(|interface| interface.engine == Some(Engine::Xdp))
            .map(device_of)
            .filter(|device| !self.given_up.contains(device))
            .collect()
    }

    /// The name of an interface that packets come in by.
    pub(crate) fn name(&self, device: Device) -> &str {
        let mut interfaces = self.placement.interfaces.iter();
        interfaces
            .find(|interface| device_of(interface) == device)
            .map_or("", |interface| &interface.name)
    }

    /// Interfaces, engines and notes, for operators. `granted`: the table's addresses.
    pub(crate) fn summary(&self, granted: &[IpAddr]) -> Vec<InterfaceSummary> {
        let missing = granted
            .iter()
            .filter(|address| self.of(**address).next().is_none())
            .map(|address| InterfaceSummary {
                name: "-".to_owned(),
                engine: None,
                note: format!("packets for {address} come in by no interface that is known"),
                shape: None,
            });
        self.placement
            .interfaces
            .iter()
            .map(|interface| InterfaceSummary {
                name: interface.name.clone(),
                engine: interface.engine,
                note: interface.note.clone(),
                shape: Some(interface.shape),
            })
            .chain(missing)
            .collect()
    }

    /// The interfaces that packets for `local` come in by.
    fn of(&self, local: IpAddr) -> impl Iterator<Item = &Interface> {
        self.placement
            .interfaces
            .iter()
            .filter(move |interface| interface.addresses.contains(&local))
    }
}

fn device_of(interface: &Interface) -> Device {
    Device {
        place: interface.place,
        ifindex: interface.ifindex,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::protocol::Shape;

    const LOCAL: &str = "192.0.2.1";

    fn local() -> IpAddr {
        LOCAL.parse().unwrap()
    }

    fn interface(place: Place, ifindex: u32, engine: Option<Engine>) -> Interface {
        Interface {
            name: format!("{place:?}{ifindex}").to_lowercase(),
            place,
            ifindex,
            shape: Shape::Own,
            engine,
            note: String::new(),
            addresses: vec![local()],
            mac: [ifindex as u8; 6],
            lookup: place,
        }
    }

    fn ways(interfaces: &[Interface]) -> Ways {
        Ways::new(placement(interfaces))
    }

    fn placement(interfaces: &[Interface]) -> Placement {
        Placement {
            interfaces: interfaces.to_vec(),
            egresses: Vec::new(),
        }
    }

    const fn device(place: Place, ifindex: u32) -> Device {
        Device { place, ifindex }
    }

    #[test]
    fn packets_come_in_by_the_first_interface_that_has_an_engine() {
        let uplink = |engine| interface(Place::Node, 2, engine);
        let own = interface(Place::Own, 7, Some(Engine::Tc));
        let by = |uplink| ways(&[uplink, own.clone()]).ingress(local()).unwrap();
        let first = by(uplink(Some(Engine::Xdp)));
        assert_eq!(first.device, device(Place::Node, 2));
        assert_eq!((first.mac, first.by_xdp), ([2; 6], true));
        let second = by(uplink(None));
        assert_eq!(second.device, device(Place::Own, 7));
        assert!(!second.by_xdp && !second.has_xdp);
    }

    #[test]
    fn xdp_of_either_kind_is_told_wherever_it_is_on_the_way() {
        let own = |engine| interface(Place::Own, 7, engine);
        let uplink = interface(Place::Node, 2, Some(Engine::Tc));
        for (engine, by_xdp, has_xdp) in [
            (Engine::Tc, false, false),
            (Engine::Xdp, true, true),
            (Engine::XdpGeneric, false, true),
        ] {
            let ways = ways(&[uplink.clone(), own(Some(engine))]);
            let ingress = ways.ingress(local()).unwrap();
            assert_eq!((ingress.by_xdp, ingress.has_xdp), (by_xdp, has_xdp));
        }
    }

    #[test]
    fn next_hops_are_looked_up_where_the_first_interface_says() {
        let ways = ways(&[interface(Place::Node, 2, None)]);
        assert_eq!(ways.lookup(local()), Place::Node);
        assert_eq!(ways.lookup("192.0.2.9".parse().unwrap()), Place::Own);
    }

    #[test]
    fn without_an_interface_or_an_engine_user_space_forwards_and_says_why() {
        let none = Err(Reason::NoEngineOnInterface);
        assert_eq!(ways(&[]).ingress(local()), none);
        assert_eq!(
            ways(&[interface(Place::Own, 2, None)]).ingress(local()),
            none
        );
    }

    #[test]
    fn an_engine_given_up_stays_so_until_another_takes_its_place() {
        let with = |engine| placement(&[interface(Place::Own, 2, engine)]);
        let mut ways = Ways::new(with(Some(Engine::Xdp)));
        ways.give_up(device(Place::Own, 2));
        assert_eq!(ways.native(), []);
        for still in [Some(Engine::Xdp), None] {
            ways.set(with(still));
            assert_eq!(ways.ingress(local()), Err(Reason::EngineGivenUp));
        }
        ways.set(with(Some(Engine::Tc)));
        assert!(ways.ingress(local()).is_ok());
        ways.set(with(Some(Engine::Xdp)));
        assert_eq!(ways.native(), [device(Place::Own, 2)]);
    }

    #[test]
    fn a_table_taken_back_forwards_nothing_until_it_is_there_again() {
        let there = [interface(Place::Own, 2, Some(Engine::Tc))];
        let mut ways = ways(&there);
        ways.lose();
        assert_eq!(ways.ingress(local()), Err(Reason::TableLost));
        ways.set(placement(&there));
        assert!(ways.ingress(local()).is_ok());
    }

    #[test]
    fn an_address_that_no_interface_carries_is_told() {
        let ways = ways(&[interface(Place::Own, 2, Some(Engine::Tc))]);
        let summary = ways.summary(&[local(), "192.0.2.9".parse().unwrap()]);
        assert_eq!(summary[0].name, "own2");
        assert_eq!(
            summary[1].note,
            "packets for 192.0.2.9 come in by no interface that is known"
        );
        assert_eq!(summary.len(), 2);
    }
}
