//! RTP at a steady rate, or as fast as it goes, from many sockets in one namespace to their relay ports.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use lab::Netns;

use crate::packet::PAYLOAD;

/// Packets a system call hands over.
const BATCH: usize = 8;

/// One sender: its socket is connected to the relay's port.
pub struct Flow {
    socket: UdpSocket,
    /// All different: relays take repeated packets for a loop.
    packets: Vec<Vec<u8>>,
    sequence: u16,
}

impl Flow {
    /// A sender from `source` (in `ns`) that sends nothing yet.
    ///
    /// # Errors
    /// Where the address can't be bound.
    pub fn bind(ns: &Netns, source: SocketAddr, ssrc: u32) -> Result<Self> {
        let socket = ns.run(|| UdpSocket::bind(source))?;
        let mut packet = vec![0x80, 0, 0, 1, 0, 0, 0, 160];
        packet.extend(ssrc.to_be_bytes());
        packet.resize(12 + PAYLOAD, 0xd5);
        Ok(Self {
            socket,
            packets: vec![packet; BATCH],
            sequence: 0,
        })
    }

    /// Its own address.
    ///
    /// # Errors
    /// As `getsockname`.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Where it sends to.
    ///
    /// # Errors
    /// As `connect`.
    pub fn connect(&self, ns: &Netns, to: SocketAddr) -> Result<()> {
        Ok(ns.run(|| self.socket.connect(to))?)
    }
}

/// A running load; stops when dropped.
pub struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<Vec<Flow>>>,
}

impl Load {
    /// Sends on all flows in turn, `rate` packets per second together; without a rate as fast as it goes.
    #[must_use]
    pub fn start(flows: Vec<Flow>, rate: Option<u64>) -> Self {
        let (stop, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&sent));
        let thread = std::thread::spawn(move || run(flows, rate, &stopped, &counted));
        Self {
            stop,
            sent,
            thread: Some(thread),
        }
    }

    /// Packets handed to the network so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends it and gives the senders back.
    #[must_use]
    pub fn stop(mut self) -> Vec<Flow> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .take()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut flows: Vec<Flow>, rate: Option<u64>, stop: &AtomicBool, sent: &AtomicU64) -> Vec<Flow> {
    let pause = rate.map(|rate| Duration::from_nanos(BATCH as u64 * 1_000_000_000 / rate.max(1)));
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        for flow in &mut flows {
            let packets = send_batch(flow);
            sent.fetch_add(packets, Ordering::Relaxed);
            if let Some(pause) = pause {
                next += pause;
                // Never catching up in a burst: a late start only lowers the rate.
                next = next.max(Instant::now());
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    flows
}

fn send_batch(flow: &mut Flow) -> u64 {
    // SAFETY: all-zero is a valid iovec and a valid mmsghdr.
    let mut parts: [libc::iovec; BATCH] = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let mut messages: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
    for (packet, part) in flow.packets.iter_mut().zip(&mut parts) {
        flow.sequence = flow.sequence.wrapping_add(1);
        packet[2..4].copy_from_slice(&flow.sequence.to_be_bytes());
        part.iov_base = packet.as_mut_ptr().cast();
        part.iov_len = packet.len();
    }
    for (message, part) in messages.iter_mut().zip(&mut parts) {
        message.msg_hdr.msg_iov = part;
        message.msg_hdr.msg_iovlen = 1;
    }
    let (socket, count) = (flow.socket.as_raw_fd(), BATCH as u32);
    // SAFETY: every message points to its part and every part to its packet; all outlive the call.
    let sent = unsafe { libc::sendmmsg(socket, messages.as_mut_ptr(), count, 0) };
    u64::try_from(sent).unwrap_or(0)
}
