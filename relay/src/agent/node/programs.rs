//! Loading: a generation's maps, its instances of the program, and what hands packets to several of them. What is
//! loaded is pinned at once, and found by its pin from then on.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use aya::EbpfLoader;
use aya::programs::{Program, ProgramError};
use underpass_abi::{GRANT, HEADER, LAYOUT_VERSION, OUTCOMES, PORT_LINES, PORTS, RECORDS, share};
use underpass_object::{GENERIC_XDP, INSTANCE, PLACE, SHARE, SHARE_TC, SHARE_XDP, TC, XDP};

use super::{bpf, grant, hook};
use crate::agent::kernel::Generation;
use crate::datapath::Engine;
use crate::datapath::table::Sizes;
use crate::tables::protocol::Place;

/// Every map of a generation.
const MAPS: [&str; 5] = [GRANT, HEADER, PORTS, RECORDS, OUTCOMES];
/// Every map of a share.
pub(super) const SHARE_MAPS: [&str; 3] = [share::ADDRESSES, share::OWNERS, share::INSTANCES];
/// The pin of a share's program, beside its maps.
pub(super) const SHARE_PROGRAM: &str = "program";

/// Makes the maps of a generation, pinned in `directory`. What becomes of packets is for programs alone to write.
///
/// # Errors
/// What the kernel says.
pub(super) fn make_maps(directory: &Path, sizes: Sizes) -> Result<(), String> {
    let processors = aya::util::nr_cpus().map_err(|(file, error)| format!("{file}: {error}"))?;
    with_loader(|loader| {
        loader
            .map_max_entries(PORTS, sizes.blocks * PORT_LINES)
            .map_max_entries(RECORDS, sizes.records)
            .map_max_entries(OUTCOMES, processors as u32);
        pin_maps(loader, &MAPS, directory);
        loader
            .load(INSTANCE)
            .map(drop)
            .map_err(|error| chain(&error))
    })?;
    let outcomes = directory.join(OUTCOMES);
    bpf::open(&outcomes)
        .and_then(|map| bpf::freeze(map.as_fd()))
        .map_err(|error| format!("{}: {error}", outcomes.display()))
}

/// A generation's program for an engine and a place; `directory` has its maps.
///
/// # Errors
/// What the kernel, or its verifier, says; or the generation is of another layout and has none.
pub(super) fn instance(
    directory: &Path,
    generation: Generation,
    engine: Engine,
    place: Place,
) -> Result<OwnedFd, String> {
    let pin = directory.join(format!("{engine}-{}", hook::word(place)));
    if let Ok(program) = bpf::open(&pin) {
        return Ok(program);
    }
    if generation.layout != LAYOUT_VERSION {
        return Err("its program is of another build, which had another engine".to_owned());
    }
    let name = match engine {
        Engine::Tc => TC,
        Engine::Xdp | Engine::XdpGeneric => XDP,
    };
    with_loader(|loader| {
        loader
            .override_global(GENERIC_XDP, u32_of(engine == Engine::XdpGeneric), false)
            .override_global(PLACE, u32_of(grant::element(place) != 0), false);
        pin_maps(loader, &MAPS, directory);
        load(loader, INSTANCE, name, &pin)
    })
}

/// Makes the program that hands packets to tables' instances, with room for `addresses`; maps and program are pinned in
/// `directory`.
///
/// # Errors
/// What the kernel, or its verifier, says.
pub(super) fn make_share(directory: &Path, engine: Engine, addresses: u32) -> Result<(), String> {
    let name = match engine {
        Engine::Tc => SHARE_TC,
        Engine::Xdp | Engine::XdpGeneric => SHARE_XDP,
    };
    with_loader(|loader| {
        loader.map_max_entries(share::OWNERS, addresses * share::OWNER_LINES);
        pin_maps(loader, &SHARE_MAPS, directory);
        load(loader, SHARE, name, &directory.join(SHARE_PROGRAM)).map(drop)
    })
}

/// What is told of the verifier's log where a program is refused: so many lines, and bytes, at most.
const LINES_TOLD: usize = 4;
const BYTES_TOLD: usize = 1024;

thread_local! {
    /// Made once a thread: it reads the kernel's own BTF, which takes longer than all it loads.
    static LOADER: RefCell<EbpfLoader<'static>> = RefCell::new(EbpfLoader::new());
}

/// `act` must set whatever matters to its object: what was set for an earlier one is still there.
fn with_loader<T>(act: impl FnOnce(&mut EbpfLoader<'static>) -> T) -> T {
    LOADER.with_borrow_mut(act)
}

fn pin_maps(loader: &mut EbpfLoader<'static>, maps: &[&'static str], directory: &Path) {
    for name in maps {
        loader.map_pin_path(name, directory.join(name));
    }
}

/// As a global variable of the program wants it.
fn u32_of(is: bool) -> &'static u32 {
    if is { &1 } else { &0 }
}

/// Loads one program of an object and pins it.
fn load(
    loader: &mut EbpfLoader<'_>,
    object: &[u8],
    name: &str,
    pin: &Path,
) -> Result<OwnedFd, String> {
    let mut ebpf = loader.load(object).map_err(|error| chain(&error))?;
    let program = ebpf
        .program_mut(name)
        .ok_or_else(|| format!("no program {name} in the object"))?;
    let loaded: Result<(), ProgramError> = match program {
        Program::Xdp(program) => program.load(),
        Program::SchedClassifier(program) => program.load(),
        _ => return Err(format!("{name} is of another type")),
    };
    loaded.map_err(|error| refusal(name, &error))?;
    let descriptor = program.fd().map_err(|error| chain(&error))?;
    let keep = || -> io::Result<OwnedFd> {
        bpf::pin(descriptor.as_fd(), pin)?;
        descriptor.as_fd().try_clone_to_owned()
    };
    keep().map_err(|error| format!("{}: {error}", pin.display()))
}

/// Why the kernel did not take a program. The verifier may say megabytes, and says what it is about at the end; all of it is
/// logged with level debug.
fn refusal(name: &str, error: &ProgramError) -> String {
    let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    else {
        return chain(error);
    };
    let log = verifier_log.to_string();
    tracing::debug!(program = name, "the verifier: {log}");
    format!("{io_error}; the verifier: {}", end_of(&log))
}

/// The last lines of a log that say something, in one.
fn end_of(log: &str) -> String {
    let said = log.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut last: Vec<&str> = said.rev().take(LINES_TOLD).collect();
    last.reverse();
    let text = last.join(" | ");
    let start = text.len().saturating_sub(BYTES_TOLD);
    text[text.ceil_char_boundary(start)..].to_owned()
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_log_the_end_is_told() {
        let log = format!(
            "{}\nR1 invalid mem access 'scalar'\n\nprocessed 9 insns\n",
            "0: (b7)\n".repeat(100_000)
        );
        assert_eq!(
            end_of(&log),
            "0: (b7) | 0: (b7) | R1 invalid mem access 'scalar' | processed 9 insns"
        );
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let told = end_of(&"ö".repeat(10_000));
        assert!(told.len() <= BYTES_TOLD && told.starts_with('ö'));
    }

    #[test]
    fn of_no_log_nothing_is_told() {
        assert_eq!(end_of("\n"), "");
    }
}
