//! The interfaces that media comes in by.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use super::super::facts::{AtWork, Interface, Wanted};
use super::programs::{self, Programs};
use super::{ethtool, number};
use crate::netlink::{Event, Link, Netlink};
use crate::tables::TableState;
use crate::tables::protocol::Shape;

/// Those interfaces, and media addresses that none carries.
pub(super) fn look(wanted: &Wanted, tables: &[TableState]) -> (Vec<Interface>, Vec<IpAddr>) {
    let Ok(mut netlink) = Netlink::open() else {
        return (Vec::new(), Vec::new());
    };
    let mut links: BTreeMap<u32, Link> = BTreeMap::new();
    let mut carriers: BTreeMap<IpAddr, u32> = BTreeMap::new();
    for event in netlink.dump().unwrap_or_default() {
        match event {
            Event::Link(index, link) => drop(links.insert(index, link)),
            Event::Address(index, address) => drop(carriers.insert(address, index)),
            _ => {}
        }
    }
    let is_wanted = |index: &u32, link: &mut Link| {
        let carries = |address: &IpAddr| carriers.get(address) == Some(index);
        wanted.device_engines.contains_key(&link.name)
            || wanted.uplinks.contains(&link.name)
            || wanted.addresses.iter().any(carries)
    };
    links.retain(is_wanted);
    let parents: BTreeSet<u32> = links.values().filter_map(Link::parent).collect();
    let programs = Programs::loaded();
    let interfaces = links.iter().map(|(index, link)| {
        let is_parent = parents.contains(index);
        let at_work = at_work(*index, link, wanted, tables);
        let found = programs::on(*index, link, &mut netlink, &programs, !at_work.is_empty());
        describe(link, wanted, is_parent, at_work, found)
    });
    let interfaces = interfaces.collect();
    let homeless = wanted.addresses.iter().copied();
    let homeless =
        homeless.filter(|address| !carriers.contains_key(address) && !is_any_loopback(*address));
    (interfaces, homeless.collect())
}

fn describe(
    link: &Link,
    wanted: &Wanted,
    is_parent: bool,
    at_work: Vec<AtWork>,
    found: programs::Found,
) -> Interface {
    let name = &link.name;
    let (queues, driver) = (queues(name), driver(name));
    let is_physical = link.kind.is_none() && !link.loopback;
    Interface {
        name: name.clone(),
        kind: link.kind.clone(),
        driver,
        is_anchor: link.is_anchor(),
        is_parent,
        is_uplink: wanted.uplinks.contains(name),
        is_ethernet: link.mac.is_some(),
        up: link.up,
        mtu: link.mtu,
        choice: *wanted.device_engines.get(name).unwrap_or(&wanted.engine),
        at_work,
        attached: found.ours,
        foreign_xdp: found.xdp,
        foreign_tcx: found.tcx,
        foreign_filters: found.filters,
        queues,
        hashes_ports: match is_physical && queues > 1 {
            true => ethtool::hashes_ports(name),
            false => Ok(None),
        },
        lro: if is_physical {
            ethtool::lro(name)
        } else {
            None
        },
        rp_filter: rp_filter(name),
    }
}

/// Which of the node's tables have their packets come in there. Other namespaces may have an interface of the same name
/// and number, but not one with our addresses.
fn at_work(index: u32, link: &Link, wanted: &Wanted, tables: &[TableState]) -> Vec<AtWork> {
    let mut found = Vec::new();
    for table in tables {
        let is_this = |of: &&crate::tables::protocol::Interface| {
            let ours = of.addresses.iter().any(|at| wanted.addresses.contains(at));
            let uplink = of.shape == Shape::Uplink && wanted.uplinks.contains(&link.name);
            of.ifindex == index && of.name == link.name && (ours || uplink)
        };
        found.extend(table.interfaces.iter().filter(is_this).map(|of| AtWork {
            table: table.table,
            engine: of.engine,
            shape: of.shape,
            note: of.note.clone(),
        }));
    }
    found
}

/// All of 127.0.0.0/8 is here, whatever is listed.
fn is_any_loopback(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.is_loopback())
}

fn driver(name: &str) -> Option<String> {
    let link = fs::read_link(format!("/sys/class/net/{name}/device/driver")).ok()?;
    Some(link.file_name()?.to_string_lossy().into_owned())
}

fn queues(name: &str) -> usize {
    let queues = Path::new("/sys/class/net").join(name).join("queues");
    let Ok(entries) = fs::read_dir(queues) else {
        return 1;
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    names
        .filter(|name| name.as_encoded_bytes().starts_with(b"rx-"))
        .count()
}

/// The kernel takes the stricter of all and of this one, where 2 is less strict than 1 and wins.
fn rp_filter(name: &str) -> Option<u8> {
    let of = |name: &str| number(&format!("net/ipv4/conf/{name}/rp_filter"));
    let stronger = of("all")?.max(of(name)?);
    u8::try_from(stronger).ok()
}
