//! What any relay in user space costs, whatever it decides: datagrams come in at one socket and leave by another, nothing
//! is looked at. In three ways of asking the kernel for it.
//!
//! The benches run it as a program of its own (`benches bare-relay WAY FLOWS`) in the relay's namespace.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, bail, ensure};
use io_uring::{IoUring, cqueue, opcode, squeue, types};
use lab::{Family, Side};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The ways.
pub const WAYS: [&str; 3] = ["batches", "plain", "io-uring"];

/// First of its ports; flow `n` has the one `2 n` above.
pub const PORT: u16 = 30_000;

/// Room for a datagram of the bench and what io_uring puts before it, bytes.
const ROOM: usize = 2048;
/// Datagrams received or sent per call; `batches` only.
const BATCH: usize = 32;
/// Buffers of a ring.
const BUFFERS: u16 = 1024;

struct Flow {
    from: UdpSocket,
    by: UdpSocket,
    to: socket2::SockAddr,
}

/// Relays `flows` flows on two threads until the process is killed.
///
/// # Errors
/// An unknown way, or a system call that failed.
pub fn run(way: &str, flows: usize) -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let relay: fn(&[Flow]) -> Result<()> = match way {
        "batches" => in_batches,
        "plain" => plainly,
        "io-uring" => by_ring,
        other => bail!("no way {other}; there are {}", WAYS.join(", ")),
    };
    let mut shares = [Vec::new(), Vec::new()];
    for n in 0..flows {
        shares[n % 2].push(flow(2 * n as u16)?);
    }
    let threads = shares.map(|share| std::thread::spawn(move || relay(&share)));
    for thread in threads {
        if let Ok(result) = thread.join() {
            result?;
        }
    }
    Ok(())
}

fn flow(offset: u16) -> Result<Flow> {
    let local = |address: IpAddr| -> Result<UdpSocket> {
        let socket = UdpSocket::bind((address, PORT + offset))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let to = SocketAddr::new(Side::B.far(Family::V4), 20_000 + offset);
    Ok(Flow {
        from: local(Side::A.relay(Family::V4))?,
        by: local(Side::B.relay(Family::V4))?,
        to: to.into(),
    })
}

/// Calls `serve` with each flow that has something to receive, for ever.
fn whenever_ready(flows: &[Flow], mut serve: impl FnMut(&Flow)) -> Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    for (index, flow) in flows.iter().enumerate() {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, index as u64);
        epoll.add(flow.from.as_fd(), event)?;
    }
    let mut events = vec![EpollEvent::empty(); 256];
    loop {
        let count = epoll.wait(&mut events, EpollTimeout::NONE)?;
        for event in &events[..count] {
            serve(&flows[event.data() as usize]);
        }
    }
}

fn plainly(flows: &[Flow]) -> Result<()> {
    let mut buffer = [0; ROOM];
    whenever_ready(flows, |flow| {
        if let Ok((length, _)) = flow.from.recv_from(&mut buffer) {
            let by = socket2::SockRef::from(&flow.by);
            let _ = by.send_to(&buffer[..length], &flow.to);
        }
    })
}

fn in_batches(flows: &[Flow]) -> Result<()> {
    let mut buffers = vec![[0_u8; ROOM]; BATCH];
    // SAFETY: all-zero is a valid value of these C structs of integers and pointers.
    let (mut names, mut parts, mut messages) = unsafe {
        (
            [std::mem::zeroed::<libc::sockaddr_storage>(); BATCH],
            [std::mem::zeroed::<libc::iovec>(); BATCH],
            [std::mem::zeroed::<libc::mmsghdr>(); BATCH],
        )
    };
    let mut used = BATCH;
    whenever_ready(flows, |flow| {
        for index in 0..used {
            parts[index].iov_base = buffers[index].as_mut_ptr().cast();
            parts[index].iov_len = ROOM;
            let message = &mut messages[index].msg_hdr;
            message.msg_name = (&raw mut names[index]).cast();
            message.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            message.msg_iov = &raw mut parts[index];
            message.msg_iovlen = 1;
        }
        let (from, by) = (flow.from.as_raw_fd(), flow.by.as_raw_fd());
        let list = messages.as_mut_ptr();
        // SAFETY: every message points to its name and its part, and that to its buffer, each as long as said; all of them
        // outlive the call.
        let received = unsafe { libc::recvmmsg(from, list, BATCH as u32, 0, std::ptr::null_mut()) };
        used = usize::try_from(received).unwrap_or(0);
        for index in 0..used {
            parts[index].iov_len = messages[index].msg_len as usize;
            messages[index].msg_hdr.msg_name = flow.to.as_ptr().cast_mut().cast();
            messages[index].msg_hdr.msg_namelen = flow.to.len();
        }
        // SAFETY: as above; the names, which are only read, are the flow's one address.
        unsafe { libc::sendmmsg(by, messages.as_mut_ptr(), used as u32, 0) };
    })
}

/// Buffers that the kernel picks from as datagrams come.
struct Pool {
    entries: *mut types::BufRingEntry,
    buffers: Vec<[u8; ROOM]>,
    tail: u16,
}

impl Pool {
    fn register(ring: &IoUring) -> Result<Self> {
        let size = usize::from(BUFFERS) * size_of::<types::BufRingEntry>();
        let layout = std::alloc::Layout::from_size_align(size, 4096)?;
        // SAFETY: the size is not zero. The memory is never freed: the kernel reads it as long as the process lives.
        let entries = unsafe { std::alloc::alloc_zeroed(layout) };
        ensure!(!entries.is_null(), "out of memory");
        // SAFETY: the entries are page-aligned, as many as said, zeroed, and live as long as the ring.
        unsafe {
            let registered = ring.submitter();
            registered.register_buf_ring_with_flags(entries as u64, BUFFERS, 0, 0)?;
        }
        let mut pool = Self {
            entries: entries.cast(),
            buffers: vec![[0; ROOM]; usize::from(BUFFERS)],
            tail: 0,
        };
        for buffer in 0..BUFFERS {
            pool.give(buffer);
        }
        pool.publish();
        Ok(pool)
    }

    fn give(&mut self, buffer: u16) {
        // SAFETY: there are BUFFERS entries; the kernel does not look at this one before the tail is published.
        let entry = unsafe { &mut *self.entries.add(usize::from(self.tail % BUFFERS)) };
        entry.set_addr(self.buffers[usize::from(buffer)].as_mut_ptr() as u64);
        entry.set_len(ROOM as u32);
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the first entry is initialized, and its tail is aligned and only written here; the kernel reads it.
        let tail =
            unsafe { AtomicU16::from_ptr(types::BufRingEntry::tail(self.entries).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

/// Receives by requests that stay, into buffers of the kernel's choice; sends are handed over together by the call that
/// waits. One system call per wake-up.
fn by_ring(flows: &[Flow]) -> Result<()> {
    const SENT: u64 = u64::MAX;
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun();
    let mut ring: IoUring = builder.setup_cqsize(4096).build(1024)?;
    let mut pool = Pool::register(&ring)?;
    let sockets = flows.iter().flat_map(|flow| [&flow.from, &flow.by]);
    let sockets: Vec<i32> = sockets.map(AsRawFd::as_raw_fd).collect();
    ring.submitter().register_files(&sockets)?;
    // SAFETY: all-zero is a valid msghdr.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
    let mut to_ask: Vec<usize> = (0..flows.len()).collect();
    let mut done = Vec::new();
    loop {
        for index in to_ask.drain(..) {
            let socket = types::Fixed(2 * index as u32);
            let ask = opcode::RecvMsgMulti::new(socket, &raw const header, 0).build();
            let ask = ask.user_data(index as u64);
            // SAFETY: the header outlives the request; the buffers are the pool's.
            while unsafe { ring.submission().push(&ask) }.is_err() {
                ring.submit()?;
            }
        }
        ring.submit_and_wait(1)?;
        for buffer in done.drain(..) {
            pool.give(buffer);
        }
        pool.publish();
        let (_, mut requests, completions) = ring.split();
        for completion in completions.filter(|completion| completion.user_data() != SENT) {
            let index = completion.user_data() as usize;
            if !cqueue::more(completion.flags()) {
                to_ask.push(index);
            }
            let Some(buffer) = cqueue::buffer_select(completion.flags()) else {
                continue;
            };
            done.push(buffer);
            let length = usize::try_from(completion.result()).unwrap_or(0);
            let received = &pool.buffers[usize::from(buffer)][..length];
            let Ok(message) = types::RecvMsgOut::parse(received, &header) else {
                continue;
            };
            let (payload, to) = (message.payload_data(), &flows[index].to);
            let socket = types::Fixed(2 * index as u32 + 1);
            let send = opcode::Send::new(socket, payload.as_ptr(), payload.len() as u32)
                // It is done, or has failed, when the submission returns.
                .flags(libc::MSG_DONTWAIT)
                .dest_addr(to.as_ptr().cast())
                .dest_addr_len(to.len())
                .build()
                .flags(squeue::Flags::SKIP_SUCCESS)
                .user_data(SENT);
            // SAFETY: the payload's buffer is given back only after the submission; the address lives as long as its flow.
            unsafe { requests.push(&send) }.context("more datagrams at a time than requests")?;
        }
    }
}
