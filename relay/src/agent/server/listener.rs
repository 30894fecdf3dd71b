//! The socket that relays come to.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, connect, listen, socket,
};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// A listening socket; its file goes with it.
#[derive(Debug)]
pub(in crate::agent) struct Listener {
    socket: OwnedFd,
    path: PathBuf,
    file: (u64, u64),
}

/// Why an agent can't listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody answers there.
    #[error("another agent listens at {path}; stop it, or use another --socket")]
    Another {
        /// The socket.
        path: PathBuf,
    },
    /// What is there is no socket.
    #[error("{path} is there and no socket; remove it, or use another --socket")]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
    /// The socket can't be made.
    #[error("agent socket {path}: {source}")]
    Unusable {
        /// The socket.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Listener {
    /// Listens at `path`, in the place of an agent that is gone.
    pub(in crate::agent) fn bind(path: &Path) -> Result<Self, ListenError> {
        let unusable = |source| ListenError::Unusable {
            path: path.to_owned(),
            source,
        };
        let _alone = alone(path).map_err(unusable)?;
        match fs::symlink_metadata(path) {
            Ok(file) if !file.file_type().is_socket() => {
                return Err(ListenError::NotASocket {
                    path: path.to_owned(),
                });
            }
            Ok(_) if is_answered(path).map_err(unusable)? => {
                return Err(ListenError::Another {
                    path: path.to_owned(),
                });
            }
            Ok(_) => fs::remove_file(path).map_err(unusable)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unusable(error)),
        }
        let (socket, file) = open(path).map_err(unusable)?;
        Ok(Self {
            socket,
            path: path.to_owned(),
            file,
        })
    }

    /// What to wait for.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The next connection; `None` if there is none now.
    pub(super) fn accept(&self) -> io::Result<Option<OwnedFd>> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        match accept4(self.socket.as_raw_fd(), flags) {
            // SAFETY: just returned, nobody else's.
            Ok(descriptor) => Ok(Some(unsafe { OwnedFd::from_raw_fd(descriptor) })),
            Err(nix::Error::EAGAIN | nix::Error::ECONNABORTED | nix::Error::EINTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Another's, by now, stays.
        if fs::metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Two agents that start at once do not take each other's socket for a dead one's.
fn alone(path: &Path) -> io::Result<Flock<fs::File>> {
    if let Some(directory) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(directory)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&name)?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error.into())
}

fn open(path: &Path) -> io::Result<(OwnedFd, (u64, u64))> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    // Everybody may ask; the policy says who gets.
    fs::set_permissions(path, Permissions::from_mode(0o666))?;
    let file = fs::metadata(path)?;
    listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok((socket, (file.dev(), file.ino())))
}

fn is_answered(path: &Path) -> io::Result<bool> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    match connect(socket.as_raw_fd(), &UnixAddr::new(path)?) {
        Ok(()) | Err(nix::Error::EAGAIN) => Ok(true),
        // EPROTOTYPE: a server of another kind listens there.
        Err(nix::Error::EPROTOTYPE) => Ok(true),
        Err(nix::Error::ECONNREFUSED | nix::Error::ENOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
