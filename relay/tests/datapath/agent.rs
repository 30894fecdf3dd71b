//! An agent in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::net::{Net, until};
use crate::relay::Directory;

/// Ends with its process, which is killed when this is dropped.
pub(crate) struct Agent(Child);

impl Agent {
    /// Starts one in a namespace, for the node of `directory`; returns when it listens.
    pub(crate) fn start(net: &Net, namespace: &str, directory: &Directory, more: &[&str]) -> Self {
        let socket = socket(directory.path());
        let at = |name: &str| directory.path().join(name);
        let child = net
            .command(namespace, &binary())
            .arg("agent")
            .arg("--socket")
            .arg(&socket)
            .arg("--registry")
            .arg(at("tables"))
            .arg("--bpffs")
            .arg(at("bpf"))
            .arg("--foreground")
            .args(more)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self(child);
        until("the agent listens", || {
            // Connecting tells a socket that is listened at from one that was left.
            std::fs::metadata(&socket).is_ok() && is_listened_at(&socket)
        });
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where the agent of a node listens.
pub(crate) fn socket(directory: &Path) -> PathBuf {
    directory.join("agent.sock")
}

/// The one that cargo built, or the one that `LAB_UNDERPASS` names where these tests were taken to another machine.
fn binary() -> PathBuf {
    let named = std::env::var_os("LAB_UNDERPASS").map(PathBuf::from);
    named.unwrap_or_else(|| env!("CARGO_BIN_EXE_underpass").into())
}

fn is_listened_at(path: &Path) -> bool {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
    use std::os::fd::AsRawFd;
    let socket = socket(
        AddressFamily::Unix,
        SockType::SeqPacket,
        SockFlag::empty(),
        None,
    );
    let (socket, address) = (socket.unwrap(), UnixAddr::new(path).unwrap());
    connect(socket.as_raw_fd(), &address).is_ok()
}
