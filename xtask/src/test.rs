//! `test`: every test there is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use crate::setup;
use crate::shell::{cargo, is_root, root, say};

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
    tell_skipped(&fs::read_to_string(&skipped).unwrap_or_default());
    println!("{} passed, {} failed", counts.passed, counts.failed);
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Tests of all binaries together.
#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
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
            counts.add(&line);
        }
    }
    Ok((child.wait()?, counts))
}

impl Counts {
    /// `test result: ok. 84 passed; 0 failed; …`
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        let count = |what: &str| {
            let before = result.split(what).next()?;
            before.split_whitespace().next_back()?.parse::<u64>().ok()
        };
        self.passed += count(" passed;").unwrap_or(0);
        self.failed += count(" failed;").unwrap_or(0);
    }
}

/// libtest has no word for a test that finds it can do nothing: those that noted it are counted here, by reason.
fn tell_skipped(list: &str) {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, reason) in list.lines().filter_map(|line| line.split_once(": ")) {
        *reasons.entry(reason).or_default() += 1;
    }
    for (reason, count) in reasons {
        say(&format!("{count} tests did nothing: {reason}"));
    }
}
