//! Somebody at the agent's socket who is no agent.

use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, accept4, bind,
    listen, recv, sendmsg, setsockopt, socket, sockopt::ReceiveTimeout,
};
use nix::sys::time::TimeVal;

/// What it does with those who connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Never accepts.
    Deaf,
    /// Accepts, and never says a word.
    Silent,
    /// Hangs up at once.
    HangsUp,
    /// Reads the claim, then hangs up.
    HangsUpAfterTheClaim,
    /// Answers with these bytes, /dev/null as often beside them.
    Answers(Vec<u8>, usize),
    /// Says something harmless every few milliseconds, and never the answer.
    Chatters,
}

/// A listener at the agent's socket; gone when dropped.
#[derive(Debug)]
pub struct FakeAgent {
    path: PathBuf,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FakeAgent {
    /// Listens at `path`.
    #[must_use]
    #[track_caller]
    pub fn listen(path: &Path, manner: Manner) -> Self {
        let _ = fs::remove_file(path);
        let flags = SockFlag::SOCK_CLOEXEC;
        let listener = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).unwrap();
        bind(listener.as_raw_fd(), &UnixAddr::new(path).unwrap()).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        listen(&listener, Backlog::new(8).expect("a small number")).unwrap();
        setsockopt(&listener, ReceiveTimeout, &TimeVal::new(0, 20_000)).unwrap();
        let closing = Arc::new(AtomicBool::new(false));
        let until = closing.clone();
        let thread = thread::spawn(move || serve(&listener, &manner, &until));
        Self {
            path: path.to_owned(),
            closing,
            thread: Some(thread),
        }
    }
}

impl Drop for FakeAgent {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.path);
    }
}

fn serve(listener: &OwnedFd, manner: &Manner, closing: &AtomicBool) {
    let mut held = Vec::new();
    while !closing.load(Ordering::Relaxed) {
        if *manner == Manner::Chatters {
            held.retain(|line| say(line, br#"{"message":"settled"}"#, &[]).is_ok());
        }
        if *manner == Manner::Deaf {
            thread::sleep(Duration::from_millis(20));
            continue;
        }
        let Ok(line) = accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC) else {
            continue;
        };
        // SAFETY: the kernel just made the descriptor for us.
        let line = unsafe { OwnedFd::from_raw_fd(line) };
        match manner {
            Manner::HangsUp => continue,
            Manner::HangsUpAfterTheClaim => {
                hear(&line);
                continue;
            }
            Manner::Answers(bytes, descriptors) => {
                hear(&line);
                let nothing = fs::File::open("/dev/null").unwrap();
                let _ = say(&line, bytes, &vec![nothing.as_raw_fd(); *descriptors]);
            }
            _ => {}
        }
        held.push(line);
    }
}

fn hear(line: &OwnedFd) {
    let _ = setsockopt(line, ReceiveTimeout, &TimeVal::new(5, 0));
    let _ = recv(line.as_raw_fd(), &mut [0; 70_000], MsgFlags::empty());
}

fn say(line: &OwnedFd, bytes: &[u8], descriptors: &[RawFd]) -> io::Result<()> {
    let rights = [ControlMessage::ScmRights(descriptors)];
    let rights = if descriptors.is_empty() {
        &[][..]
    } else {
        &rights
    };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(
        line.as_raw_fd(),
        &[IoSlice::new(bytes)],
        rights,
        flags,
        None,
    )?;
    Ok(())
}
