//! Builds the kernel programs from source and leaves the objects in `OUT_DIR/NAME.bpf.o`, to be embedded.

use std::env;

fn main() {
    for watched in [
        "build.rs",
        "../abi",
        "../packet/src",
        "../packet/Cargo.toml",
        "../program",
    ] {
        println!("cargo::rerun-if-changed={watched}");
    }
    println!("cargo::rerun-if-env-changed=PATH");
    let features: &[&str] = match env::var_os("CARGO_FEATURE_NEXT_LAYOUT") {
        Some(_) => &["next-layout"],
        None => &[],
    };
    for program in ["underpass", "share"] {
        if let Err(problem) = underpass_ebpf_build::compile("../program", program, features) {
            println!("cargo::error={problem}");
        }
    }
}
