//! A tenant that speaks the claim protocol itself, byte by byte, and writes into its table whatever it likes.
//!
//! The agent sees a process of another user in a namespace; what is said on its connection, the test says.

use std::ffi::CString;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};
use serde_json::{Value, json};

use crate::netns::Netns;

/// The user that unprivileged relays run as.
pub const NOBODY: u32 = 65_534;
/// Another user without privilege.
pub const SOMEBODY: u32 = 65_533;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process of some user, and its connection to the agent. Both end when it is dropped.
#[derive(Debug)]
pub struct Tenant {
    line: OwnedFd,
    namespace: OwnedFd,
    process: Child,
}

impl Tenant {
    /// Connects to the agent at `socket` as user `uid`, without any capability unless that is root, from `ns`.
    ///
    /// # Errors
    /// The connection is refused.
    pub fn connect(ns: &Netns, socket: &Path, uid: u32) -> io::Result<Self> {
        let (near, far) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        let path = CString::new(socket.to_string_lossy().as_bytes())?;
        let mut command = ns.command("sleep");
        command
            .arg("infinity")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let pass_on = far.as_raw_fd();
        // SAFETY: `introduce` makes system calls only, and allocates nothing.
        unsafe { command.pre_exec(move || introduce(uid, &path, pass_on)) };
        let process = command.spawn()?;
        let (_, mut descriptors) =
            receive(near.as_fd())?.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let (Some(namespace), Some(line)) = (descriptors.pop(), descriptors.pop()) else {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        };
        Ok(Self {
            line,
            namespace,
            process,
        })
    }

    /// Its network namespace.
    #[must_use]
    pub fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The agent has hung up, or does not read.
    pub fn say(&self, message: &Value, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.say_bytes(message.to_string().as_bytes(), descriptors)
    }

    /// Sends any bytes.
    ///
    /// # Errors
    /// As [`Tenant::say`].
    pub fn say_bytes(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let rights = if raw.is_empty() { &[][..] } else { &rights };
        sendmsg::<()>(
            self.line.as_raw_fd(),
            &[IoSlice::new(bytes)],
            rights,
            MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL,
            None,
        )?;
        Ok(())
    }

    /// The next message with its descriptors; `None` when the agent has hung up.
    ///
    /// # Panics
    /// If nothing comes, or no JSON.
    #[must_use]
    #[track_caller]
    pub fn hear(&self) -> Option<(Value, Vec<OwnedFd>)> {
        let mut line = [PollFd::new(self.line.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(PATIENCE).expect("a short time");
        let ready = poll(&mut line, patience).unwrap();
        assert_ne!(ready, 0, "the agent is silent for {PATIENCE:?}");
        let (bytes, descriptors) = match receive(self.line.as_fd()) {
            Ok(message) => message?,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("reading from the agent: {error}"),
        };
        let text = String::from_utf8_lossy(&bytes);
        let message = serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{e}: {text}"));
        Some((message, descriptors))
    }

    /// The next message of this kind; others (placements, mostly) are passed over.
    ///
    /// # Panics
    /// If the agent hangs up before, or stays silent.
    #[must_use]
    #[track_caller]
    pub fn hear_of(&self, kinds: &[&str]) -> (Value, Vec<OwnedFd>) {
        loop {
            let (message, descriptors) = self.hear().expect("the agent stays on the line");
            if kinds.iter().any(|kind| message["message"] == *kind) {
                return (message, descriptors);
            }
        }
    }

    /// Makes a claim, its own namespace beside it; what is granted and its descriptors, or what is refused.
    ///
    /// # Errors
    /// The refusal.
    #[track_caller]
    pub fn claim(&self, claim: &Value) -> Result<(Value, Vec<OwnedFd>), Value> {
        self.say(claim, &[self.namespace()]).unwrap();
        let (answer, descriptors) = self.hear_of(&["granted", "refused"]);
        if answer["message"] == "granted" {
            Ok((answer, descriptors))
        } else {
            Err(answer)
        }
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A claim as a well-behaved relay makes it.
#[must_use]
pub fn claim(identity: &str, addresses: &[&str], ports: [u16; 2]) -> Value {
    json!({
        "message": "claim", "version": 1, "layout": underpass_abi::LAYOUT_VERSION, "table": "auto",
        "identity": identity, "name": identity, "command": "a tenant of the lab",
        "addresses": addresses, "ports": {"first": ports[0], "last": ports[1]},
        "max_flows": 1000, "engine": "tc", "interface_engines": {},
    })
}

/// Runs a closure on a thread that has user `uid` and no capability.
pub fn as_user<T: Send>(uid: u32, work: impl FnOnce() -> T + Send) -> T {
    let inside = || {
        become_user(uid).expect("the superuser can become another");
        work()
    };
    match thread::scope(|scope| scope.spawn(inside).join()) {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The calling thread's credentials alone (the C library's functions would change those of all threads).
fn become_user(uid: u32) -> io::Result<()> {
    if uid == 0 {
        return Ok(());
    }
    for capability in 0..64 {
        // SAFETY: no pointer is passed. Past the last capability it fails, which is no harm.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
    // SAFETY: no memory is passed to any of these.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::syscall(libc::SYS_setgroups, 0, 0) == 0
            && libc::syscall(libc::SYS_setresgid, uid, uid, uid) == 0
            && libc::syscall(libc::SYS_setresuid, uid, uid, uid) == 0
    };
    if done {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// In the child: becomes the user, connects, and hands connection and namespace back by `pass_on`.
fn introduce(uid: u32, socket: &CString, pass_on: RawFd) -> io::Result<()> {
    become_user(uid)?;
    // The kernel forgets it when the user changes.
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    // SAFETY: all-zero bytes are a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as u16;
    for (place, byte) in address.sun_path.iter_mut().zip(socket.as_bytes()) {
        *place = *byte as libc::c_char;
    }
    // SAFETY: the pointers are to a terminated string and to an address with its length.
    let (line, namespace, connected) = unsafe {
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
        let line = libc::socket(libc::AF_UNIX, kind, 0);
        let own = c"/proc/self/ns/net".as_ptr();
        let namespace = libc::open(own, libc::O_RDONLY | libc::O_CLOEXEC);
        let length = size_of_val(&address) as u32;
        (
            line,
            namespace,
            libc::connect(line, (&raw const address).cast(), length),
        )
    };
    if namespace < 0 || connected < 0 {
        return Err(io::Error::last_os_error());
    }
    let rights = [line, namespace];
    sendmsg::<()>(
        pass_on,
        &[IoSlice::new(b"-")],
        &[ControlMessage::ScmRights(&rights)],
        MsgFlags::empty(),
        None,
    )?;
    Ok(())
}

/// One packet with its descriptors; `None` at the end.
fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; 70_000];
    let mut space = nix::cmsg_space!([RawFd; 32]);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let received = recvmsg::<()>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut space),
        MsgFlags::MSG_CMSG_CLOEXEC,
    )?;
    let mut descriptors = Vec::new();
    for message in received.cmsgs()? {
        if let ControlMessageOwned::ScmRights(raw) = message {
            // SAFETY: the kernel just made these descriptors for us.
            descriptors.extend(
                raw.into_iter()
                    .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
            );
        }
    }
    let length = received.bytes;
    bytes.truncate(length);
    Ok((length > 0).then_some((bytes, descriptors)))
}
