//! bpf-linker, pinned: it links what the compiler makes into one eBPF object.

use std::path::Path;

use crate::shell::{cargo, command, output, run, say};

const VERSION: &str = "0.13.0";
const LLVM: u32 = 22;
const LLVM_PREFIX: &str = "/usr/lib/llvm-22";

/// Installs it where cargo installs programs, unless it is there. `compiler_llvm` is the compiler's LLVM version.
pub(crate) fn install(compiler_llvm: u32) -> anyhow::Result<()> {
    if output(command("bpf-linker").arg("--version")).is_some() {
        return Ok(());
    }
    if compiler_llvm > LLVM {
        say(&format!(
            "the compiler's LLVM is {compiler_llvm}, bpf-linker's would be {LLVM}: linking may fail; Debian's compiler fits"
        ));
    }
    let mut install = cargo();
    // An outer cargo's flags and target directory are not meant for it.
    for variable in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
    ] {
        install.env_remove(variable);
    }
    install.args(["install", "bpf-linker", "--version", VERSION, "--locked"]);
    if Path::new(LLVM_PREFIX).is_dir() {
        let feature = format!("llvm-{LLVM}");
        install.env("LLVM_PREFIX", LLVM_PREFIX).args([
            "--no-default-features",
            "--features",
            &feature,
        ]);
    }
    say(&format!(
        "building bpf-linker {VERSION}, once: some minutes"
    ));
    run(&mut install)
}
