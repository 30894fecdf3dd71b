//! Relays that are reached through an interface of the node.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use super::world::*;
use crate::agent::kernel::NodeKernel;
use crate::datapath::{Engine, EngineChoice};
use crate::tables::protocol::{Place, Shape};

/// A phone behind the node's uplink `up0`, 10.0.0.2.
fn phone(world: &World) -> OwnedFd {
    let phone = namespace();
    world.wire(
        (world.home.as_fd(), "up0", "10.0.0.254/24"),
        (phone.as_fd(), "p0", "10.0.0.2/24"),
    );
    phone
}

/// A relay whose eth0 is a macvlan of the uplink.
fn macvlan(world: &World, address: &str) -> OwnedFd {
    let relay = namespace();
    let home = world.home.as_fd();
    ip(
        home,
        "link add link up0 name child type macvlan mode bridge",
    );
    give(home, "child", relay.as_fd(), "eth0");
    ip(relay.as_fd(), &format!("address add {address}/24 dev eth0"));
    ip(relay.as_fd(), "link set eth0 up");
    relay
}

#[test]
fn flows_of_a_macvlan_turn_around_at_its_parent() {
    in_world(|world| {
        let phone = phone(world);
        let relays = ["10.0.0.11", "10.0.0.12"].map(|address| (address, macvlan(world, address)));
        let mut node = world.node(&["up0"]);
        let mut filled = Vec::new();
        for (table, (address, relay)) in (0..).zip(&relays) {
            let generation = world.generation(table);
            let spec = spec(&[address], EngineChoice::Auto);
            node.create(generation, &spec, relay.try_clone().unwrap())
                .unwrap();
            let placement = node.attach(generation, None);
            let (eth0, mac) = link(relay.as_fd(), "eth0");
            let [up, own] = &placement.interfaces[..] else {
                panic!("{placement:?}");
            };
            assert_eq!(
                (up.name.as_str(), up.place, up.shape),
                ("up0", Place::Node, Shape::Uplink)
            );
            assert_eq!(
                (up.mac, up.lookup, up.engine),
                (mac, Place::Own, Some(Engine::Tc))
            );
            assert_eq!(
                (own.place, own.ifindex, own.engine),
                (Place::Own, eth0, Some(Engine::Tc))
            );
            let [egress] = &placement.egresses[..] else {
                panic!("{placement:?}");
            };
            assert_eq!(
                (egress.place, egress.ifindex, egress.mac),
                (Place::Own, eth0, mac)
            );

            let local: SocketAddr = format!("{address}:30000").parse().unwrap();
            let mut maps = Filled::new(&mut node, generation, 1);
            let flow = maps.install(&Flow {
                block: 0,
                local,
                source: "10.0.0.2:5000".parse().unwrap(),
                from: local,
                to: "10.0.0.2:6000".parse().unwrap(),
                slot: egress.slot,
                from_mac: mac,
                to_mac: link(phone.as_fd(), "p0").1,
            });
            filled.push((generation, local, maps, flow));
        }
        let from = socket(phone.as_fd(), "10.0.0.2:5000");
        let to = socket(phone.as_fd(), "10.0.0.2:6000");
        for ((_, local, maps, flow), (_, relay)) in filled.iter().zip(&relays) {
            assert!(send_until(&from, *local, || maps.packets(*flow) > 0));
            let before = (received(relay), maps.packets(*flow));
            receive(&to);
            let more = || maps.packets(*flow) >= before.1 + 20;
            assert!(send_until(&from, *local, more));
            assert!(receive(&to) >= 20);
            assert!(received(relay) < before.0 + 20, "media was seen inside");
        }

        // The child of the first goes: nothing is forwarded for it any more, and the second is not touched.
        let (generation, local, maps, flow) = &filled[0];
        ip(relays[0].1.as_fd(), "link del eth0");
        follow_until(&mut node, |node| {
            node.placement(*generation).egresses.is_empty()
        });
        let placement = node.placement(*generation);
        assert!(placement.interfaces.is_empty(), "{placement:?}");
        let grant = node.tables[generation].grant.as_ref().unwrap();
        assert_eq!(grant.egress(Place::Node, 0), None);
        let before = maps.packets(*flow);
        for sequence in 0..20 {
            let _ = from.send_to(&rtp(sequence), local);
        }
        let (_, other, others, flow_of_other) = &filled[1];
        let at_other = others.packets(*flow_of_other);
        assert!(send_until(&from, *other, || others.packets(*flow_of_other) > at_other));
        assert_eq!(maps.packets(*flow), before);

        for (generation, ..) in &filled {
            node.remove(*generation);
        }
        assert_eq!(world.pins(), Vec::<PathBuf>::new());
    });
}

#[test]
fn an_agent_elsewhere_that_knows_no_uplink_leaves_it_alone() {
    in_world(|world| {
        let _phone = phone(world);
        let relay = macvlan(world, "10.0.0.11");
        let mut node = world.node(&["up0"]);
        let generation = world.generation(0);
        let spec = spec(&["10.0.0.11"], EngineChoice::Auto);
        node.create(generation, &spec, relay.try_clone().unwrap())
            .unwrap();
        let placement = node.attach(generation, None);
        let pins = sorted(world.pins());

        // A namespace is found by a process in it.
        let sleep = || std::process::Command::new("sleep").arg("60").spawn();
        let mut someone = crate::agent::node::namespace::within(world.home.as_fd(), sleep)
            .unwrap()
            .unwrap();
        // Some embedded agent, in a namespace of its own.
        let elsewhere = namespace();
        crate::agent::node::namespace::within(elsewhere.as_fd(), || {
            let mut other = world.node(&[]);
            other
                .adopt(generation, &spec, Some(relay.try_clone().unwrap()))
                .unwrap();
            assert_eq!(other.placement(generation), placement);
            ip(relay.as_fd(), "address add 10.0.0.99/24 dev eth0");
            other.follow();
        })
        .unwrap();
        someone.kill().unwrap();
        someone.wait().unwrap();
        assert_eq!(sorted(world.pins()), pins);
        assert_eq!(node.placement(generation), placement);
    });
}

fn sorted(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.sort();
    paths
}

#[test]
fn flows_of_a_routed_pod_turn_around_at_the_uplink() {
    in_world(|world| {
        let phone = phone(world);
        let home = world.home.as_fd();
        let pod = namespace();
        world.wire((home, "host0", ""), (pod.as_fd(), "eth0", "10.1.0.5/32"));
        ip(home, "route add 10.1.0.5/32 dev host0");
        let mut node = world.node(&["up0"]);
        let generation = world.generation(0);
        let spec = spec(&["10.1.0.5"], EngineChoice::Auto);
        node.create(generation, &spec, pod.try_clone().unwrap())
            .unwrap();
        let placement = node.attach(generation, None);
        let (up, mac) = link(home, "up0");
        let entrance = interface(&placement, "up0");
        assert_eq!(
            (entrance.place, entrance.lookup),
            (Place::Node, Place::Node)
        );
        assert_eq!((entrance.mac, entrance.engine), (mac, Some(Engine::Tc)));
        assert_eq!(engine(&placement, "eth0"), Some(Engine::Tc));
        assert!(node.node_sockets(generation).unwrap().is_some());

        let local: SocketAddr = "10.1.0.5:30000".parse().unwrap();
        let mut maps = Filled::new(&mut node, generation, 1);
        maps.install(&Flow {
            block: 0,
            local,
            source: "10.0.0.2:5000".parse().unwrap(),
            from: local,
            to: "10.0.0.2:6000".parse().unwrap(),
            slot: slot(&placement, Place::Node, up),
            from_mac: mac,
            to_mac: link(phone.as_fd(), "p0").1,
        });
        ip(phone.as_fd(), "route add 10.1.0.5/32 via 10.0.0.254");
        let from = socket(phone.as_fd(), "10.0.0.2:5000");
        let to = socket(phone.as_fd(), "10.0.0.2:6000");
        assert!(send_until(&from, local, || receive(&to) > 0));

        // Its route goes: it is not reached that way any more.
        ip(home, "route del 10.1.0.5/32 dev host0");
        follow_until(&mut node, |node| {
            let placement = node.placement(generation);
            !placement
                .interfaces
                .iter()
                .any(|interface| interface.name == "up0")
        });
        assert!(node.node_sockets(generation).unwrap().is_none());
        node.remove(generation);
        assert_eq!(world.pins(), Vec::<PathBuf>::new());
    });
}

#[test]
fn a_macvlan_of_another_interface_is_not_behind_the_uplink() {
    in_world(|world| {
        let _phone = phone(world);
        let relay = macvlan(world, "10.0.0.11");
        let mut node = world.node(&["other"]);
        let generation = world.generation(0);
        let spec = spec(&["10.0.0.11"], EngineChoice::Auto);
        node.create(generation, &spec, relay.try_clone().unwrap())
            .unwrap();
        let placement = node.attach(generation, None);
        assert_eq!(placement.interfaces.len(), 1);
        assert_eq!(placement.interfaces[0].name, "eth0");
    });
}

/// Packets that a relay's eth0 has received.
fn received(relay: &OwnedFd) -> u64 {
    let (_, text) = run(relay.as_fd(), "ip", "-s -o link show dev eth0");
    let mut words = text.split_whitespace().skip_while(|word| *word != "RX:");
    // "RX: bytes packets errors …", then a backslash and the values.
    let mut values = words
        .by_ref()
        .skip_while(|word| word.parse::<u64>().is_err());
    values.next();
    values.next().unwrap().parse().unwrap()
}
