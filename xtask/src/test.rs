//! `test`: every test there is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::process::ExitCode;

use crate::setup;
use crate::shell::{cargo, is_root, root, say};

/// Sets the machine up and runs cargo test over the workspace; its last lines are cargo's own.
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
    let status = test.status()?;
    tell_skipped(&fs::read_to_string(&skipped).unwrap_or_default());
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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
