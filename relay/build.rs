//! Builds the kernel programs from source and leaves the object in `OUT_DIR/underpass.bpf.o`, to be embedded.
//!
//! They need a compiler that has `core` for the bpf target: Debian's `/usr/bin/rustc` with its precompiled one, or a
//! rustup nightly that can build it from `rust-src`. Without the `kernel` feature nothing is built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const PROGRAM: &str = "../ebpf/program";
const OBJECT: &str = "underpass.bpf.o";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

fn main() {
    for watched in [
        "build.rs",
        "../ebpf/abi",
        "../ebpf/packet/src",
        "../ebpf/packet/Cargo.toml",
        PROGRAM,
    ] {
        println!("cargo::rerun-if-changed={watched}");
    }
    println!("cargo::rerun-if-env-changed=PATH");
    if env::var_os("CARGO_FEATURE_KERNEL").is_none() {
        return;
    }
    if let Err(problem) = build() {
        println!("cargo::error={problem}");
    }
}

fn build() -> Result<(), String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let target = match variable("CARGO_CFG_TARGET_ENDIAN")?.as_str() {
        "big" => "bpfeb-unknown-none",
        _ => "bpfel-unknown-none",
    };
    if find_in_path("bpf-linker").is_none() {
        return Err(missing("bpf-linker"));
    }
    let mut cargo =
        toolchain(target).ok_or_else(|| missing("a Rust compiler for the bpf target"))?;
    cargo
        .args(["build", "--release", "--locked", "--target", target])
        .args(["--manifest-path", &format!("{PROGRAM}/Cargo.toml")])
        .arg("--target-dir")
        .arg(out.join("ebpf"))
        .env(
            "RUSTFLAGS",
            format!(
                "--cfg bpf_target_arch=\"{}\" -Clink-arg=--btf -Cdebuginfo=2",
                variable("CARGO_CFG_TARGET_ARCH")?
            ),
        );
    if env::var_os("CARGO_FEATURE_KERNEL_LOG").is_some() {
        cargo.args(["--features", "kernel-log"]);
    }
    let status = cargo.status().map_err(|e| {
        format!(
            "{:?} does not start ({e}): run `cargo xtask setup`",
            cargo.get_program()
        )
    })?;
    if !status.success() {
        return Err("the kernel programs do not build (see above); `cargo xtask setup` installs what they need".into());
    }
    let built = out.join("ebpf").join(target).join("release/underpass");
    fs::copy(&built, out.join(OBJECT)).map_err(|e| format!("{}: {e}", built.display()))?;
    Ok(())
}

/// A cargo that can build for `target`, free of what the outer cargo and rustup put into the environment.
fn toolchain(target: &str) -> Option<Command> {
    if has_core(DEBIAN_RUSTC, target) && Path::new(DEBIAN_CARGO).exists() {
        let mut cargo = clean(DEBIAN_CARGO);
        // aya-ebpf needs nightly features of the compiler.
        cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
        return Some(cargo);
    }
    let sysroot = output(clean("rustup").args(["run", "nightly", "rustc", "--print", "sysroot"]))?;
    if !Path::new(&sysroot)
        .join("lib/rustlib/src/rust/library/core")
        .exists()
    {
        return None;
    }
    let mut cargo = clean("rustup");
    cargo.args(["run", "nightly", "cargo", "-Zbuild-std=core"]);
    Some(cargo)
}

fn has_core(rustc: &str, target: &str) -> bool {
    let arguments = ["--print", "target-libdir", "--target", target];
    output(clean(rustc).args(arguments).env("RUSTC_BOOTSTRAP", "1"))
        .is_some_and(|directory| Path::new(&directory).exists())
}

/// `program` without the variables by which the outer build would steer an inner one. Where cargo fetches from and
/// whether it is offline stays.
fn clean(program: &str) -> Command {
    const KEPT: [&str; 6] = [
        "CARGO_HOME",
        "RUSTUP_HOME",
        "CARGO_NET_",
        "CARGO_HTTP_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
    ];
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let name_text = name.to_string_lossy();
        let steers = name_text.starts_with("CARGO")
            || name_text.starts_with("RUST")
            || name_text == "LD_LIBRARY_PATH";
        if steers && !KEPT.iter().any(|kept| name_text.starts_with(kept)) {
            command.env_remove(&name);
        }
    }
    command
}

fn output(command: &mut Command) -> Option<String> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn find_in_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set: not run by cargo"))
}

fn missing(what: &str) -> String {
    format!(
        "{what} is missing, which the kernel programs are built with: run `cargo xtask setup`, \
         or build without them: --no-default-features"
    )
}
