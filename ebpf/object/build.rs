//! Builds the kernel programs from source and leaves the objects in `OUT_DIR/NAME.bpf.o`, to be embedded.

use std::env;

/// Features that are the programs' own, too.
const FEATURES: [(&str, &str); 2] = [
    ("CARGO_FEATURE_KERNEL_LOG", "kernel-log"),
    ("CARGO_FEATURE_NEXT_LAYOUT", "next-layout"),
];

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
    let features: Vec<&str> = FEATURES
        .iter()
        .filter(|(variable, _)| env::var_os(variable).is_some())
        .map(|(_, feature)| *feature)
        .collect();
    for program in ["underpass", "share"] {
        if let Err(problem) = underpass_ebpf_build::compile("../program", program, &features) {
            println!("cargo::error={problem}");
        }
    }
}
