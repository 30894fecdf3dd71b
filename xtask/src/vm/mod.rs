//! `vm`: the tests that depend on the kernel, on other kernels.

mod binaries;
mod guest;
mod report;
mod suites;

use std::ffi::OsString;
use std::process::ExitCode;
use std::thread;

use lexopt::prelude::*;
use vm::{Kernel, Store};

use crate::setup;
use crate::shell::{root, say};
pub(crate) use report::{Report, sum};
pub(crate) use suites::Choice;

/// What `cargo xtask vm` was asked for.
struct Options {
    kernels: Vec<Kernel>,
    json: bool,
    choice: Choice,
}

/// `cargo xtask vm [--kernel 6.1|6.12] [--suite NAME] [--json] [-- TEST…]`.
pub(crate) fn run(arguments: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let options = Options::parse(arguments)?;
    if !(setup::for_building()? && setup::for_emulating()?) {
        return Ok(ExitCode::FAILURE);
    }
    let reports = on_kernels(&options.kernels, &options.choice)?;
    let counts = sum(&reports);
    if options.json {
        println!("{:#}", report::json(&reports));
    } else {
        println!("{} passed, {} failed", counts.passed, counts.failed);
    }
    Ok(if counts.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Builds the tests and runs them on each kernel, on all at once.
pub(crate) fn on_kernels(kernels: &[Kernel], choice: &Choice) -> anyhow::Result<Vec<Report>> {
    let binaries = binaries::build()?;
    let store = Store::at(root().join("target/vm"));
    let emulator = store.emulator()?;
    say("running the tests that depend on the kernel under emulation");
    let reports = thread::scope(|scope| {
        let start = |kernel: &Kernel| {
            let (kernel, store, emulator, binaries) = (*kernel, &store, &emulator, &binaries);
            scope.spawn(move || guest::run(kernel, store, emulator, binaries, choice))
        };
        let running: Vec<_> = kernels.iter().map(start).collect();
        let panicked = |_| anyhow::anyhow!("the thread that ran a guest panicked");
        running
            .into_iter()
            .map(|guest| guest.join().map_err(panicked))
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    for report in &reports {
        report.tell();
    }
    Ok(reports)
}

impl Options {
    fn parse(arguments: Vec<OsString>) -> anyhow::Result<Self> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let mut options = Self {
            kernels: Vec::new(),
            json: false,
            choice: Choice::default(),
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("kernel") => options.kernels.push(parser.value()?.parse()?),
                Long("json") => options.json = true,
                Long("suite") => options.choice.add_suite(parser.value()?.string()?)?,
                Value(test) => options.choice.tests.push(test.string()?),
                _ => return Err(argument.unexpected().into()),
            }
        }
        if options.kernels.is_empty() {
            options.kernels = Kernel::ALL.to_vec();
        }
        Ok(options)
    }
}
