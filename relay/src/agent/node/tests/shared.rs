//! Several tables on one interface.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;

use underpass_abi::LAYOUT_VERSION;

use super::world::*;
use crate::agent::kernel::{Generation, NodeKernel};
use crate::agent::node::Node;
use crate::datapath::{Engine, EngineChoice};
use crate::tables::protocol::{Ports, Shape};

/// Table 0 has ports from 30000, table 1 from 31000, both at 10.0.0.1.
fn local(table: u32) -> String {
    format!("10.0.0.1:{}", 30_000 + 1000 * table)
}

fn make(
    node: &mut Node,
    world: &World,
    pair: &Pair,
    table: u32,
    engine: EngineChoice,
) -> Generation {
    let generation = world.generation(table);
    let mut spec = spec(&["10.0.0.1"], engine);
    let first = 30_000 + 1000 * table as u16;
    spec.ports = Ports {
        first,
        last: first + 999,
    }
    .into();
    node.create(generation, &spec, pair.relay()).unwrap();
    node.attach(generation, None);
    generation
}

fn fill(node: &mut Node, pair: &Pair, generation: Generation) -> (Filled, u32) {
    let placement = node.placement(generation);
    let mut table = Filled::new(node, generation, 1);
    let flow = table.install(&pair.echo(&placement, &local(generation.table), 0));
    (table, flow)
}

fn forwards(pair: &Pair, (table, flow): &(Filled, u32), number: u32) -> bool {
    let from = socket(pair.phone.as_fd(), "10.0.0.2:5000");
    let to: SocketAddr = local(number).parse().unwrap();
    let before = table.packets(*flow);
    send_until(&from, to, || table.packets(*flow) > before)
}

#[test]
fn a_second_table_makes_the_interface_shared_and_each_gets_its_own() {
    for choice in [EngineChoice::Tc, EngineChoice::Xdp] {
        in_world(|world| {
            let pair = Pair::new(world);
            let mut node = world.node(&[]);
            let first = make(&mut node, world, &pair, 0, choice);
            let filled = fill(&mut node, &pair, first);
            assert!(forwards(&pair, &filled, 0));

            let second = make(&mut node, world, &pair, 1, EngineChoice::Auto);

            assert_eq!(node.follow(), [first]);
            let engine = match choice {
                EngineChoice::Xdp => Engine::Xdp,
                _ => Engine::Tc,
            };
            for generation in [first, second] {
                let placement = node.placement(generation);
                let r0 = interface(&placement, "r0");
                assert_eq!((r0.engine, r0.shape), (Some(engine), Shape::Shared));
            }
            let others = fill(&mut node, &pair, second);
            assert!(forwards(&pair, &filled, 0));
            assert!(forwards(&pair, &others, 1));

            node.remove(first);
            assert!(forwards(&pair, &others, 1));
            assert_eq!(interface(&node.placement(second), "r0").shape, Shape::Own);
            let names: Vec<PathBuf> = world.pins();
            let first = format!("v{LAYOUT_VERSION}-0-1-own");
            assert!(
                !names.iter().any(|path| path.ends_with(&first)),
                "{names:?}"
            );
            assert!(
                !names
                    .iter()
                    .any(|path| path.to_string_lossy().contains("share-"))
            );

            node.remove(second);
            assert_eq!(world.pins(), Vec::<PathBuf>::new());
        });
    }
}

#[test]
fn a_share_grows_with_the_addresses_that_there_are() {
    in_world(|world| {
        let pair = Pair::new(world);
        let mut node = world.node(&[]);
        let mut tables = Vec::new();
        for table in 0..34 {
            let address = format!("10.0.0.{}", 101 + table);
            ip(
                pair.relay.as_fd(),
                &format!("address add {address}/24 dev r0"),
            );
            let generation = world.generation(table);
            let mut spec = spec(&[&address], EngineChoice::Auto);
            spec.max_flows = 1;
            node.create(generation, &spec, pair.relay()).unwrap();
            let placement = node.attach(generation, None);
            let mut filled = Filled::new(&mut node, generation, 1);
            let local = format!("{address}:30000");
            let flow = filled.install(&pair.echo(&placement, &local, 0));
            tables.push((local, filled, flow));
        }
        let from = socket(pair.phone.as_fd(), "10.0.0.2:5000");
        for (local, filled, flow) in &tables {
            let to = local.parse().unwrap();
            assert!(
                send_until(&from, to, || filled.packets(*flow) > 0),
                "{local}"
            );
        }
    });
}

#[test]
fn another_agent_goes_on_with_what_is_shared() {
    in_world(|world| {
        let pair = Pair::new(world);
        let mut node = world.node(&[]);
        let first = make(&mut node, world, &pair, 0, EngineChoice::Auto);
        let filled = fill(&mut node, &pair, first);
        drop(node);
        let mut node = world.node(&[]);
        let second = make(&mut node, world, &pair, 1, EngineChoice::Auto);
        let others = fill(&mut node, &pair, second);
        drop(node);
        assert!(forwards(&pair, &filled, 0));
        assert!(forwards(&pair, &others, 1));

        let mut node = world.node(&[]);
        assert_eq!(node.pinned().len(), 2);
        // One that it has not adopted: for an owner that died before this agent came.
        node.remove(first);
        assert!(forwards(&pair, &others, 1));
        node.remove(second);
        assert_eq!(world.pins(), Vec::<PathBuf>::new());
    });
}

#[test]
fn native_xdp_that_does_not_send_is_given_up_for_all_that_share_it() {
    in_world(|world| {
        let pair = Pair::new(world);
        let mut node = world.node(&[]);
        let first = make(&mut node, world, &pair, 0, EngineChoice::Xdp);
        let second = make(&mut node, world, &pair, 1, EngineChoice::Xdp);
        let r0 = link(pair.relay.as_fd(), "r0").0;
        node.not_sending(first, crate::tables::protocol::Place::Own, r0);
        for table in [first, second] {
            assert_eq!(engine(&node.placement(table), "r0"), Some(Engine::Tc));
        }
    });
}
