//! `test`: every test there is.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use crate::counts::Counts;
use crate::setup;
use crate::shell::{cargo, is_root, root, say, tell_skipped};

/// Sets the machine up and runs cargo test over the workspace; its last line sums all of cargo's up.
pub(crate) fn run(options: &[OsString]) -> anyhow::Result<ExitCode> {
    let with_kernel = setup::everything()?.building;
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
    test.args(options);
    let (status, counts) = counted(&mut test)?;
    tell_skipped(fs::read_to_string(&skipped).unwrap_or_default().lines());
    println!("{} passed, {} failed", counts.passed, counts.failed);
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
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
