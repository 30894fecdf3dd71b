//! A packet socket that reads frames together with what the kernel knows about them (PACKET_AUXDATA).

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A frame as the interface had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The bytes, from the link-layer header on.
    pub bytes: Vec<u8>,
    /// Sent by this side; else received.
    pub outgoing: bool,
    /// UDP's checksum is still to be filled in (`TP_STATUS_CSUMNOTREADY`).
    pub checksum_not_ready: bool,
}

/// A raw packet socket on one interface.
#[derive(Debug)]
pub struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens it on the interface with this index, in the calling thread's namespace. Reads give up after 20 ms.
    ///
    /// # Errors
    /// What the kernel says: no privilege, no such interface.
    pub fn open(interface: u32) -> io::Result<Self> {
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: no pointer is passed.
        let fd = unsafe {
            libc::socket(
                libc::AF_PACKET,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC,
                i32::from(protocol),
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and belongs to nobody else.
        let socket = Self(unsafe { OwnedFd::from_raw_fd(fd) });
        socket.set(libc::SOL_PACKET, libc::PACKET_AUXDATA, &1_i32)?;
        socket.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &(64_i32 << 20))?;
        socket.set(
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            &libc::timeval {
                tv_sec: 0,
                tv_usec: 20_000,
            },
        )?;
        // SAFETY: all-zero bytes are a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol;
        address.sll_ifindex = interface as i32;
        // SAFETY: pointer and length describe `address`, which outlives the call.
        let done = unsafe {
            libc::bind(
                fd,
                (&raw const address).cast(),
                mem::size_of_val(&address) as u32,
            )
        };
        if done < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(socket)
        }
    }

    /// Sends a whole frame.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: pointer and length describe `frame`.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if sent < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// The next frame.
    ///
    /// # Errors
    /// `WouldBlock` when there is none within 20 ms.
    pub fn receive(&self) -> io::Result<Frame> {
        let mut bytes = vec![0_u8; 10_000];
        let mut control = [0_u64; 16];
        // SAFETY: all-zero bytes are a valid sockaddr_ll and a valid msghdr.
        let (mut address, mut header): (libc::sockaddr_ll, libc::msghdr) = unsafe { mem::zeroed() };
        let mut part = libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        header.msg_name = (&raw mut address).cast();
        header.msg_namelen = mem::size_of_val(&address) as u32;
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = mem::size_of_val(&control);
        // SAFETY: every pointer in `header` describes a buffer of this function with its length.
        let length = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut header, 0) };
        let Ok(length) = usize::try_from(length) else {
            return Err(io::Error::last_os_error());
        };
        bytes.truncate(length);
        let status = auxiliary_status(&header);
        Ok(Frame {
            bytes,
            outgoing: address.sll_pkttype == libc::PACKET_OUTGOING,
            checksum_not_ready: status & libc::TP_STATUS_CSUMNOTREADY != 0,
        })
    }

    fn set<T>(&self, level: i32, option: i32, value: &T) -> io::Result<()> {
        let (pointer, length) = ((&raw const *value).cast(), mem::size_of::<T>() as u32);
        // SAFETY: pointer and length describe `value`.
        let done = unsafe { libc::setsockopt(self.0.as_raw_fd(), level, option, pointer, length) };
        if done < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}

/// tp_status of the auxiliary data that came with a frame.
fn auxiliary_status(header: &libc::msghdr) -> u32 {
    // SAFETY: `header` was filled in by recvmsg, its control buffer is alive and aligned; the CMSG functions stay inside it.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(found) = message.as_ref() {
            if found.cmsg_level == libc::SOL_PACKET && found.cmsg_type == libc::PACKET_AUXDATA {
                return libc::CMSG_DATA(message)
                    .cast::<libc::tpacket_auxdata>()
                    .read_unaligned()
                    .tp_status;
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    0
}
