//! What the process takes of the machine. Open files: every media port is a socket, so the usual soft limit ends a relay at a
//! few hundred calls. Memory: by small pages.

use std::io;

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit of open files as far as it may go without privilege, and returns it.
///
/// # Errors
/// When the kernel refuses.
pub fn raise_open_files() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// How many files may be open.
///
/// # Errors
/// When the kernel refuses to say.
pub fn open_files() -> io::Result<u64> {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(soft)
}

/// Changes that; above the hard limit it takes privilege.
///
/// # Errors
/// When the kernel refuses.
pub fn set_open_files(limit: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, limit, hard.max(limit))?)
}

/// Keeps transparent huge pages out of this process from here on. The allocator asks for them; but calls come and go one by
/// one, and a page of 2 MiB that is cleared for the first few of them costs more time and memory than it ever saves.
///
/// # Errors
/// When the kernel refuses, being built without them.
pub fn use_small_pages() -> io::Result<()> {
    Ok(prctl::set_thp_disable(true)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_limit() {
        let limit = raise_open_files().unwrap();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!((soft, hard), (limit, limit));
    }
}
