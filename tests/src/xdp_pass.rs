//! The co-operating peer of a veth: an XDP program that passes everything. veth hands frames sent by XDP only to a
//! peer that has one (or GRO, for redirects).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::netns::Netns;

const PROG_LOAD: i64 = 5;
const LINK_CREATE: i64 = 28;
const TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
/// `r0 = XDP_PASS; exit`
const PASS: [u64; 2] = [0x0000_0002_0000_00b7, 0x0000_0000_0000_0095];

/// A pass-all program attached in native mode; detached when dropped.
#[derive(Debug)]
pub struct XdpPass {
    _link: OwnedFd,
}

impl XdpPass {
    /// Attaches it to `interface` of `ns`.
    #[must_use]
    #[track_caller]
    pub fn attach(ns: &Netns, interface: &str) -> Self {
        let index = ns.index(interface);
        let link = ns.run(|| load().and_then(|program| link(&program, index)));
        Self {
            _link: link.unwrap_or_else(|e| panic!("XDP on {interface}: {e}")),
        }
    }
}

/// `union bpf_attr` as BPF_PROG_LOAD reads it.
#[repr(C)]
#[derive(Default)]
struct Load {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log: [u32; 4],
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
}

/// `union bpf_attr` as BPF_LINK_CREATE reads it.
#[repr(C)]
#[derive(Default)]
struct Link {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
}

fn load() -> io::Result<OwnedFd> {
    bpf(
        PROG_LOAD,
        &Load {
            program_type: TYPE_XDP,
            instruction_count: 2,
            instructions: PASS.as_ptr() as u64,
            license: c"Dual MIT/GPL".as_ptr() as u64,
            attach_type: ATTACH_XDP,
            ..Load::default()
        },
    )
}

fn link(program: &OwnedFd, interface: u32) -> io::Result<OwnedFd> {
    let program = program.as_raw_fd().cast_unsigned();
    bpf(
        LINK_CREATE,
        &Link {
            program,
            interface,
            attach_type: ATTACH_XDP,
            flags: XDP_FLAGS_DRV_MODE,
        },
    )
}

fn bpf<T>(command: i64, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: pointer and size describe `attributes`; the pointers inside it are to statics.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            &raw const *attributes,
            size_of::<T>(),
        )
    };
    let Ok(fd @ 0..) = i32::try_from(fd) else {
        return Err(io::Error::last_os_error());
    };
    // SAFETY: the kernel just made the descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
