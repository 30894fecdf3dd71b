//! Who is at the other end of a connection.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt};

use super::registry::NamespaceId;

/// Threads of a process whose network namespace is looked at.
const MAX_THREADS: usize = 4096;
/// CAP_SYS_ADMIN, as a bit of `CapEff`.
const SYS_ADMIN: u64 = 1 << 21;

/// A process that connected, as the kernel tells. It is the one that connected even if it passed the socket on.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Its number, as this process sees it; 0 if it does not.
    pub(crate) pid: u32,
    /// Its effective user when it connected.
    pub(crate) uid: u32,
    process: Option<OwnedFd>,
}

/// A process that claims a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Its number.
    pub(crate) pid: u32,
    /// Its user.
    pub(crate) uid: u32,
    /// It may do anything on this node anyway: the superuser with its capabilities, not in a user namespace.
    pub(crate) is_root: bool,
    /// Its control group.
    pub(crate) cgroup: String,
    /// The UID of the pod it is in.
    pub(crate) pod: Option<String>,
}

/// Why a caller can't be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallerError {
    /// In a pid namespace beside this one's.
    #[error(
        "the agent can't see the calling process; run the agent in the node's pid namespace (hostPID)"
    )]
    Unseen,
    /// It is gone, and another may have its number.
    #[error("the calling process is gone")]
    Gone,
    /// Its files in /proc can't be read.
    #[error("process {pid} can't be examined: {source}; the agent needs /proc of the node")]
    Proc {
        /// The process.
        pid: u32,
        /// Why not.
        source: io::Error,
    },
    /// The descriptor is no network namespace, or not the caller's.
    #[error(
        "the network namespace passed along is not process {pid}'s; pass a descriptor of /proc/self/ns/net"
    )]
    NotItsNamespace {
        /// The process.
        pid: u32,
    },
}

impl Peer {
    /// The process at the other end.
    pub(crate) fn of(socket: impl AsFd) -> io::Result<Self> {
        let credentials = getsockopt(&socket, sockopt::PeerCredentials)?;
        let pid = u32::try_from(credentials.pid()).unwrap_or_default();
        // From Linux 6.5 on. Before, another process with the same number can't be told from it.
        let process = getsockopt(&socket, sockopt::PeerPidfd).ok();
        Ok(Self {
            pid,
            uid: credentials.uid(),
            process,
        })
    }

    /// What /proc says of it.
    pub(crate) fn examine(&self) -> Result<Caller, CallerError> {
        if self.pid == 0 {
            return Err(CallerError::Unseen);
        }
        let cgroup = fs::read_to_string(self.proc("cgroup"))
            .map(|text| cgroup_path(&text))
            .map_err(|source| self.unreadable(source))?;
        let is_root = self.uid == 0
            && self
                .is_superuser()
                .map_err(|source| self.unreadable(source))?;
        self.still_there()?;
        Ok(Caller {
            pid: self.pid,
            uid: self.uid,
            is_root,
            pod: pod_uid(&cgroup),
            cgroup,
        })
    }

    /// Which network namespace the descriptor is, if it is that of one of the process's threads.
    pub(crate) fn namespace(&self, descriptor: BorrowedFd<'_>) -> Result<NamespaceId, CallerError> {
        let not_its = || CallerError::NotItsNamespace { pid: self.pid };
        let passed = namespace_of(descriptor).map_err(|_| not_its())?;
        let first = self.proc("ns/net");
        let is_its = at(&first).map_err(|source| self.unreadable(source))? == passed
            || fs::read_dir(self.proc("task"))
                .map_err(|source| self.unreadable(source))?
                .take(MAX_THREADS)
                .flatten()
                .any(|thread| at(&thread.path().join("ns/net")).is_ok_and(|found| found == passed));
        self.still_there()?;
        is_its.then_some(passed).ok_or_else(not_its)
    }

    /// Called after /proc was read: what was read was this process's, not a later one's of the same number.
    fn still_there(&self) -> Result<(), CallerError> {
        let Some(process) = &self.process else {
            return Ok(());
        };
        let mut ended = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ended, PollTimeout::ZERO) {
            Ok(0) => Ok(()),
            _ => Err(CallerError::Gone),
        }
    }

    fn is_superuser(&self) -> io::Result<bool> {
        let status = fs::read_to_string(self.proc("status"))?;
        let capabilities = status
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:"))
            .and_then(|text| u64::from_str_radix(text.trim(), 16).ok())
            .unwrap_or_default();
        let same_users = at(self.proc("ns/user").as_ref())? == at("/proc/self/ns/user".as_ref())?;
        Ok(capabilities & SYS_ADMIN != 0 && same_users)
    }

    fn proc(&self, file: &str) -> std::path::PathBuf {
        format!("/proc/{}/{file}", self.pid).into()
    }

    fn unreadable(&self, source: io::Error) -> CallerError {
        match source.kind() {
            io::ErrorKind::NotFound => CallerError::Gone,
            _ => CallerError::Proc {
                pid: self.pid,
                source,
            },
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pod {
            Some(pod) => write!(f, "pod {pod}"),
            None => write!(f, "uid {}", self.uid),
        }
    }
}

/// The numbers of the namespace that a descriptor refers to.
pub(crate) fn namespace_of(descriptor: BorrowedFd<'_>) -> io::Result<NamespaceId> {
    let file = File::from(descriptor.try_clone_to_owned()?).metadata()?;
    Ok(NamespaceId {
        device: file.dev(),
        inode: file.ino(),
    })
}

/// The network namespace of a process, if it is still the one that is meant.
pub(crate) fn open_namespace(pid: u32, namespace: NamespaceId) -> Option<OwnedFd> {
    let file = OwnedFd::from(File::open(format!("/proc/{pid}/ns/net")).ok()?);
    (namespace_of(file.as_fd()).ok()? == namespace).then_some(file)
}

fn at(path: &std::path::Path) -> io::Result<NamespaceId> {
    let file = fs::metadata(path)?;
    Ok(NamespaceId {
        device: file.dev(),
        inode: file.ino(),
    })
}

/// The path of the unified hierarchy; where there is none, of systemd's own, or of the first.
fn cgroup_path(text: &str) -> String {
    let lines = || {
        text.lines().filter_map(|line| {
            let (_, rest) = line.split_once(':')?;
            rest.split_once(':')
        })
    };
    let unified = lines().find(|(controllers, path)| controllers.is_empty() && *path != "/");
    let found = unified
        .or_else(|| lines().find(|(controllers, _)| *controllers == "name=systemd"))
        .or_else(|| lines().find(|(controllers, _)| !controllers.is_empty()))
        .map_or("/", |(_, path)| path);
    found.to_owned()
}

/// The pod's UID in a control group's path as kubelet makes them, by itself (`/kubepods/burstable/podUID/…`) or by systemd
/// (`/kubepods.slice/…/kubepods-burstable-podU_I_D.slice/…`). What users may name themselves does not count.
fn pod_uid(cgroup: &str) -> Option<String> {
    let parts = || cgroup.split('/');
    let is_users = parts().any(|part| part == "user.slice" || part.starts_with("user@"));
    let is_kubelets = parts().any(|part| part.contains("kubepods"));
    if is_users || !is_kubelets {
        return None;
    }
    parts().find_map(|part| {
        let name = part.strip_suffix(".slice").unwrap_or(part);
        let (before, uid) = name.rsplit_once("pod")?;
        let uid = uid.replace('_', "-");
        let is_uid =
            matches!(uid.len(), 32 | 36) && uid.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        (is_uid && (before.is_empty() || before.ends_with('-'))).then_some(uid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "8f4a1d2e-77c1-4c7b-9a55-0b6f3d2c1e00";

    #[test]
    fn a_pods_uid_is_found_in_both_spellings() {
        let systemd = "/kubepods.slice/kubepods-burstable.slice/\
                       kubepods-burstable-pod8f4a1d2e_77c1_4c7b_9a55_0b6f3d2c1e00.slice/cri-containerd-ab12.scope";
        let guaranteed =
            "/kubepods.slice/kubepods-pod8f4a1d2e_77c1_4c7b_9a55_0b6f3d2c1e00.slice/x.scope";
        let cgroupfs = format!("/kubepods/besteffort/pod{UID}/ab12");
        let nested = format!("/kubelet/kubepods/pod{UID}/ab12");
        for path in [systemd, guaranteed, &cgroupfs, &nested] {
            assert_eq!(pod_uid(path).as_deref(), Some(UID), "{path}");
        }
    }

    #[test]
    fn a_static_pods_uid_is_a_hash() {
        let path = "/kubepods/pod0123456789abcdef0123456789abcdef/c";
        assert_eq!(
            pod_uid(path).as_deref(),
            Some("0123456789abcdef0123456789abcdef")
        );
    }

    #[test]
    fn what_is_no_pod_has_no_uid() {
        for path in [
            "/",
            "/system.slice/underpass.service",
            "/kubepods.slice/kubepods-burstable.slice",
            "/kubepods/podman",
            "/system.slice/pod8f4a1d2e-77c1-4c7b-9a55-0b6f3d2c1e00",
        ] {
            assert_eq!(pod_uid(path), None, "{path}");
        }
    }

    #[test]
    fn a_user_who_names_a_control_group_like_a_pod_is_none() {
        for path in [
            format!("/user.slice/user-1000.slice/user@1000.service/kubepods/pod{UID}"),
            format!("/user@1000.service/kubepods/pod{UID}"),
        ] {
            assert_eq!(pod_uid(&path), None, "{path}");
        }
    }

    #[test]
    fn the_control_group_is_found_in_either_version() {
        assert_eq!(cgroup_path("0::/a/b\n"), "/a/b");
        let mixed = "12:cpu,cpuacct:/x\n1:name=systemd:/y\n0::/\n";
        assert_eq!(cgroup_path(mixed), "/y");
        assert_eq!(cgroup_path("3:memory:/z\n"), "/z");
        assert_eq!(cgroup_path(""), "/");
    }

    #[test]
    fn this_process_is_known_by_its_socket_and_its_namespace() {
        let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
        let peer = Peer::of(&near).unwrap();
        let caller = peer.examine().unwrap();
        assert_eq!(caller.pid, std::process::id());
        assert_eq!(caller.uid, nix::unistd::geteuid().as_raw());
        let own = File::open("/proc/thread-self/ns/net").unwrap();
        assert!(peer.namespace(own.as_fd()).is_ok());
    }

    #[test]
    fn what_is_not_its_network_namespace_is_refused() {
        let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
        let peer = Peer::of(&near).unwrap();
        for path in ["/proc/self/ns/uts", "/dev/null"] {
            let other = File::open(path).unwrap();
            let error = peer.namespace(other.as_fd()).unwrap_err();
            assert!(matches!(error, CallerError::NotItsNamespace { .. }));
        }
    }

    #[test]
    fn a_process_that_ended_is_not_taken_for_a_later_one_of_its_number() {
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        drop(far);
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
        // SAFETY: pidfd_open has no memory arguments and returns a new descriptor, or -1.
        let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
        assert!(descriptor >= 0);
        // SAFETY: just returned, nobody else's.
        let process = unsafe {
            <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(i32::try_from(descriptor).unwrap())
        };
        child.wait().unwrap();
        let peer = Peer {
            process: Some(process),
            ..Peer::of(&near).unwrap()
        };
        assert!(matches!(peer.examine(), Err(CallerError::Gone)));
    }
}
