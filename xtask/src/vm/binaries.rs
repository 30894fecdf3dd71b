//! The test binaries, built here and stripped for the guest.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use super::suites::SUITES;
use crate::shell::{self, cargo, command, root, say};

/// The binaries' directory on the host; each has the name of its suite, the relay is `underpass`.
pub(super) struct Binaries {
    pub(super) directory: PathBuf,
}

impl Binaries {
    /// Name and path of each.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let names = SUITES.iter().map(|suite| suite.name).chain(["underpass"]);
        names.map(|name| (name, self.directory.join(name)))
    }
}

/// Builds them as `cargo test` over the workspace does.
pub(super) fn build() -> anyhow::Result<Binaries> {
    say("building the tests");
    let mut build = cargo();
    build.args([
        "test",
        "--locked",
        "--workspace",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    for suite in &SUITES {
        build.args(["--test", suite.name]);
    }
    let output = build
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("starting cargo")?;
    anyhow::ensure!(
        output.status.success(),
        "the tests can't be built (see above)"
    );
    let messages: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let binaries = Binaries {
        directory: root().join("target/vm/tests"),
    };
    std::fs::create_dir_all(&binaries.directory)?;
    for (name, to) in binaries.all() {
        let built = messages
            .iter()
            .find_map(|message| executable(message, name));
        strip(
            &built.with_context(|| format!("cargo built no {name}"))?,
            &to,
        )?;
    }
    Ok(binaries)
}

/// The file that a message of cargo's says was made for the target `name`.
fn executable(message: &Value, name: &str) -> Option<PathBuf> {
    let is_meant = message["target"]["name"] == name
        && (message["target"]["kind"][0] == "bin" || message["profile"]["test"] == true);
    let file = message["executable"].as_str()?;
    is_meant.then(|| file.into())
}

fn strip(from: &Path, to: &Path) -> anyhow::Result<()> {
    shell::run(command("strip").arg("-o").arg(to).arg(from))
}
