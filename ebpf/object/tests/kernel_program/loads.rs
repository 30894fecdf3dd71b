//! Whether the verifier takes every program, and what that costs: an instance is loaded for each table.

use std::time::Instant;

use aya::EbpfLoader;
use aya::programs::{ProgramInfo, SchedClassifier, Xdp};
use underpass_abi::{PLACE_NODE, PLACE_OWN};
use underpass_object::{GENERIC_XDP, INSTANCE, PLACE, SHARE, SHARE_TC, SHARE_XDP, TC, XDP};

/// Loads one program; prints what that took.
fn load(object: &[u8], name: &str, place: u32, generic: u32) {
    let started = Instant::now();
    let mut loader = EbpfLoader::new();
    if name == XDP || name == TC {
        loader
            .override_global(PLACE, &place, true)
            .override_global(GENERIC_XDP, &generic, true);
    }
    let mut ebpf = loader.load(object).unwrap();
    let maps = started.elapsed();
    let program = ebpf.program_mut(name).unwrap();
    let info: ProgramInfo = if name == TC || name == SHARE_TC {
        let program: &mut SchedClassifier = program.try_into().unwrap();
        program.load().unwrap();
        program.info().unwrap()
    } else {
        let program: &mut Xdp = program.try_into().unwrap();
        program.load().unwrap();
        program.info().unwrap()
    };
    println!(
        "{name}, place {place}, generic {generic}: {} instructions verified, {} bytes of machine code, {:.1} ms, maps {:.1} ms of it",
        info.verified_instruction_count().unwrap_or(0),
        info.size_jitted(),
        started.elapsed().as_secs_f64() * 1e3,
        maps.as_secs_f64() * 1e3,
    );
}

#[test]
fn the_verifier_takes_every_program_at_every_place() {
    for place in [PLACE_OWN, PLACE_NODE] {
        load(INSTANCE, XDP, place, 0);
        load(INSTANCE, XDP, place, 1);
        load(INSTANCE, TC, place, 0);
    }
    load(SHARE, SHARE_XDP, PLACE_OWN, 0);
    load(SHARE, SHARE_TC, PLACE_OWN, 0);
}
