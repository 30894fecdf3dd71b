//! `run`: the relay with its embedded default.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::Context;

use crate::build;
use crate::shell::{command, is_root, line, say};

/// Builds the relay and becomes it.
pub(crate) fn run(options: &[OsString]) -> anyhow::Result<ExitCode> {
    let mut relay = command(build::release()?);
    // It stays with whoever started it here: its log in sight, gone with Ctrl-C.
    relay.args(["--foreground", "--log-stderr"]).args(options);
    // setup brings Debian's rtpengine for the tests, whose sample configuration is not meant for this relay.
    let names_file = |option: &OsString| option.to_string_lossy().starts_with("--config-file");
    if !options.iter().any(names_file) {
        relay.arg("--config-file=none");
    }
    if !is_root() {
        say("not root: the relay cannot load its kernel programs and forwards in user space");
    }
    say(&line(&relay));
    let failure = relay.exec();
    Err(failure).context("starting the relay")
}
