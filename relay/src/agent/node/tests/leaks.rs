//! Nothing is left behind.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};

use super::super::{bpf, pins};
use super::world::*;
use crate::agent::kernel::NodeKernel;
use crate::datapath::EngineChoice;

#[test]
fn tables_that_come_and_go_leave_no_descriptor_and_no_pin() {
    in_world(|world| {
        // A table of descriptors of its own: other tests open and close theirs meanwhile.
        unshare(CloneFlags::CLONE_FILES).unwrap();
        let pair = Pair::new(world);
        let mut node = world.node(&[]);
        let spec = spec(&["10.0.0.1"], EngineChoice::Auto);
        let mut maps: Vec<u32> = Vec::new();
        let mut round = || {
            let generation = world.generation(0);
            node.create(generation, &spec, pair.relay()).unwrap();
            node.attach(generation, None);
            node.usage(generation).unwrap();
            let directory = node.directory(generation);
            for name in [
                underpass_abi::GRANT,
                underpass_abi::RECORDS,
                super::super::deed::DEED,
            ] {
                let map = bpf::open(&directory.join(name)).unwrap();
                maps.push(bpf::map_id(map.as_fd()).unwrap());
            }
            node.remove(generation);
        };
        // What is kept for good is kept from the first time on.
        round();
        let before = descriptors();
        for _ in 0..200 {
            round();
        }
        assert_eq!(descriptors(), before);
        assert_eq!(world.pins(), Vec::<std::path::PathBuf>::new());
        // The kernel frees them a moment later.
        let deadline = Instant::now() + Duration::from_secs(10);
        while !maps.is_empty() && Instant::now() < deadline {
            maps.retain(|id| aya::maps::MapData::from_id(*id).is_ok());
        }
        assert_eq!(maps, Vec::<u32>::new());
    });
}

fn descriptors() -> usize {
    pins::names(Path::new("/proc/thread-self/fd")).len()
}
