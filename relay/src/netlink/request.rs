//! Questions to the kernel, answered at once.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::message::{Message, Request, messages, u32_at};
use super::{Event, Route, parse};

const NLMSG_ERROR: u16 = libc::NLMSG_ERROR as u16;
const NLMSG_DONE: u16 = libc::NLMSG_DONE as u16;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const NDA_DST: u16 = 1;
const NTF_USE: u8 = 1;
/// No answer is longer: the kernel cuts dumps into parts of at most 32 KiB.
const BUFFER: usize = 64 * 1024;

/// A socket for requests.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens a socket in the thread's network namespace.
    ///
    /// # Errors
    /// No socket to be had.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        Self::from_fd(super::into_fd(socket))
    }

    /// Goes on with a socket that another has opened, in whatever network namespace that was.
    ///
    /// # Errors
    /// It is not one for rtnetlink.
    pub(crate) fn from_fd(descriptor: OwnedFd) -> io::Result<Self> {
        let socket = super::from_fd(descriptor);
        socket.connect(&SocketAddr::new(0, 0))?;
        // The kernel answers while the request is sent; the limit is for answers that got lost.
        let limit = nix::sys::time::TimeVal::new(2, 0);
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::ReceiveTimeout, &limit)?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: Vec::with_capacity(BUFFER),
        })
    }

    /// The socket itself, to be passed on.
    pub(crate) fn into_fd(self) -> OwnedFd {
        super::into_fd(self.socket)
    }

    /// All links, addresses and neighbours.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn dump(&mut self) -> io::Result<Vec<Event>> {
        let mut events = self.dump_links()?;
        self.list(libc::RTM_GETNEIGH, 12, &mut events)?;
        Ok(events)
    }

    /// All links and addresses.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn dump_links(&mut self) -> io::Result<Vec<Event>> {
        let mut events = Vec::new();
        self.list(libc::RTM_GETLINK, 16, &mut events)?;
        self.list(libc::RTM_GETADDR, 8, &mut events)?;
        Ok(events)
    }

    fn list(&mut self, kind: u16, body: usize, events: &mut Vec<Event>) -> io::Result<()> {
        let request = Request::new(kind, libc::NLM_F_DUMP as u16, &vec![0; body]);
        self.ask(request, |message| events.extend(parse::event(message)))
    }

    /// The device that packets for `to` leave by.
    ///
    /// # Errors
    /// What the kernel says; ENETUNREACH: no route.
    pub(crate) fn device_towards(&mut self, to: IpAddr) -> io::Result<Option<u32>> {
        self.towards(to, |payload| match parse::route(payload)? {
            Route::Unicast { ifindex, .. } => Some(ifindex),
            Route::Local | Route::Unusable => None,
        })
    }

    /// The address of this machine that packets for `to` leave from where nobody chooses another. No packet is sent.
    ///
    /// # Errors
    /// What the kernel says; ENETUNREACH: no route.
    pub(crate) fn source_towards(&mut self, to: IpAddr) -> io::Result<Option<IpAddr>> {
        self.towards(to, parse::source)
    }

    /// What `read` finds in the route to `to`.
    fn towards<T>(
        &mut self,
        to: IpAddr,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let (family, address) = bytes_of(to);
        let mut body = [0; 12];
        body[..2].copy_from_slice(&[family, (address.len() * 8) as u8]);
        let request = Request::new(libc::RTM_GETROUTE, 0, &body).attribute(RTA_DST, &address);
        let mut found = None;
        self.ask(request, |message| found = read(message.payload))?;
        Ok(found)
    }

    /// What this socket's network namespace calls another one, as in [`super::Link::elsewhere`]; `None`: nothing, for
    /// it has never had to.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn namespace_id(&mut self, other: BorrowedFd<'_>) -> io::Result<Option<i32>> {
        const NETNSA_FD: u16 = 3;
        let descriptor = other.as_raw_fd().to_ne_bytes();
        let request = Request::new(libc::RTM_GETNSID, 0, &[0; 4]).attribute(NETNSA_FD, &descriptor);
        let mut id = None;
        self.ask(request, |message| id = parse::namespace_id(message.payload))?;
        Ok(id)
    }

    /// The route from `from`, an address of this machine, to `to`; through the device `oif` if not 0. Without `from`: for
    /// whichever source.
    ///
    /// # Errors
    /// What the kernel says; ENETUNREACH: no route.
    pub(crate) fn route(
        &mut self,
        to: IpAddr,
        from: Option<IpAddr>,
        oif: u32,
    ) -> io::Result<Route> {
        if from.is_some_and(|from| from.is_ipv4() != to.is_ipv4()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (family, to) = bytes_of(to);
        let from = from.map(|from| bytes_of(from).1);
        let bits = (to.len() * 8) as u8;
        let mut body = [0; 12];
        body[..3].copy_from_slice(&[family, bits, from.as_ref().map_or(0, |_| bits)]);
        let mut request = Request::new(libc::RTM_GETROUTE, 0, &body).attribute(RTA_DST, &to);
        if let Some(from) = from {
            request = request.attribute(RTA_SRC, &from);
        }
        if oif != 0 {
            request = request.attribute(RTA_OIF, &oif.to_ne_bytes());
        }
        let mut route = None;
        self.ask(request, |message| {
            if message.kind == libc::RTM_NEWROUTE {
                route = parse::route(message.payload);
            }
        })?;
        route.ok_or_else(|| io::ErrorKind::NetworkUnreachable.into())
    }

    /// Packets the device has sent, as it counts them itself.
    ///
    /// # Errors
    /// What the kernel says; ENODEV: gone.
    pub(crate) fn packets_sent(&mut self, ifindex: u32) -> io::Result<u64> {
        let mut body = [0; 16];
        body[4..8].copy_from_slice(&ifindex.to_ne_bytes());
        let mut sent = 0;
        self.ask(Request::new(libc::RTM_GETLINK, 0, &body), |message| {
            if let Some((_, _, packets)) = parse::link(message.payload) {
                sent = packets;
            }
        })?;
        Ok(sent)
    }

    /// Tells the kernel that a neighbour is in use, as a packet sent to it would: it resolves the address, or confirms
    /// it once it has gone stale.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn use_neighbour(&mut self, ifindex: u32, address: IpAddr) -> io::Result<()> {
        let (family, address) = bytes_of(address);
        let mut body = [0; 12];
        body[0] = family;
        body[4..8].copy_from_slice(&ifindex.to_ne_bytes());
        body[10] = NTF_USE;
        let flags = (libc::NLM_F_CREATE | libc::NLM_F_ACK) as u16;
        let request = Request::new(libc::RTM_NEWNEIGH, flags, &body).attribute(NDA_DST, &address);
        self.ask(request, |_| {})
    }

    /// Sends one request and hands every message of its answer to `each`.
    pub(super) fn ask(
        &mut self,
        request: Request,
        mut each: impl FnMut(&Message<'_>),
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let is_dump = request.is_dump();
        self.socket.send(&request.finish(self.sequence), 0)?;
        loop {
            self.buffer.clear();
            self.socket.recv(&mut self.buffer, 0)?;
            for message in messages(&self.buffer) {
                // What is left of an answer that took too long.
                if message.sequence != self.sequence {
                    continue;
                }
                match message.kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => {
                        let code = u32_at(message.payload, 0).unwrap_or(0) as i32;
                        return match code {
                            0 => Ok(()),
                            code => Err(io::Error::from_raw_os_error(-code)),
                        };
                    }
                    _ => each(&message),
                }
                if !is_dump {
                    return Ok(());
                }
            }
        }
    }
}

/// An address's family and bytes.
fn bytes_of(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(address) => (libc::AF_INET as u8, address.octets().to_vec()),
        IpAddr::V6(address) => (libc::AF_INET6 as u8, address.octets().to_vec()),
    }
}

impl std::fmt::Debug for Netlink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Netlink({})", self.socket.as_raw_fd())
    }
}
