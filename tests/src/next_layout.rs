//! The relay of the next version: this one, built with another layout of the kernel's maps.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::lab::skip;

/// The relay built with the feature `next-layout`: the one `LAB_UNDERPASS_NEXT` names, else one built now. `None`, and the
/// test is skipped, where there is neither the one nor cargo.
#[must_use]
#[track_caller]
pub fn binary() -> Option<PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let binary = BUILT.get_or_init(|| match std::env::var_os("LAB_UNDERPASS_NEXT") {
        Some(path) => Some(path.into()),
        None => build(),
    });
    if binary.is_none() {
        skip("there is no cargo to build the relay with the next layout");
    }
    binary.clone()
}

/// Builds it into a target directory of its own: cargo may have the workspace's locked, and the tests' relay stays as it is.
#[track_caller]
fn build() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let target = root.join("target/next-layout");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args("build --quiet --locked -p underpass --features next-layout".split_whitespace())
        .arg("--target-dir")
        .arg(&target);
    let output = command.output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "building the next layout: {said}");
    Some(target.join("debug/underpass"))
}
