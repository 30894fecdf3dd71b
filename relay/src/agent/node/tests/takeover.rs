//! Generations that follow one another, and agents.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::world::*;
use crate::agent::kernel::{Generation, KernelError, NodeKernel};
use crate::agent::node::Node;
use crate::datapath::{Engine, EngineChoice};
use crate::tables::protocol::{Place, Placement};

const LOCAL: &str = "10.0.0.1:30000";

#[test]
fn a_fresh_agent_finds_everything() {
    in_world(|world| {
        let pair = Pair::new(world);
        let spec = spec(&["10.0.0.1"], EngineChoice::Auto);
        let generation = world.generation(5);
        let mut node = world.node(&[]);
        node.create(generation, &spec, pair.relay()).unwrap();
        let before = node.attach(generation, None);
        let mut table = Filled::new(&mut node, generation, 1);
        table.install(&pair.echo(&before, LOCAL, 0));
        drop(node);

        let mut node = world.node(&[]);
        assert_eq!(node.pinned(), [generation]);
        node.adopt(generation, &spec, Some(pair.relay())).unwrap();
        assert_eq!(node.placement(generation), before);
        assert!(node.last_alive_ns(generation).unwrap() > 0);
        let from = socket(pair.phone.as_fd(), "10.0.0.2:5000");
        let to = socket(pair.phone.as_fd(), "10.0.0.2:6000");
        assert!(send_until(&from, LOCAL.parse().unwrap(), || receive(&to) > 0));

        ip(pair.relay.as_fd(), "link set r0 address 02:00:00:00:00:77");
        follow_until(&mut node, |node| {
            node.placement(generation).egresses[0].mac[5] == 0x77
        });
        node.remove(generation);
        assert_eq!(world.pins(), Vec::<PathBuf>::new());
    });
}

#[test]
fn agents_beside_one_another_agree_on_ways_out() {
    in_world(|world| {
        let pair = Pair::new(world);
        let ends = [pair.relay.as_fd(), pair.phone.as_fd()];
        world.wire((ends[0], "r1", ""), (ends[1], "p1", ""));
        world.wire((ends[0], "r2", ""), (ends[1], "p2", ""));
        let [r1, r2] = ["r1", "r2"].map(|name| link(pair.relay.as_fd(), name).0);
        let spec = spec(&["10.0.0.1"], EngineChoice::Auto);
        let generation = world.generation(5);
        let mut one = world.node(&[]);
        one.create(generation, &spec, pair.relay()).unwrap();
        let mut other = world.node(&[]);
        other.adopt(generation, &spec, Some(pair.relay())).unwrap();

        one.want_egress(generation, Place::Own, r1);
        other.want_egress(generation, Place::Own, r2);
        one.attach(generation, None);

        let slots = |node: &mut Node| {
            let placement = node.placement(generation);
            [r1, r2].map(|index| slot(&placement, Place::Own, index))
        };
        assert_eq!(slots(&mut one), [1, 2]);
        assert_eq!(slots(&mut other), [1, 2]);
    });
}

#[test]
fn a_generation_that_is_not_there_can_not_be_adopted() {
    in_world(|world| {
        let mut node = world.node(&[]);
        let spec = spec(&["10.0.0.1"], EngineChoice::Auto);
        let adopted = node.adopt(world.generation(5), &spec, None);
        assert!(matches!(adopted, Err(KernelError::NotThere(_))));
    });
}

#[test]
fn a_new_generation_takes_the_place_of_the_old_by_the_same_link() {
    for choice in [EngineChoice::Tc, EngineChoice::Xdp] {
        in_world(|world| {
            let pair = Pair::new(world);
            let spec = spec(&["10.0.0.1"], choice);
            let mut node = world.node(&[]);
            let old = world.generation(5);
            node.create(old, &spec, pair.relay()).unwrap();
            let placement = node.attach(old, None);
            let mut table = Filled::new(&mut node, old, 1);
            let flow = pair.echo(&placement, LOCAL, 0);
            let number = table.install(&flow);
            let from = socket(pair.phone.as_fd(), "10.0.0.2:5000");
            let to = LOCAL.parse().unwrap();
            assert!(send_until(&from, to, || table.packets(number) > 0));
            let link = link_id(world);

            let new = world.generation(5);
            node.create(new, &spec, pair.relay()).unwrap();
            // What it will be is known before it is.
            let expected = node.placement(new);
            let mut table = Filled::new(&mut node, new, 1);
            let number = table.install(&flow);
            let placement = node.attach(new, Some(old));

            assert_eq!(placement, expected);
            assert_eq!(link_id(world), link);
            assert!(send_until(&from, to, || table.packets(number) > 0));
            assert_eq!(node.pinned(), [new]);
            node.remove(new);
            assert_eq!(world.pins(), Vec::<PathBuf>::new());
        });
    }
}

#[test]
fn not_one_packet_is_lost_between_generations() {
    in_world(|world| {
        let pair = Pair::new(world);
        let spec = spec(&["10.0.0.1"], EngineChoice::Auto);
        let mut node = world.node(&[]);
        let mut generation = world.generation(5);
        node.create(generation, &spec, pair.relay()).unwrap();
        let placement = node.attach(generation, None);
        let flow = pair.echo(&placement, LOCAL, 0);
        Filled::new(&mut node, generation, 1).install(&flow);
        let from = socket(pair.phone.as_fd(), "10.0.0.2:5000");
        let to = socket(pair.phone.as_fd(), "10.0.0.2:6000");
        let stop = AtomicBool::new(false);
        let received = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| {
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    sent += usize::from(from.send_to(&rtp(sent as u16), LOCAL).is_ok());
                    received.fetch_add(receive(&to), Ordering::Relaxed);
                    // As fast as a hundred calls.
                    std::thread::sleep(Duration::from_micros(200));
                }
                sent
            });
            for _ in 0..10 {
                let next = world.generation(5);
                node.create(next, &spec, pair.relay()).unwrap();
                Filled::new(&mut node, next, 1).install(&flow);
                node.attach(next, Some(generation));
                generation = next;
            }
            stop.store(true, Ordering::Relaxed);
            let sent = sender.join().unwrap();
            // What is sent over a veth has arrived when the call returns, or soon after.
            let deadline = Instant::now() + Duration::from_secs(5);
            while received.load(Ordering::Relaxed) < sent && Instant::now() < deadline {
                received.fetch_add(receive(&to), Ordering::Relaxed);
            }
            assert!(sent > 100, "{sent} sent");
            assert_eq!(received.load(Ordering::Relaxed), sent);
        });
    });
}

#[test]
fn what_is_removed_forwards_nothing_whoever_holds_its_maps() {
    in_world(|world| {
        let pair = Pair::new(world);
        let spec = spec(&["10.0.0.1"], EngineChoice::Auto);
        let generation = world.generation(5);
        let mut node = world.node(&[]);
        node.create(generation, &spec, pair.relay()).unwrap();
        node.attach(generation, None);
        let maps = node.maps(generation, true).unwrap();
        let directory = node.directory(generation);
        let grant = super::super::open_grant(&directory).unwrap();
        node.remove(generation);
        assert!(grant.is_revoked());
        assert!(matches!(
            node.maps(generation, true),
            Err(KernelError::NotThere(_))
        ));
        drop(maps);
    });
}

#[test]
fn an_owner_can_not_write_what_became_of_packets() {
    use crate::datapath::mapped::{Access, Mapped};
    in_world(|world| {
        let pair = Pair::new(world);
        let spec = spec(&["10.0.0.1"], EngineChoice::Auto);
        let generation = world.generation(5);
        let mut node = world.node(&[]);
        node.create(generation, &spec, pair.relay()).unwrap();
        let maps = node.maps(generation, true).unwrap();
        let may =
            |map: std::os::fd::BorrowedFd<'_>, access| Mapped::<u64>::new(map, 1, access).is_ok();
        assert!(may(maps.outcomes.as_fd(), Access::Read));
        assert!(!may(maps.outcomes.as_fd(), Access::Write));
        assert!(may(maps.header.as_fd(), Access::Write));
        let zero = vec![0; size_of::<underpass_abi::Outcomes>()];
        assert!(super::super::bpf::update(maps.outcomes.as_fd(), &[0; 4], &zero).is_err());
    });
}

#[test]
fn a_generation_of_another_layout_is_replaced_without_being_read() {
    in_world(|world| {
        let pair = Pair::new(world);
        let spec = spec(&["10.0.0.1"], EngineChoice::Auto);
        let mut node = world.node(&[]);
        let old = world.generation(5);
        node.create(old, &spec, pair.relay()).unwrap();
        node.attach(old, None);
        let old = make_foreign(world, old);
        let link = link_id(world);

        let mut node = world.node(&[]);
        assert_eq!(node.pinned(), [old]);
        node.adopt(old, &spec, Some(pair.relay())).unwrap();
        assert_eq!(node.placement(old), Placement::default());
        assert!(node.last_alive_ns(old).is_some());
        assert_eq!(node.usage(old), None);
        let new = world.generation(5);
        node.create(new, &spec, pair.relay()).unwrap();
        let placement = node.attach(new, Some(old));
        assert_eq!(engine(&placement, "r0"), Some(Engine::Tc));
        assert_eq!(link_id(world), link);
        assert_eq!(node.pinned(), [new]);
        assert!(
            !world
                .pins()
                .iter()
                .any(|path| path.to_string_lossy().contains("/v99/"))
        );
    });
}

#[test]
fn one_of_another_layout_can_share() {
    in_world(|world| {
        let pair = Pair::new(world);
        let mut node = world.node(&[]);
        let old = world.generation(5);
        node.create(old, &spec(&["10.0.0.1"], EngineChoice::Auto), pair.relay())
            .unwrap();
        let placement = node.attach(old, None);
        let mut table = Filled::new(&mut node, old, 1);
        let flow = table.install(&pair.echo(&placement, LOCAL, 0));
        make_foreign(world, old);

        ip(pair.relay.as_fd(), "address add 10.0.0.9/24 dev r0");
        let mut node = world.node(&[]);
        let new = world.generation(6);
        node.create(new, &spec(&["10.0.0.9"], EngineChoice::Auto), pair.relay())
            .unwrap();
        let placement = node.attach(new, None);
        assert_eq!(engine(&placement, "r0"), Some(Engine::Tc), "{placement:?}");
        let from = socket(pair.phone.as_fd(), "10.0.0.2:5000");
        assert!(send_until(&from, LOCAL.parse().unwrap(), || table
            .packets(flow)
            > 0));
    });
}

/// Has what is pinned look as a build of another layout would have left it.
fn make_foreign(world: &World, generation: Generation) -> Generation {
    let root = world.bpffs.join("underpass");
    std::fs::rename(
        root.join(format!("v{}", generation.layout)),
        root.join("v99"),
    )
    .unwrap();
    let foreign = Generation {
        layout: 99,
        ..generation
    };
    let tenant = |layout: u32| format!("v{layout}-{}-{}-own", generation.table, generation.number);
    for path in world.pins() {
        if path.ends_with(tenant(generation.layout)) {
            std::fs::rename(&path, path.with_file_name(tenant(99))).unwrap();
        }
    }
    foreign
}

/// The id of the only link there is.
fn link_id(world: &World) -> u32 {
    let links: Vec<PathBuf> = world
        .pins()
        .into_iter()
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("link-")
        })
        .collect();
    assert_eq!(links.len(), 1, "{links:?}");
    let link = super::super::bpf::open(&links[0]).unwrap();
    super::super::bpf::link_info(link.as_fd()).unwrap().id
}
