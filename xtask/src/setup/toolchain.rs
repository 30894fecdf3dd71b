//! A compiler that has `core` for the bpf target: Debian's own, or a rustup nightly that can build it.

use std::path::Path;

use crate::shell::{command, output};

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const TARGET: &str = "bpfel-unknown-none";

/// The LLVM version of the compiler found; bpf-linker's may not be older. `None`: there is no compiler.
pub(crate) fn llvm() -> Option<u32> {
    debian().or_else(nightly)
}

fn debian() -> Option<u32> {
    if !Path::new("/usr/bin/cargo").exists() {
        return None;
    }
    let mut libraries = command(DEBIAN_RUSTC);
    libraries
        .env("RUSTC_BOOTSTRAP", "1")
        .args(["--print", "target-libdir", "--target", TARGET]);
    let directory = output(&mut libraries)?;
    if !Path::new(&directory).exists() {
        return None;
    }
    llvm_of(output(command(DEBIAN_RUSTC).arg("-vV"))?)
}

fn nightly() -> Option<u32> {
    let rustc = |argument: &str| {
        let mut rustup = command("rustup");
        rustup
            .env_remove("RUSTUP_TOOLCHAIN")
            .args(["run", "nightly", "rustc"]);
        output(rustup.args(argument.split_whitespace()))
    };
    let sysroot = rustc("--print sysroot")?;
    let source = Path::new(&sysroot).join("lib/rustlib/src/rust/library/core");
    source
        .exists()
        .then(|| rustc("-vV"))
        .flatten()
        .and_then(llvm_of)
}

fn llvm_of(version: String) -> Option<u32> {
    let line = version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))?;
    line.split('.').next()?.parse().ok()
}
