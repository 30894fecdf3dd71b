//! Running other programs.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// The workspace's directory.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Whether this process may do what only root may.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// `program` in the workspace's directory, with cargo's own bin directory in its path (bpf-linker is there).
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command.env("PATH", path());
    command
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs it to its end, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| starting(command))?;
    if !status.success() {
        bail!("{} failed ({status})", line(command));
    }
    Ok(())
}

/// What it prints, or nothing if it fails or is not there.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// Whether a program of this name can be started.
pub(crate) fn has(program: &str) -> bool {
    env::split_paths(&path()).any(|directory| directory.join(program).is_file())
}

/// One line of what is going on.
pub(crate) fn say(what: &str) {
    eprintln!("xtask: {what}");
}

/// libtest has no word for a test that finds it can do nothing: those that noted it (as `test: reason`) are counted here, by
/// reason.
pub(crate) fn tell_skipped<'a>(noted: impl IntoIterator<Item = &'a str>) {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, reason) in noted.into_iter().filter_map(|line| line.split_once(": ")) {
        *reasons.entry(reason).or_default() += 1;
    }
    for (reason, count) in reasons {
        say(&format!("{count} tests did nothing: {reason}"));
    }
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

fn starting(command: &Command) -> String {
    format!("{} does not start", line(command))
}

/// PATH, and after it where cargo installs programs and where administrators' tools are.
fn path() -> std::ffi::OsString {
    let own = env::var_os("PATH").unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let more = cargo_home.map(|home| home.join("bin"));
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let all = env::split_paths(&own).chain(more).chain(system);
    env::join_paths(all).unwrap_or(own)
}
