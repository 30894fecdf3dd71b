//! Builds the bare forwarding program, the limit that the kernel path is held against.

fn main() {
    for watched in ["build.rs", "../ebpf/abi", "limit"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    if let Err(problem) = underpass_ebpf_build::compile("limit", "limit", &[]) {
        println!("cargo::error={problem}");
    }
}
