//! `setup`: what is missing on this machine is installed; what is there is left alone.

mod clients;
mod linker;
mod packages;
mod services;
mod toolchain;

use std::process::ExitCode;

use crate::shell::{is_root, say};

/// `cargo xtask setup`.
pub(crate) fn all() -> anyhow::Result<ExitCode> {
    let complete = for_building()? & for_testing()?;
    if complete {
        say("setup: nothing is missing");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// What the kernel programs are built with. Returns whether it is all there now; if not, has said what to do.
pub(crate) fn for_building() -> anyhow::Result<bool> {
    let Some(llvm) = toolchain::llvm() else {
        return install_for_building();
    };
    linker::install(llvm)?;
    Ok(true)
}

/// What the tests and the demo run beside the relay. Returns whether it is all there now.
pub(crate) fn for_testing() -> anyhow::Result<bool> {
    Ok(packages::install(&packages::TESTING)? && clients::install()?)
}

fn install_for_building() -> anyhow::Result<bool> {
    if !packages::install(&packages::BUILDING)? {
        return Ok(false);
    }
    let Some(llvm) = toolchain::llvm() else {
        say(
            "no compiler for the kernel programs although its packages are installed; a rustup nightly with rust-src does as well: \
             rustup toolchain install nightly --component rust-src",
        );
        return Ok(false);
    };
    linker::install(llvm)?;
    Ok(true)
}

/// How an administrator does what only root may.
fn tell_administrator(command: &str) {
    debug_assert!(!is_root());
    say(&format!(
        "this needs an administrator, once:\n\n    sudo {command}\n"
    ));
}
