//! `setup`: what is missing on this machine is installed; what is there is left alone.

mod clients;
mod linker;
mod packages;
mod services;
mod toolchain;

use std::process::ExitCode;

use crate::shell::say;

/// What this machine can do after a setup.
pub(crate) struct Ready {
    /// Build the kernel programs.
    pub(crate) building: bool,
    /// Play every test and the demo.
    pub(crate) testing: bool,
}

/// `cargo xtask setup`.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let ready = everything()?;
    if ready.building && ready.testing {
        say("setup: nothing is missing");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// All there is to set up; what could not be has been said.
pub(crate) fn everything() -> anyhow::Result<Ready> {
    let mut wanted: Vec<_> = packages::TESTING.iter().collect();
    if toolchain::llvm().is_none() {
        wanted.extend(&packages::BUILDING);
    }
    let installed = packages::install(&wanted)?;
    Ok(Ready {
        building: ready_to_build()?,
        testing: installed && clients::install()?,
    })
}

/// What the kernel programs are built with. Returns whether it is all there now; if not, has said what to do.
pub(crate) fn for_building() -> anyhow::Result<bool> {
    if toolchain::llvm().is_none() {
        packages::install(&packages::BUILDING.iter().collect::<Vec<_>>())?;
    }
    ready_to_build()
}

/// What the tests and the demo run beside the relay. Returns whether it is all there now.
pub(crate) fn for_testing() -> anyhow::Result<bool> {
    Ok(packages::install(&packages::TESTING.iter().collect::<Vec<_>>())? && clients::install()?)
}

/// What boots other kernels under emulation. Returns whether it is all there now.
pub(crate) fn for_emulating() -> anyhow::Result<bool> {
    packages::install(&packages::EMULATING.iter().collect::<Vec<_>>())
}

fn ready_to_build() -> anyhow::Result<bool> {
    let Some(llvm) = toolchain::llvm() else {
        say(
            "there is no compiler for the kernel programs yet; instead of Debian's packages a rustup nightly does as well: \
             rustup toolchain install nightly --component rust-src",
        );
        return Ok(false);
    };
    linker::install(llvm)?;
    Ok(true)
}
