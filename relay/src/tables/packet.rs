//! Messages as packets of a SOCK_SEQPACKET socket, with descriptors beside them.

use std::io;
use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::protocol::{MAX_DESCRIPTORS, MAX_MESSAGE};

/// Descriptors that one message of the kernel's carries at most (SCM_MAX_FD).
const KERNEL_DESCRIPTORS: usize = 253;
/// Control data of that many, in words, so that it is aligned as its headers must be.
const CONTROL_WORDS: usize = 8 + KERNEL_DESCRIPTORS / 2;

/// What has come in.
#[derive(Debug)]
pub(crate) enum Incoming<M> {
    /// A message and the descriptors beside it.
    Message(M, Vec<OwnedFd>),
    /// A packet that is none, and why; its descriptors are closed.
    Malformed(String),
    /// Nothing (more), now.
    Nothing,
    /// The peer is gone.
    Closed,
}

/// Where a packet is received into.
#[derive(Debug)]
pub(crate) struct Buffer(Vec<u8>);

impl Default for Buffer {
    fn default() -> Self {
        Self(vec![0; MAX_MESSAGE])
    }
}

/// A message as it is sent. Longer than [`MAX_MESSAGE`] it is an error of its author's.
///
/// # Errors
/// It is too long.
pub(crate) fn encode<M: Serialize>(message: &M) -> io::Result<Vec<u8>> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > MAX_MESSAGE {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a message of {} bytes is too long", bytes.len()),
        ));
    }
    Ok(bytes)
}

/// Sends a packet without waiting.
///
/// # Errors
/// `WouldBlock`: the peer has not read what it was sent before; others: it is gone.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &[][..] } else { &rights };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(
        socket.as_raw_fd(),
        &[IoSlice::new(bytes)],
        control,
        flags,
        None,
    )?;
    Ok(())
}

/// Receives a packet without waiting.
///
/// # Errors
/// The socket's.
pub(crate) fn receive<M: DeserializeOwned>(
    socket: BorrowedFd<'_>,
    buffer: &mut Buffer,
) -> io::Result<Incoming<M>> {
    let packet = match receive_packet(socket, &mut buffer.0) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Incoming::Nothing),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
            return Ok(Incoming::Closed);
        }
        Err(error) => return Err(error),
        Ok(packet) => packet,
    };
    if packet.length == 0 {
        return Ok(Incoming::Closed);
    }
    if packet.flags & libc::MSG_TRUNC != 0 {
        return Ok(Incoming::Malformed(format!(
            "a message is longer than {MAX_MESSAGE} bytes"
        )));
    }
    if packet.flags & libc::MSG_CTRUNC != 0 || packet.descriptors.len() > MAX_DESCRIPTORS {
        return Ok(Incoming::Malformed(format!(
            "a message has more than {MAX_DESCRIPTORS} descriptors, or more than could be taken"
        )));
    }
    Ok(match serde_json::from_slice(&buffer.0[..packet.length]) {
        Ok(message) => Incoming::Message(message, packet.descriptors),
        Err(error) => Incoming::Malformed(format!("a message can't be read: {error}")),
    })
}

struct Packet {
    length: usize,
    flags: libc::c_int,
    descriptors: Vec<OwnedFd>,
}

/// Takes every descriptor that came along, whatever is wrong with the rest: what is not taken would never be closed.
fn receive_packet(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Packet> {
    let mut control = [0_u64; CONTROL_WORDS];
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: all zero is a valid header: no name, no parts, no control data.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control);
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the header names a buffer and control space that live and are not used elsewhere during the call.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    let mut descriptors = Vec::new();
    // SAFETY: the kernel has set the header's control length to what it wrote into `control`, which is alive; the CMSG
    // functions stay within it.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    while !message.is_null() {
        // SAFETY: not null, so it points at a whole header inside `control`.
        let (level, kind, size) = unsafe {
            (
                (*message).cmsg_level,
                (*message).cmsg_type,
                (*message).cmsg_len,
            )
        };
        if (level, kind) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: arithmetic only.
            let overhead = unsafe { libc::CMSG_LEN(0) } as usize;
            let count = size.saturating_sub(overhead) / size_of::<RawFd>();
            // SAFETY: `message` is a header inside `control`; its data follow it.
            let data = unsafe { libc::CMSG_DATA(message) }.cast::<RawFd>();
            for at in 0..count {
                // SAFETY: the kernel wrote `count` descriptors there, new ones that nobody else knows of.
                let descriptor = unsafe { OwnedFd::from_raw_fd(data.add(at).read_unaligned()) };
                descriptors.push(descriptor);
            }
        }
        // SAFETY: as for CMSG_FIRSTHDR.
        message = unsafe { libc::CMSG_NXTHDR(&raw const header, message) };
    }
    Ok(Packet {
        length,
        flags: header.msg_flags,
        descriptors,
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socketpair, sockopt};
    use serde_json::Value;

    use super::*;

    fn pair() -> (OwnedFd, OwnedFd) {
        let kind = SockType::SeqPacket;
        let (near, far) =
            socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).unwrap();
        setsockopt(&near, sockopt::SndBuf, &(4 * MAX_MESSAGE)).unwrap();
        (near, far)
    }

    fn received(socket: &OwnedFd) -> Incoming<Value> {
        receive(socket.as_fd(), &mut Buffer::default()).unwrap()
    }

    fn end_of_pipe_after(send: impl FnOnce(BorrowedFd<'_>)) -> bool {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        send(writer.as_fd());
        drop(writer);
        let mut poll = [nix::poll::PollFd::new(
            reader.as_fd(),
            nix::poll::PollFlags::POLLIN,
        )];
        nix::poll::poll(&mut poll, nix::poll::PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn a_message_arrives_with_its_descriptors() {
        let (near, far) = pair();
        let bytes = encode(&serde_json::json!({"a": 1})).unwrap();
        send(near.as_fd(), &bytes, &[near.as_fd(), far.as_fd()]).unwrap();
        let Incoming::Message(message, descriptors) = received(&far) else {
            panic!("no message");
        };
        assert_eq!((message["a"].as_u64(), descriptors.len()), (Some(1), 2));
    }

    #[test]
    fn received_descriptors_are_closed_on_exec() {
        let (near, far) = pair();
        send(near.as_fd(), b"{}", &[near.as_fd()]).unwrap();
        let Incoming::Message(_, descriptors) = received(&far) else {
            panic!("no message");
        };
        let flags = nix::fcntl::fcntl(&descriptors[0], nix::fcntl::FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_and_its_descriptors_closed() {
        let (near, far) = pair();
        let long = vec![b' '; MAX_MESSAGE + 1];
        assert!(end_of_pipe_after(|descriptor| {
            send(near.as_fd(), &long, &[descriptor]).unwrap();
            assert!(matches!(received(&far), Incoming::Malformed(why) if why.contains("longer")));
        }));
    }

    #[test]
    fn too_many_descriptors_are_refused_and_closed() {
        let (near, far) = pair();
        for count in [MAX_DESCRIPTORS + 1, KERNEL_DESCRIPTORS] {
            assert!(end_of_pipe_after(|descriptor| {
                send(near.as_fd(), b"{}", &vec![descriptor; count]).unwrap();
                assert!(
                    matches!(received(&far), Incoming::Malformed(why) if why.contains("descriptors"))
                );
            }));
        }
    }

    #[test]
    fn nonsense_is_refused_and_its_descriptors_closed() {
        let (near, far) = pair();
        assert!(end_of_pipe_after(|descriptor| {
            send(near.as_fd(), b"\xffnonsense", &[descriptor]).unwrap();
            assert!(matches!(received(&far), Incoming::Malformed(_)));
        }));
    }

    #[test]
    fn silence_is_told_from_an_end() {
        let (near, far) = pair();
        assert!(matches!(received(&far), Incoming::Nothing));
        drop(near);
        assert!(matches!(received(&far), Incoming::Closed));
    }

    #[test]
    fn a_peer_that_does_not_read_is_noticed() {
        let (near, _far) = pair();
        let full = (0..1000).find_map(|_| send(near.as_fd(), b"{}", &[]).err());
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn the_longest_message_passes_a_socket_of_the_usual_size() {
        let kind = SockType::SeqPacket;
        let (near, far) =
            socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let bytes = encode(&"x".repeat(MAX_MESSAGE - 2)).unwrap();
        send(near.as_fd(), &bytes, &[]).unwrap();
        assert!(matches!(received(&far), Incoming::Message(_, _)));
        assert!(encode(&"x".repeat(MAX_MESSAGE)).is_err());
    }
}
