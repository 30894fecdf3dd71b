//! A UDP socket whose replies leave from the local address that the request hit, whatever it is bound to.
//!
//! Clients use connected sockets and would not see a reply from elsewhere. Replies may be fragmented: no DF.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, Socket, Type};

/// Receive buffer that is asked for, in bytes: a burst of a few thousand commands. The kernel may give less.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A bound socket.
#[derive(Debug)]
pub(super) struct NgSocket {
    socket: Socket,
    address: SocketAddr,
    closed: AtomicBool,
}

/// The local end of a datagram: the reply leaves from here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Local {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

/// A received datagram's length and ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    pub(super) length: usize,
    pub(super) source: SocketAddr,
    pub(super) local: Option<Local>,
}

impl NgSocket {
    /// Binds a socket. One for `::` takes IPv6 only.
    ///
    /// # Errors
    /// Those of the system calls, a taken port first of all.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM.cloexec(), None)?;
        if address.is_ipv4() {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        } else {
            socket.set_only_v6(true)?;
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
        allow_fragments(&socket, address)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind(&address.into())?;
        let address = socket
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::from(Errno::EAFNOSUPPORT))?;
        Ok(Self {
            socket,
            address,
            closed: AtomicBool::new(false),
        })
    }

    /// The address it is bound to, with the port that the system chose if it was asked to.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the TOS byte or traffic class of replies.
    ///
    /// # Errors
    /// Those of setsockopt(2).
    pub(super) fn set_tos(&self, tos: u8) -> io::Result<()> {
        match self.address {
            SocketAddr::V4(_) => self.socket.set_tos_v4(tos.into()),
            SocketAddr::V6(_) => self.socket.set_tclass_v6(tos.into()),
        }
    }

    /// Waits for a datagram; `None` once [`Self::close`] was called.
    ///
    /// # Errors
    /// Those of recvmsg(2), interruptions excepted.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut control = nix::cmsg_space!(libc::in6_pktinfo);
        // A socket that was shut down still hands out what is queued, and a flood would keep it going.
        while !self.closed.load(Relaxed) {
            let mut slices = [IoSliceMut::new(buffer)];
            let received = recvmsg::<SockaddrStorage>(
                self.socket.as_raw_fd(),
                &mut slices,
                Some(&mut control),
                MsgFlags::empty(),
            );
            return match received {
                Err(Errno::EINTR) => continue,
                Err(error) => Err(error.into()),
                // A socket that was shut down has no source; an empty datagram has one.
                Ok(message) => Ok(message.address.as_ref().and_then(to_std).map(|source| {
                    let local = message.cmsgs().ok().and_then(|mut all| all.find_map(local));
                    Received {
                        length: message.bytes,
                        source,
                        local,
                    }
                })),
            };
        }
        Ok(None)
    }

    /// Sends a reply from where its request was received.
    ///
    /// # Errors
    /// Those of sendmsg(2).
    pub(super) fn reply(&self, bytes: &[u8], to: &Received) -> io::Result<()> {
        let control = match &to.local {
            Some(Local::V4(info)) => &[ControlMessage::Ipv4PacketInfo(info)][..],
            Some(Local::V6(info)) => &[ControlMessage::Ipv6PacketInfo(info)][..],
            None => &[],
        };
        let slices = [IoSlice::new(bytes)];
        let address = SockaddrStorage::from(to.source);
        loop {
            match sendmsg(
                self.socket.as_raw_fd(),
                &slices,
                control,
                MsgFlags::empty(),
                Some(&address),
            ) {
                Err(Errno::EINTR) => {}
                sent => return Ok(sent.map(drop)?),
            }
        }
    }

    /// Wakes up whoever waits in [`Self::receive`], for good.
    pub(super) fn close(&self) {
        self.closed.store(true, Relaxed);
        // An unconnected socket answers ENOTCONN, and is shut down all the same (Linux does so on purpose).
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Turns off path MTU discovery, and DF with it.
fn allow_fragments(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let (level, name, value) = if address.is_ipv4() {
        (
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_DONT,
        )
    } else {
        (
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_DONT,
        )
    };
    // SAFETY: the descriptor is open for as long as `socket` lives, and the option's value is the c_int that `value` is,
    // which outlives the call.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(&value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    Errno::result(outcome)?;
    Ok(())
}

/// What makes a reply leave from where the request was received. The interface is left to routing, but for link-local
/// addresses, which mean nothing without it.
fn local(message: ControlMessageOwned) -> Option<Local> {
    match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(Local::V4(libc::in_pktinfo {
            ipi_ifindex: 0,
            ..info
        })),
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let [first, second, ..] = info.ipi6_addr.s6_addr;
            let link_local = first == 0xfe && second & 0xc0 == 0x80;
            let ipi6_ifindex = if link_local { info.ipi6_ifindex } else { 0 };
            Some(Local::V6(libc::in6_pktinfo {
                ipi6_ifindex,
                ..info
            }))
        }
        _ => None,
    }
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address
        .as_sockaddr_in()
        .map(|v4| SocketAddrV4::from(*v4).into());
    v4.or_else(|| {
        address
            .as_sockaddr_in6()
            .map(|v6| SocketAddrV6::from(*v6).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    #[test]
    fn replies_may_be_fragmented() {
        let v4 = (Ipv4Addr::LOCALHOST.into(), libc::IPPROTO_IP);
        let v6 = (Ipv6Addr::LOCALHOST.into(), libc::IPPROTO_IPV6);
        let names = [libc::IP_MTU_DISCOVER, libc::IPV6_MTU_DISCOVER];
        let off = [libc::IP_PMTUDISC_DONT, libc::IPV6_PMTUDISC_DONT];
        for (((address, level), name), off) in [v4, v6].into_iter().zip(names).zip(off) {
            let address: IpAddr = address;
            let socket = NgSocket::bind((address, 0).into()).unwrap();
            let (mut value, mut length): (libc::c_int, _) = (-1, 4);
            // SAFETY: the descriptor is open, and `value` has the four bytes that `length` says.
            let outcome = unsafe {
                libc::getsockopt(
                    socket.socket.as_raw_fd(),
                    level,
                    name,
                    std::ptr::from_mut(&mut value).cast(),
                    &raw mut length,
                )
            };
            assert_eq!((outcome, value), (0, off), "{address}");
        }
    }
}
