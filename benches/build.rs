//! Builds the kernel programs of the bench: the bare forwarding program, the limit that the kernel path is held against,
//! and the receiver that all packets end in.

fn main() {
    for watched in ["build.rs", "../ebpf/abi", "limit"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    for program in ["limit", "sink"] {
        if let Err(problem) = underpass_ebpf_build::compile("limit", program, &[]) {
            println!("cargo::error={problem}");
        }
    }
}
