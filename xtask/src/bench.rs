//! `bench`: the measurements of the benches crate.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::{build, setup, shell};

/// Builds all and measures; fails where a section does, or a ratio got worse that was to be checked.
pub(crate) fn run(options: &[OsString]) -> anyhow::Result<ExitCode> {
    let only_help = options.iter().any(|word| word == "--help" || word == "-h");
    if !only_help {
        build::release()?;
        anyhow::ensure!(
            setup::for_testing()?,
            "what to measure against is missing (see above)"
        );
    }
    let mut bench = shell::cargo();
    bench
        .args(["run", "--release", "--locked", "-p", "benches", "--"])
        .args(options);
    let status = bench.status()?;
    // What went wrong was said by the bench itself.
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
