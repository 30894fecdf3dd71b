//! Datagrams in batches: one system call receives or sends up to [`BATCH`] of them, into buffers made once.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;

/// Datagrams per system call; a [`Mask`] has one bit for each.
pub(crate) const BATCH: usize = 32;

/// Some of a batch's datagrams: bit N is datagram N.
pub(crate) type Mask = u32;

/// Room for the largest UDP payload, and an offset that keeps datagrams of a batch out of each other's cache sets.
const STRIDE: usize = 65_536 + 192;

/// Received datagrams and everything needed to pass them on.
pub(crate) struct Batch {
    payloads: Vec<u8>,
    sources: Vec<libc::sockaddr_storage>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    out_vectors: Vec<libc::iovec>,
    out_headers: Vec<libc::mmsghdr>,
    /// A copy of a datagram that is altered on its way to one receiver.
    copy: Vec<u8>,
    lengths: [usize; BATCH],
    /// Headers that the last receive wrote to.
    used: usize,
}

impl Batch {
    pub(crate) fn new() -> Self {
        // SAFETY: these C structs are plain integers and pointers, for which all-zero is a valid value.
        let (source, header) = unsafe {
            (
                std::mem::zeroed::<libc::sockaddr_storage>(),
                std::mem::zeroed::<libc::mmsghdr>(),
            )
        };
        let vector = libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        };
        Self {
            payloads: vec![0; BATCH * STRIDE],
            sources: vec![source; BATCH],
            vectors: vec![vector; BATCH],
            headers: vec![header; BATCH],
            out_vectors: vec![vector; BATCH],
            out_headers: vec![header; BATCH],
            copy: vec![0; STRIDE],
            lengths: [0; BATCH],
            used: BATCH,
        }
    }

    /// Receives one datagram, if one waits at `socket`; see [`Self::receive`]. Where no second one waits, this is the
    /// cheaper: no message header goes to the kernel and back, and nothing is looked for in vain.
    pub(crate) fn receive_one(&mut self, socket: &UdpSocket) -> usize {
        let source = &mut self.sources[0];
        let mut source_size = size_of_val(source) as libc::socklen_t;
        // SAFETY: the kernel writes at most STRIDE bytes to the payloads, which are longer, and at most `source_size` bytes
        // to `source`; all of it outlives the call.
        let received = unsafe {
            libc::recvfrom(
                socket.as_raw_fd(),
                self.payloads.as_mut_ptr().cast(),
                STRIDE,
                libc::MSG_DONTWAIT,
                (&raw mut *source).cast(),
                &raw mut source_size,
            )
        };
        let Ok(length) = usize::try_from(received) else {
            return 0;
        };
        self.lengths[0] = length;
        1
    }

    /// Receives what waits at `socket`, at most [`BATCH`] datagrams; 0 if nothing does, or the socket had an error to
    /// report (an ICMP message), which is thereby cleared.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> usize {
        for index in 0..self.used {
            let vector = &mut self.vectors[index];
            vector.iov_base = self.payloads[index * STRIDE..].as_mut_ptr().cast();
            vector.iov_len = STRIDE;
            let header = &mut self.headers[index].msg_hdr;
            header.msg_name = (&raw mut self.sources[index]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = &raw mut self.vectors[index];
            header.msg_iovlen = 1;
        }
        // SAFETY: every header (the first receive fills all of them in) points to one iovec, one source address and one
        // stretch of `payloads`, all in vectors that `self` owns and never grows; stretches are disjoint and as long as said.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        self.used = usize::try_from(received).unwrap_or(0);
        for index in 0..self.used {
            self.lengths[index] = self.headers[index].msg_len as usize;
        }
        self.used
    }

    /// Datagram `index` of the last receive.
    pub(crate) fn payload(&self, index: usize) -> &[u8] {
        &self.payloads[index * STRIDE..index * STRIDE + self.lengths[index]]
    }

    /// The same, to be changed for all receivers.
    pub(crate) fn payload_mut(&mut self, index: usize) -> &mut [u8] {
        &mut self.payloads[index * STRIDE..index * STRIDE + self.lengths[index]]
    }

    /// Where datagram `index` came from.
    pub(crate) fn source(&self, index: usize) -> Option<SocketAddr> {
        from_c(&self.sources[index])
    }

    /// Sends the chosen datagrams through `socket`; returns those that could not be sent. An error concerns one
    /// datagram, the rest go on.
    pub(crate) fn send(&mut self, socket: &UdpSocket, to: SocketAddr, chosen: Mask) -> Mask {
        let name = socket2::SockAddr::from(to);
        if chosen.is_power_of_two() {
            let payload = self.payload(chosen.trailing_zeros() as usize);
            return if send_one(socket, &name, payload) {
                0
            } else {
                chosen
            };
        }
        let mut order = [0_u8; BATCH];
        let mut count = 0;
        for index in (0..BATCH).filter(|index| chosen & (1 << index) != 0) {
            order[count] = index as u8;
            let vector = &mut self.out_vectors[count];
            vector.iov_base = self.payloads[index * STRIDE..].as_mut_ptr().cast();
            vector.iov_len = self.lengths[index];
            let header = &mut self.out_headers[count].msg_hdr;
            header.msg_name = name.as_ptr().cast_mut().cast();
            header.msg_namelen = name.len();
            header.msg_iov = &raw mut self.out_vectors[count];
            header.msg_iovlen = 1;
            count += 1;
        }
        let mut failed = 0;
        let mut done = 0;
        while done < count {
            // SAFETY: the headers from `done` to `count` point to the one address `name` and to iovecs within `payloads`,
            // all alive for the call; the kernel only reads them, but for each header's own length field.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    self.out_headers[done..].as_mut_ptr(),
                    (count - done) as libc::c_uint,
                    libc::MSG_DONTWAIT,
                )
            };
            match usize::try_from(sent) {
                Ok(sent) => done += sent.max(1),
                Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    failed |= 1 << order[done];
                    done += 1;
                }
            }
        }
        failed
    }

    /// The bytes of the chosen datagrams.
    pub(crate) fn bytes(&self, chosen: Mask) -> u64 {
        let chosen = (0..BATCH).filter(|index| chosen & (1 << index) != 0);
        chosen.map(|index| self.lengths[index] as u64).sum()
    }

    /// Sends what `alter` makes of each of the chosen datagrams, in place and no longer than it was; `None`: it is not sent.
    /// The datagrams themselves stay as they were received. Returns those that could not be sent.
    pub(crate) fn send_altered(
        &mut self,
        socket: &UdpSocket,
        to: SocketAddr,
        chosen: Mask,
        mut alter: impl FnMut(&mut [u8]) -> Option<usize>,
    ) -> Mask {
        let name = socket2::SockAddr::from(to);
        let mut failed = 0;
        for index in (0..BATCH).filter(|index| chosen & (1 << index) != 0) {
            let length = self.lengths[index];
            let start = index * STRIDE;
            let copy = &mut self.copy[..length];
            copy.copy_from_slice(&self.payloads[start..start + length]);
            if let Some(length) = alter(copy)
                && !send_one(socket, &name, &copy[..length])
            {
                failed |= 1 << index;
            }
        }
        failed
    }
}

/// Sends bytes of our own; says whether they could be sent.
pub(crate) fn send(socket: &UdpSocket, to: SocketAddr, payload: &[u8]) -> bool {
    send_one(socket, &socket2::SockAddr::from(to), payload)
}

/// Says whether the payload could be sent.
fn send_one(socket: &UdpSocket, name: &socket2::SockAddr, payload: &[u8]) -> bool {
    loop {
        // SAFETY: the kernel reads the payload and the address, both borrowed for the call and as long as said.
        let sent = unsafe {
            libc::sendto(
                socket.as_raw_fd(),
                payload.as_ptr().cast(),
                payload.len(),
                libc::MSG_DONTWAIT,
                name.as_ptr().cast(),
                name.len(),
            )
        };
        if sent >= 0 {
            return true;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return false;
        }
    }
}

fn from_c(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let storage: *const libc::sockaddr_storage = storage;
    // SAFETY: `sockaddr_storage` is large enough and aligned for every address family, and the family says which was
    // written.
    unsafe {
        match i32::from((*storage).ss_family) {
            libc::AF_INET => {
                let v4 = &*storage.cast::<libc::sockaddr_in>();
                let address = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Some(SocketAddrV4::new(address, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                let v6 = &*storage.cast::<libc::sockaddr_in6>();
                let address = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Some(SocketAddrV6::new(address, port, 0, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(address: &str) -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        let local = socket.local_addr().unwrap();
        (socket, local)
    }

    #[test]
    fn what_was_received_can_be_sent_on_unchanged() {
        for address in ["127.0.0.1", "::1"] {
            let ((sender, from), (relay, relay_address)) = (socket(address), socket(address));
            let (receiver, to) = socket(address);
            for payload in [&b"one"[..], b"", &[7; 9000]] {
                sender.send_to(payload, relay_address).unwrap();
            }
            let mut batch = Batch::new();
            assert_eq!(batch.receive(&relay), 3);
            assert_eq!(batch.source(2), Some(from));
            assert_eq!(batch.send(&relay, to, 0b101), 0);
            let mut buffer = [0; 65_536];
            assert_eq!(receiver.recv_from(&mut buffer).unwrap(), (3, relay_address));
            assert_eq!(&buffer[..3], b"one");
            assert_eq!(receiver.recv(&mut buffer).unwrap(), 9000);
            assert_eq!(batch.receive(&relay), 0, "nothing waits");
        }
    }

    #[test]
    fn datagrams_can_be_received_and_sent_one_by_one() {
        for address in ["127.0.0.1", "::1"] {
            let ((sender, from), (relay, relay_address)) = (socket(address), socket(address));
            let (receiver, to) = socket(address);
            let payloads = [&b"one"[..], b"", &[7; 9000]];
            for payload in payloads {
                sender.send_to(payload, relay_address).unwrap();
            }
            let mut batch = Batch::new();
            let mut buffer = [0; 65_536];
            for payload in payloads {
                assert_eq!(batch.receive_one(&relay), 1);
                assert_eq!(batch.payload(0), payload);
                assert_eq!(batch.source(0), Some(from));
                assert_eq!(batch.send(&relay, to, 0b1), 0);
                let (length, by) = receiver.recv_from(&mut buffer).unwrap();
                assert_eq!((&buffer[..length], by), (payload, relay_address));
            }
            assert_eq!(batch.receive_one(&relay), 0, "nothing waits");
        }
    }

    #[test]
    fn batches_and_single_datagrams_can_follow_one_another() {
        let ((sender, _), (relay, relay_address)) = (socket("127.0.0.1"), socket("127.0.0.1"));
        let mut batch = Batch::new();
        for _ in 0..2 {
            for payload in [&b"first"[..], b"second", b"3"] {
                sender.send_to(payload, relay_address).unwrap();
            }
            assert_eq!(batch.receive_one(&relay), 1);
            assert_eq!(batch.payload(0), b"first");
            assert_eq!(batch.receive(&relay), 2);
            assert_eq!(
                (batch.payload(0), batch.payload(1)),
                (&b"second"[..], &b"3"[..])
            );
        }
    }

    #[test]
    fn what_is_altered_for_one_receiver_is_untouched_for_the_next() {
        let ((sender, _), (relay, relay_address)) = (socket("127.0.0.1"), socket("127.0.0.1"));
        let ((altered, to_altered), (plain, to_plain)) = (socket("127.0.0.1"), socket("127.0.0.1"));
        for payload in [&b"first"[..], b"second", b"third"] {
            sender.send_to(payload, relay_address).unwrap();
        }
        let mut batch = Batch::new();
        assert_eq!(batch.receive(&relay), 3);
        let shout = |payload: &mut [u8]| {
            payload.make_ascii_uppercase();
            (payload != b"SECOND").then_some(4)
        };
        assert_eq!(batch.send_altered(&relay, to_altered, 0b111, shout), 0);
        assert_eq!(batch.send(&relay, to_plain, 0b111), 0);
        let mut buffer = [0; 100];
        for (receiver, expected) in [
            (&altered, &[&b"FIRS"[..], b"THIR"][..]),
            (&plain, &[&b"first"[..], b"second", b"third"]),
        ] {
            for payload in expected {
                let length = receiver.recv(&mut buffer).unwrap();
                assert_eq!(&buffer[..length], *payload);
            }
        }
    }

    #[test]
    fn a_lone_datagram_that_cannot_be_sent_is_told() {
        let ((sender, _), (relay, relay_address)) = (socket("127.0.0.1"), socket("127.0.0.1"));
        sender.send_to(b"x", relay_address).unwrap();
        let mut batch = Batch::new();
        assert_eq!(batch.receive_one(&relay), 1);
        let other_family = "[::1]:9".parse().unwrap();
        assert_eq!(batch.send(&relay, other_family, 0b1), 0b1);
    }

    #[test]
    fn a_datagram_that_cannot_be_sent_is_told_and_does_not_hold_up_the_others() {
        let ((sender, _), (relay, relay_address)) = (socket("127.0.0.1"), socket("127.0.0.1"));
        for _ in 0..2 {
            sender.send_to(b"x", relay_address).unwrap();
        }
        let mut batch = Batch::new();
        assert_eq!(batch.receive(&relay), 2);
        let other_family = "[::1]:9".parse().unwrap();
        assert_eq!(batch.send(&relay, other_family, 0b11), 0b11);
    }
}
