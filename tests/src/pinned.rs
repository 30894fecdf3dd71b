//! Pinned objects of the kernel: which they are, and whether they still exist.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const OBJ_GET: i64 = 7;
const PROG_GET_FD_BY_ID: i64 = 13;
const MAP_GET_FD_BY_ID: i64 = 14;
const LINK_GET_FD_BY_ID: i64 = 30;

/// A map, program or link of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// A map's id.
    Map(u32),
    /// A program's id.
    Program(u32),
    /// A link's id.
    Link(u32),
}

impl Object {
    /// The object pinned at `path`; `None` if there is none.
    #[must_use]
    pub fn pinned(path: &Path) -> Option<Self> {
        let path = CString::new(path.as_os_str().as_bytes()).ok()?;
        let attributes = Get {
            path: path.as_ptr() as u64,
            ..Get::default()
        };
        let fd = bpf(OBJ_GET, &attributes).ok()?;
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).ok()?;
        let id = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key))?;
            line.trim().parse().ok()
        };
        // A link's also names its program.
        let link = id("link_id:").map(Self::Link);
        let map = || id("map_id:").map(Self::Map);
        link.or_else(map)
            .or_else(|| id("prog_id:").map(Self::Program))
    }

    /// Whether it is still in the kernel, whoever holds it.
    #[must_use]
    pub fn exists(self) -> bool {
        let (command, id) = match self {
            Self::Map(id) => (MAP_GET_FD_BY_ID, id),
            Self::Program(id) => (PROG_GET_FD_BY_ID, id),
            Self::Link(id) => (LINK_GET_FD_BY_ID, id),
        };
        bpf(
            command,
            &ById {
                id,
                ..ById::default()
            },
        )
        .is_ok()
    }
}

/// `union bpf_attr` as BPF_OBJ_GET reads it.
#[repr(C)]
#[derive(Default)]
struct Get {
    path: u64,
    fd: u32,
    flags: u32,
}

/// `union bpf_attr` as the BPF_*_GET_FD_BY_ID commands read it.
#[repr(C)]
#[derive(Default)]
struct ById {
    id: u32,
    next: u32,
    flags: u32,
}

/// A command that makes a descriptor. `attributes` begins as `union bpf_attr` does for it, and what it points at is alive.
fn bpf<T>(command: i64, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: pointer and size describe `attributes`; what is behind pointers inside it the caller keeps alive.
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
