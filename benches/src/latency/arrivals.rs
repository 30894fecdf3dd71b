//! When packets arrive: the kernel's own stamps at the callee's interface, read later.
//!
//! The stamp is taken where the packet comes in, before any program or socket sees it; nobody is woken for it, so that
//! measuring does not get into the relay's way.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use lab::Netns;

/// How often the socket is emptied.
const PAUSE: Duration = Duration::from_millis(20);
/// What it holds in between.
const BUFFER: i32 = 64 << 20;
/// Ethernet, IPv6, UDP, RTP, the stamp.
const HEADERS: usize = 14 + 40 + 8 + 12 + 8;

/// A packet socket on an interface that reads arrivals.
pub(super) struct Arrivals(OwnedFd);

impl Arrivals {
    /// Opens it on `interface` of `ns`.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn open(ns: &Netns, interface: &str) -> Result<Self> {
        let index = ns.index(interface);
        let socket = ns.run(|| packet_socket(index));
        Ok(Self(socket.context("no packet socket to receive by")?))
    }

    /// Reads until `stop` is set and nothing is left: nanoseconds from each packet's sending to its arrival.
    pub(super) fn delays(&self, stop: &AtomicBool) -> Vec<u64> {
        let mut delays = Vec::new();
        loop {
            let is_last = stop.load(Ordering::Acquire);
            while let Some(arrival) = self.next() {
                delays.extend(arrival);
            }
            if is_last {
                return delays;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// `None`: nothing there; `Some(None)`: not one of ours.
    fn next(&self) -> Option<Option<u64>> {
        let mut frame = [0u8; HEADERS];
        let mut control = [0u64; 16];
        // SAFETY: all-zero bytes are a valid sockaddr_ll and a valid msghdr.
        let (mut address, mut header): (libc::sockaddr_ll, libc::msghdr) =
            unsafe { std::mem::zeroed() };
        let mut part = libc::iovec {
            iov_base: frame.as_mut_ptr().cast(),
            iov_len: frame.len(),
        };
        header.msg_name = (&raw mut address).cast();
        header.msg_namelen = size_of::<libc::sockaddr_ll>() as u32;
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control);
        // SAFETY: every pointer in `header` describes a buffer of this function with its length.
        let length =
            unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
        let length = usize::try_from(length).ok()?;
        if address.sll_pkttype == libc::PACKET_OUTGOING {
            return Some(None);
        }
        let sent = stamp(&frame[..length]);
        let arrived = arrival(&header);
        Some(
            sent.zip(arrived)
                .map(|(sent, arrived)| arrived.saturating_sub(sent)),
        )
    }
}

/// The time that the sender wrote into an RTP packet.
fn stamp(frame: &[u8]) -> Option<u64> {
    let transport = match (frame.get(12..14)?, frame.get(23)?, frame.get(20)?) {
        ([0x08, 0x00], 17, _) => 34,
        ([0x86, 0xdd], _, 17) => 54,
        _ => return None,
    };
    let stamp = frame.get(transport + 20..transport + 28)?;
    Some(u64::from_be_bytes(stamp.try_into().ok()?))
}

/// The kernel's stamp, nanoseconds since 1970.
fn arrival(header: &libc::msghdr) -> Option<u64> {
    // SAFETY: `header` was filled in by recvmsg, its control buffer is alive and aligned; the CMSG functions stay inside it.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(found) = message.as_ref() {
            if found.cmsg_level == libc::SOL_SOCKET && found.cmsg_type == libc::SCM_TIMESTAMPNS {
                let at = libc::CMSG_DATA(message)
                    .cast::<libc::timespec>()
                    .read_unaligned();
                return Some(at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64);
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    None
}

fn packet_socket(index: u32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: no pointer is passed. It receives nothing before it is bound.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    set(&socket, libc::SO_TIMESTAMPNS, 1)?;
    set(&socket, libc::SO_RCVBUFFORCE, BUFFER)?;
    // SAFETY: all-zero bytes are a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index as i32;
    let size = size_of::<libc::sockaddr_ll>() as u32;
    // SAFETY: pointer and length describe `address`.
    let done = unsafe { libc::bind(fd, (&raw const address).cast(), size) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(socket)
}

fn set(socket: &OwnedFd, option: i32, value: i32) -> io::Result<()> {
    let (pointer, size) = ((&raw const value).cast(), size_of::<i32>() as u32);
    // SAFETY: pointer and length describe `value`.
    let done =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, pointer, size) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::{Frames, Stream};

    #[test]
    fn the_time_of_sending_is_read_where_the_sender_wrote_it() {
        for (source, destination) in [
            ("10.1.0.2:10000", "10.1.0.1:30000"),
            ("[fd01::2]:10000", "[fd01::1]:30000"),
        ] {
            let stream = Stream {
                source: source.parse().unwrap(),
                destination: destination.parse().unwrap(),
                ssrc: 7,
            };
            let mut frames = Frames::of(&[stream], [2; 6]).unwrap();
            let mut frame = frames.blank();
            frames.write_next(&mut frame, 1_700_000_000_123_456_789);
            assert_eq!(stamp(&frame[..HEADERS]), Some(1_700_000_000_123_456_789));
        }
    }

    #[test]
    fn what_is_no_udp_has_no_time_of_sending() {
        assert_eq!(stamp(&[0; HEADERS]), None);
        assert_eq!(stamp(&[0; 20]), None);
    }
}
