//! rtpengine's own kernel module: Debian's source, fetched and built for the guest's kernel when it is missing.
//!
//! It is GPL and stays out of this repository: it lives in the build directory only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ::vm::{Kernel, Store};
use anyhow::{Context, Result, ensure};

/// What the peer needs in the guest besides its daemon.
#[derive(Clone, Debug)]
pub(super) struct Module {
    /// The module.
    pub(super) object: PathBuf,
    /// iptables' extension for its target.
    pub(super) extension: PathBuf,
}

/// Fetches Debian's packages into the store and builds the module in `directory`.
///
/// # Errors
/// No network, no compiler, no such packages.
pub(super) fn build(store: &Store, directory: &Path, kernel: Kernel) -> Result<Module> {
    let release = store.kernel(kernel)?.release;
    let extension = find(&store.package("rtpengine-iptables")?, "libxt_RTPENGINE.so")?;
    let source = find(&store.package("rtpengine-kernel-dkms")?, "xt_RTPENGINE.c")?;
    let source = source.parent().context("a file has a directory")?;
    let directory = directory.join(format!("rtpengine-module-{release}"));
    let object = directory.join("xt_RTPENGINE.ko");
    if !object.exists() {
        copy(source, &directory)?;
        compile(&store.headers(kernel)?, &directory)?;
    }
    Ok(Module { object, extension })
}

/// The headers know where they are; the sources are built where they lie.
fn compile(headers: &Path, sources: &Path) -> Result<()> {
    let sources = sources.canonicalize()?;
    let mut make = Command::new("make");
    make.arg("-C").arg(headers);
    make.arg(format!("M={}", sources.display()));
    make.args(["RTPENGINE_VERSION=debian", "CC=gcc", "modules"]);
    let output = make.output().context("make is needed")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "rtpengine's module: {said}");
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from)?.flatten() {
        fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}

/// The file of this name below a directory.
fn find(below: &Path, name: &str) -> Result<PathBuf> {
    let mut directories = vec![below.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)?.flatten() {
            if entry.file_type()?.is_dir() {
                directories.push(entry.path());
            } else if entry.file_name() == name {
                return Ok(entry.path());
            }
        }
    }
    anyhow::bail!("no {name} in Debian's package")
}
