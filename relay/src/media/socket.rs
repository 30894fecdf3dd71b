//! Media sockets: how they are bound, and whether anything waits in them.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};

use nix::poll::{PollFd, PollFlags, PollTimeout};
use socket2::{Domain, Protocol, Socket, Type};

/// What a socket may queue, bytes; the system's `net.core.rmem_max` caps it.
const BUFFER: usize = 512 * 1024;

/// An even port's socket and the one of the odd port above it.
#[derive(Debug)]
pub(crate) struct SocketPair {
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
}

impl SocketPair {
    /// Binds both ports or neither. `rtp` names the even one.
    pub(crate) fn bind(rtp: SocketAddr) -> io::Result<Self> {
        let mut rtcp = rtp;
        rtcp.set_port(rtp.port() + 1);
        Ok(Self {
            rtp: bind(rtp)?,
            rtcp: bind(rtcp)?,
        })
    }

    /// Nothing has arrived at either port since it was bound. One system call.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut polled = [
            PollFd::new(self.rtp.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.rtcp.as_fd(), PollFlags::POLLIN),
        ];
        matches!(nix::poll::poll(&mut polled, PollTimeout::ZERO), Ok(0))
    }
}

/// Sets the TOS byte or traffic class of what the socket sends.
pub(crate) fn set_tos(socket: &UdpSocket, local: SocketAddr, tos: u8) -> io::Result<()> {
    let socket = socket2::SockRef::from(socket);
    if local.is_ipv4() {
        socket.set_tos_v4(u32::from(tos))
    } else {
        socket.set_tclass_v6(u32::from(tos))
    }
}

/// A socket whose datagrams look like those the kernel path sends: DF set within the path MTU, flow label 0.
fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM.nonblocking().cloexec(),
        Some(Protocol::UDP),
    )?;
    match address {
        SocketAddr::V4(_) => set_option(
            &socket,
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_WANT,
        )?,
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            set_option(
                &socket,
                libc::IPPROTO_IPV6,
                libc::IPV6_MTU_DISCOVER,
                libc::IPV6_PMTUDISC_WANT,
            )?;
            set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_AUTOFLOWLABEL, 0)?;
        }
    }
    socket.set_recv_buffer_size(BUFFER)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn set_option(socket: &Socket, level: i32, name: i32, value: i32) -> io::Result<()> {
    let size = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the descriptor is open as long as `socket` is borrowed; the option value is an int that outlives the call,
    // and its size is passed along.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free_even_port(address: &str) -> SocketAddr {
        (20_000..30_000)
            .step_by(2)
            .map(|port| SocketAddr::new(address.parse().unwrap(), port))
            .find(|candidate| SocketPair::bind(*candidate).is_ok())
            .unwrap()
    }

    #[test]
    fn both_ports_are_bound_or_neither() {
        let even = free_even_port("127.0.0.21");
        let odd = SocketAddr::new(even.ip(), even.port() + 1);
        let holder = UdpSocket::bind(odd).unwrap();
        assert!(SocketPair::bind(even).is_err());
        UdpSocket::bind(even).expect("the even port was let go");
        drop(holder);
        SocketPair::bind(even).unwrap();
    }

    #[test]
    fn a_packet_at_either_port_ends_the_quiet() {
        for address in ["127.0.0.22", "::1"] {
            for upper in [0, 1] {
                let pair = SocketPair::bind(free_even_port(address)).unwrap();
                assert!(pair.is_quiet());
                let mut to = pair.rtp.local_addr().unwrap();
                to.set_port(to.port() + upper);
                let sender = UdpSocket::bind((address, 0)).unwrap();
                sender.send_to(b"late", to).unwrap();
                assert!(!pair.is_quiet());
            }
        }
    }

    #[test]
    fn the_traffic_class_is_set_for_both_families() {
        for address in ["127.0.0.23", "::1"] {
            let local = free_even_port(address);
            let pair = SocketPair::bind(local).unwrap();
            set_tos(&pair.rtp, local, 0xb8).unwrap();
            let socket = socket2::SockRef::from(&pair.rtp);
            let read = if local.is_ipv4() {
                socket.tos_v4()
            } else {
                socket.tclass_v6()
            };
            assert_eq!(read.unwrap(), 0xb8);
        }
    }
}
