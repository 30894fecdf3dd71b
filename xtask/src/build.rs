//! Building the relay.

use std::path::PathBuf;

use crate::setup;
use crate::shell::{cargo, root, run, say};

/// Builds the release binary, with the kernel part if this machine can build it, and returns where it is.
pub(crate) fn release() -> anyhow::Result<PathBuf> {
    let with_kernel = setup::for_building()?;
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "-p", "underpass"]);
    if !with_kernel {
        say("building without the kernel part: the relay will forward in user space (null engine)");
        build.arg("--no-default-features");
    }
    run(&mut build)?;
    Ok(target().join("release/underpass"))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
