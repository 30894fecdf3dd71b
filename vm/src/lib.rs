//! Debian's kernels, run under QEMU's software emulation: what holds on another kernel is tried on that kernel, on a
//! machine without KVM too.
//!
//! ```no_run
//! # fn main() -> Result<(), vm::Error> {
//! let store = vm::Store::at("target/vm");
//! let kernel = store.kernel(vm::Kernel::V6_1)?;
//! let mut image = vm::Image::new(&kernel)?;
//! image.module("veth")?;
//! image.program("ip")?;
//! let machine = vm::Machine::new(&store.emulator()?, &kernel);
//! let output = machine.run(&image, "uname -r; ip link add type veth && ip -brief link")?;
//! assert_eq!(output.status, 0);
//! println!("{}", output.stdout);
//! # Ok(())
//! # }
//! ```
//!
//! Kernels and QEMU come from Debian's archive, fetched and verified by apt with a state of its own: nothing is installed,
//! and the machine's own list of sources is left alone ([`Store`]). The guest has no disk; its files are an initramfs
//! ([`Image`]), its init runs one script and powers off ([`Machine`]).

mod cpio;
mod emulator;
mod error;
mod image;
mod kernel;
mod libraries;
mod machine;
mod modules;
mod packages;
mod store;

pub use emulator::Emulator;
pub use error::Error;
pub use image::Image;
pub use kernel::{Kernel, KernelFiles};
pub use machine::{Machine, Output};
pub use store::Store;
