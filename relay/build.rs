//! Builds the kernel programs from source and leaves the object in `OUT_DIR/underpass.bpf.o`, to be embedded. Without the
//! `kernel` feature nothing is built.

use std::env;

fn main() {
    for watched in [
        "build.rs",
        "../ebpf/abi",
        "../ebpf/packet/src",
        "../ebpf/packet/Cargo.toml",
        "../ebpf/program",
    ] {
        println!("cargo::rerun-if-changed={watched}");
    }
    println!("cargo::rerun-if-env-changed=PATH");
    if env::var_os("CARGO_FEATURE_KERNEL").is_none() {
        return;
    }
    let features: &[&str] = match env::var_os("CARGO_FEATURE_KERNEL_LOG") {
        Some(_) => &["kernel-log"],
        None => &[],
    };
    if let Err(problem) = underpass_ebpf_build::compile("../ebpf/program", "underpass", features) {
        println!("cargo::error={problem}");
    }
}
