//! `test`: every test there is.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use ::vm::Kernel;

use crate::counts::Counts;
use crate::setup;
use crate::shell::{self, cargo, is_root, root, say, tell_skipped};
use crate::vm;

/// Sets the machine up and runs cargo test over the workspace, then, unless `options` choose tests, those that depend on the
/// kernel on other kernels; the last line sums all up.
pub(crate) fn run(options: &[OsString]) -> anyhow::Result<ExitCode> {
    let ready = setup::everything()?;
    let with_kernel = ready.building;
    if !is_root() {
        say("not root: the namespace lab and the tests of the kernel programs are skipped");
    }
    let skipped = root().join("target/skipped-tests");
    let _ = fs::remove_file(&skipped);
    let mut test = cargo();
    test.env("LAB_SKIPPED", &skipped);
    test.args(["test", "--locked", "--no-fail-fast", "--workspace"]);
    if !with_kernel {
        say(
            "no compiler for the kernel programs: their tests, and those of the kernel path, are skipped",
        );
        test.args(["--no-default-features", "--exclude", "benches"])
            .env("LAB_NO_KERNEL", "1");
    }
    if with_kernel && is_root() && options.is_empty() {
        test.env("LAB_UNDERPASS_NEXT", next_layout()?);
    }
    test.args(options);
    let (status, mut counts) = counted(&mut test)?;
    tell_skipped(fs::read_to_string(&skipped).unwrap_or_default().lines());
    let elsewhere = if !options.is_empty() {
        Counts::default()
    } else if with_kernel && ready.emulating {
        on_other_kernels()
    } else {
        say("the tests on other kernels are skipped");
        Counts::default()
    };
    counts.add(elsewhere);
    println!("{} passed, {} failed", counts.passed, counts.failed);
    Ok(if status.success() && elsewhere.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The relay with another layout of the kernel's maps, for the tests of an upgrade: built before they run, so that none
/// of them has to wait for it.
fn next_layout() -> anyhow::Result<PathBuf> {
    let target = root().join("target/next-layout");
    let mut build = cargo();
    build.args("build --locked -p underpass --features next-layout --target-dir".split(' '));
    shell::run(build.arg(&target))?;
    Ok(target.join("debug/underpass"))
}

/// The tests that need another kernel, and those that depend on the kernel, on every kernel there is. That they can't be run
/// counts as one that failed.
fn on_other_kernels() -> Counts {
    let mut emulation = cargo();
    emulation.args(["test", "--locked", "--workspace", "--test", "guest"]);
    let mut run = || {
        let (_, mut counts) = counted(emulation.args(["--", "--ignored"]))?;
        counts.add(vm::sum(&vm::on_kernels(
            &Kernel::ALL,
            &vm::Choice::default(),
        )?));
        anyhow::Ok(counts)
    };
    run().unwrap_or_else(|error| {
        say(&format!(
            "the tests can't be run on other kernels: {error:#}"
        ));
        Counts {
            failed: 1,
            ..Counts::default()
        }
    })
}

/// Runs cargo test to its end, passing on what it prints and adding its results up.
fn counted(test: &mut Command) -> anyhow::Result<(ExitStatus, Counts)> {
    let mut child = test.stdout(Stdio::piped()).spawn()?;
    let mut counts = Counts::default();
    if let Some(output) = child.stdout.take() {
        // Tests may print any bytes.
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            counts.add_line(&line);
        }
    }
    Ok((child.wait()?, counts))
}
