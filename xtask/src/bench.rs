//! `bench`: the measurements of the benches crate.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::{build, setup, shell};

/// Builds all and measures.
pub(crate) fn run(options: &[OsString]) -> anyhow::Result<ExitCode> {
    build::release()?;
    anyhow::ensure!(
        setup::for_testing()?,
        "what to measure against is missing (see above)"
    );
    let mut bench = shell::cargo();
    bench
        .args(["run", "--release", "--locked", "-p", "benches", "--"])
        .args(options);
    shell::run(&mut bench)?;
    Ok(ExitCode::SUCCESS)
}
