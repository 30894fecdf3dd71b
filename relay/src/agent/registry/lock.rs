//! Whether an owner lives, told by a lock.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use nix::fcntl::{FcntlArg, fcntl};

/// Locks the open file itself, not the process, for as long as any descriptor of it is open anywhere. A lock for reading,
/// so that the descriptor need not be good for writing: whoever gets it can't fill the registry's disk through it. There
/// is one owner all the same, as every claim has a file of its own.
pub(crate) fn hold(file: impl AsFd) -> io::Result<bool> {
    match fcntl(
        file.as_fd(),
        FcntlArg::F_OFD_SETLK(&whole_file(libc::F_RDLCK)),
    ) {
        Ok(_) => Ok(true),
        Err(nix::Error::EAGAIN | nix::Error::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Some other open file holds it.
pub(crate) fn is_held(file: &File) -> io::Result<bool> {
    let mut lock = whole_file(libc::F_WRLCK);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(lock.l_type != libc::F_UNLCK as libc::c_short)
}

fn whole_file(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}
