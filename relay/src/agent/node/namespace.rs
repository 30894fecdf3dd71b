//! Network namespaces: told apart by their inode, entered by threads of their own.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::thread;

use nix::sched::{CloneFlags, setns};
use nix::sys::stat::fstat;

/// The one that this thread is in.
///
/// # Errors
/// /proc is not mounted.
pub(super) fn current() -> io::Result<OwnedFd> {
    Ok(File::open("/proc/thread-self/ns/net")?.into())
}

/// What tells a namespace from the others there are now. A later one may get the same.
///
/// # Errors
/// Not a namespace's descriptor.
pub(super) fn inode(namespace: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(fstat(namespace)?.st_ino)
}

/// Where namespaces have names: `ip netns`, and container runtimes.
const NAMED: &str = "/run/netns";

/// Finds a namespace by a process in it, or by its name.
pub(super) fn find(wanted: u64) -> Option<OwnedFd> {
    let entries = |directory| fs::read_dir(directory).into_iter().flatten().flatten();
    let processes =
        entries("/proc").filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit());
    processes
        .map(|process| process.path().join("ns/net"))
        .chain(entries(NAMED).map(|named| named.path()))
        .find_map(|path| open(&path, wanted))
}

fn open(path: &Path, wanted: u64) -> Option<OwnedFd> {
    let namespace = File::open(path).ok()?;
    let found = inode(namespace.as_fd()).ok()?;
    (found == wanted).then(|| namespace.into())
}

/// Acts in a namespace. The calling thread stays where it is.
///
/// # Errors
/// It can't be entered, or `act` panicked.
pub(super) fn within<T: Send>(
    namespace: BorrowedFd<'_>,
    act: impl FnOnce() -> T + Send,
) -> io::Result<T> {
    thread::scope(|scope| {
        let inside = thread::Builder::new().spawn_scoped(scope, || {
            setns(namespace, CloneFlags::CLONE_NEWNET)?;
            Ok(act())
        })?;
        inside
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread in the namespace panicked")))
    })
}

/// Takes every capability from the calling thread, for good.
///
/// # Errors
/// What the kernel says.
pub(super) fn give_up_capabilities() -> io::Result<()> {
    /// `_LINUX_CAPABILITY_VERSION_3`: two words a set.
    const VERSION: u32 = 0x2008_0522;
    // struct __user_cap_header_struct of the calling thread, and three empty sets of two words.
    let (header, none) = ([VERSION, 0_u32], [0_u32; 6]);
    // SAFETY: both are as long as this version of the call reads.
    match unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
