//! One table, alone on its interface.

use std::os::fd::AsFd;

use super::world::*;
use crate::agent::kernel::NodeKernel;
use crate::datapath::{Engine, EngineChoice};
use crate::tables::protocol::{Place, Shape};

const LOCAL: &str = "10.0.0.1:30000";

#[test]
fn a_veth_gets_tc_and_forwards() {
    in_world(|world| {
        let pair = Pair::new(world);
        let mut node = world.node(&[]);
        let generation = world.generation(3);
        let spec = spec(&["10.0.0.1"], EngineChoice::Auto);
        node.create(generation, &spec, pair.relay()).unwrap();
        let placement = node.attach(generation, None);

        let r0 = interface(&placement, "r0");
        assert_eq!((r0.engine, r0.shape), (Some(Engine::Tc), Shape::Own));
        assert_eq!(r0.addresses, spec.addresses);
        assert_eq!(r0.mac, link(pair.relay.as_fd(), "r0").1);

        let mut table = Filled::new(&mut node, generation, 1);
        table.install(&pair.echo(&placement, LOCAL, 0));
        let from = socket(pair.phone.as_fd(), "10.0.0.2:5000");
        let to = socket(pair.phone.as_fd(), "10.0.0.2:6000");
        assert!(send_until(&from, LOCAL.parse().unwrap(), || receive(&to) > 0));
        assert!(node.usage(generation).unwrap().packets > 0);

        node.remove(generation);
        assert_eq!(world.pins(), Vec::<std::path::PathBuf>::new());
        let (_, links) = run(pair.relay.as_fd(), "bpftool", "net show");
        assert!(!links.contains("underpass"), "{links}");
    });
}

#[test]
fn native_xdp_is_attached_where_it_is_asked_for() {
    in_world(|world| {
        let pair = Pair::new(world);
        let mut node = world.node(&[]);
        let generation = world.generation(0);
        let spec = spec(&["10.0.0.1"], EngineChoice::Xdp);
        node.create(generation, &spec, pair.relay()).unwrap();
        let placement = node.attach(generation, None);
        assert_eq!(engine(&placement, "r0"), Some(Engine::Xdp));
        assert!(placement.egresses[0].xdp);

        let mut table = Filled::new(&mut node, generation, 1);
        let flow = table.install(&pair.echo(&placement, LOCAL, 0));
        let from = socket(pair.phone.as_fd(), "10.0.0.2:5000");
        // What a veth makes of frames sent by XDP is not our matter here.
        assert!(send_until(&from, LOCAL.parse().unwrap(), || table
            .packets(flow)
            > 0));
    });
}

#[test]
fn native_xdp_that_does_not_send_gives_way_to_tc() {
    in_world(|world| {
        let pair = Pair::new(world);
        let mut node = world.node(&[]);
        let generation = world.generation(0);
        let spec = spec(&["10.0.0.1"], EngineChoice::Xdp);
        node.create(generation, &spec, pair.relay()).unwrap();
        let placement = node.attach(generation, None);
        let r0 = interface(&placement, "r0").ifindex;

        node.not_sending(generation, Place::Own, r0);

        assert_eq!(node.follow(), [generation]);
        let placement = node.placement(generation);
        assert_eq!(engine(&placement, "r0"), Some(Engine::Tc));
        let note = &interface(&placement, "r0").note;
        assert!(note.contains("given up"), "{note}");
        let mut table = Filled::new(&mut node, generation, 1);
        table.install(&pair.echo(&placement, LOCAL, 0));
        let from = socket(pair.phone.as_fd(), "10.0.0.2:5000");
        let to = socket(pair.phone.as_fd(), "10.0.0.2:6000");
        assert!(send_until(&from, LOCAL.parse().unwrap(), || receive(&to) > 0));
    });
}

#[test]
fn before_tcx_a_filter_does_it_and_goes_with_the_table() {
    in_world(|world| {
        let pair = Pair::new(world);
        let mut node = world.node(&[]);
        node.hooks.without_tcx = true;
        let filters = || run(pair.relay.as_fd(), "tc", "filter show dev r0 ingress").1;
        let first = world.generation(3);
        let spec = spec(&["10.0.0.1"], EngineChoice::Auto);
        node.create(first, &spec, pair.relay()).unwrap();
        node.attach(first, None);
        assert!(filters().contains("pref 30003"), "{}", filters());

        let second = world.generation(3);
        node.create(second, &spec, pair.relay()).unwrap();
        let placement = node.attach(second, Some(first));
        assert_eq!(engine(&placement, "r0"), Some(Engine::Tc));
        assert_eq!(filters().matches("handle").count(), 1, "{}", filters());
        let mut table = Filled::new(&mut node, second, 1);
        table.install(&pair.echo(&placement, LOCAL, 0));
        let from = socket(pair.phone.as_fd(), "10.0.0.2:5000");
        let to = socket(pair.phone.as_fd(), "10.0.0.2:6000");
        assert!(send_until(&from, LOCAL.parse().unwrap(), || receive(&to) > 0));

        node.remove(second);
        assert!(!filters().contains("pref"), "{}", filters());
        assert_eq!(world.pins(), Vec::<std::path::PathBuf>::new());
    });
}

#[test]
fn an_interface_that_comes_later_is_attached_and_one_that_goes_leads_nowhere() {
    in_world(|world| {
        let pair = Pair::new(world);
        let mut node = world.node(&[]);
        let generation = world.generation(0);
        let spec = spec(&["10.0.0.1", "10.0.1.1"], EngineChoice::Auto);
        node.create(generation, &spec, pair.relay()).unwrap();
        let before = node.attach(generation, None);
        assert_eq!((before.interfaces.len(), before.egresses.len()), (1, 1));

        let there = [pair.relay.as_fd(), pair.phone.as_fd()];
        world.wire(
            (there[0], "r1", "10.0.1.1/24"),
            (there[1], "p1", "10.0.1.2/24"),
        );
        follow_until(&mut node, |node| {
            let placement = node.placement(generation);
            placement.egresses.len() == 2 && engine(&placement, "r1") == Some(Engine::Tc)
        });

        ip(there[0], "link del r1");
        follow_until(&mut node, |node| {
            node.placement(generation).egresses.len() == 1
        });
        let grant = node.tables[&generation].grant.as_ref().unwrap();
        assert_eq!(grant.egress(Place::Own, 1), None);
        assert_eq!(
            grant.egress(Place::Own, 0).unwrap().mac,
            before.egresses[0].mac
        );
    });
}

#[test]
fn a_way_out_keeps_its_slot_and_gets_the_new_link_layer_address() {
    in_world(|world| {
        let pair = Pair::new(world);
        let mut node = world.node(&[]);
        let generation = world.generation(0);
        let spec = spec(&["10.0.0.1"], EngineChoice::Auto);
        node.create(generation, &spec, pair.relay()).unwrap();
        node.attach(generation, None);
        ip(pair.relay.as_fd(), "link set r0 address 02:00:00:00:00:77");
        follow_until(&mut node, |node| {
            node.placement(generation).egresses[0].mac == [2, 0, 0, 0, 0, 0x77]
        });
        let grant = node.tables[&generation].grant.as_ref().unwrap();
        assert_eq!(
            grant.egress(Place::Own, 0).unwrap().mac,
            [2, 0, 0, 0, 0, 0x77]
        );
    });
}

#[test]
fn other_ways_out_are_for_those_who_may_have_them() {
    in_world(|world| {
        let other = namespace();
        world.wire(
            (world.home.as_fd(), "n0", "10.0.0.1/24"),
            (other.as_fd(), "x0", ""),
        );
        world.wire(
            (world.home.as_fd(), "n1", "10.0.9.1/24"),
            (other.as_fd(), "x1", ""),
        );
        let (n1, _) = link(world.home.as_fd(), "n1");
        let mut node = world.node(&[]);
        for (table, is_trusted, ways) in [(0, true, 2), (1, false, 1)] {
            let generation = world.generation(table);
            let mut spec = spec(&["10.0.0.1"], EngineChoice::Auto);
            spec.is_trusted = is_trusted;
            node.create(generation, &spec, world.home.try_clone().unwrap())
                .unwrap();
            node.want_egress(generation, Place::Own, n1);
            assert_eq!(node.placement(generation).egresses.len(), ways);
        }
    });
}

#[test]
fn an_address_on_a_device_that_receives_nothing_is_at_the_interface_that_is_named() {
    in_world(|world| {
        let pair = Pair::new(world);
        ip(pair.relay.as_fd(), "address add 10.9.9.9/32 dev lo");
        let mut node = world.node(&[]);
        let generation = world.generation(0);
        let mut spec = spec(&["10.9.9.9"], EngineChoice::Auto);
        spec.interface_engines
            .insert("r0".to_owned(), EngineChoice::Tc);
        node.create(generation, &spec, pair.relay()).unwrap();
        let placement = node.attach(generation, None);
        let r0 = interface(&placement, "r0");
        assert_eq!((r0.engine, r0.mac), (Some(Engine::Tc), [0; 6]));
        assert_eq!(r0.addresses, spec.addresses);
        assert_eq!(interface(&placement, "lo").engine, None);
    });
}
