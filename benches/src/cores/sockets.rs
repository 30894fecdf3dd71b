//! RTP as fast as it goes from many sockets in one namespace to their relay ports: a socket's hash of its flow chooses the
//! device's queue, where a packet socket's choice would be the sending processor's.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Result;
use lab::Netns;

use crate::packet::PAYLOAD;

/// Packets a system call hands over.
const BATCH: usize = 8;

/// One sender: its socket is connected to the relay's port.
pub(super) struct Flow {
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
    pub(super) fn bind(ns: &Netns, source: SocketAddr, ssrc: u32) -> Result<Self> {
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

    /// Where it sends to.
    ///
    /// # Errors
    /// As `connect`.
    pub(super) fn connect(&self, ns: &Netns, to: SocketAddr) -> Result<()> {
        Ok(ns.run(|| self.socket.connect(to))?)
    }
}

/// A running load; stops when dropped.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Flow>>>,
}

impl Load {
    /// Sends on all flows in turn.
    #[must_use]
    pub(super) fn start(flows: Vec<Flow>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || run(flows, &stopped));
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// Ends it and gives the senders back.
    #[must_use]
    pub(super) fn stop(mut self) -> Vec<Flow> {
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

fn run(mut flows: Vec<Flow>, stop: &AtomicBool) -> Vec<Flow> {
    while !stop.load(Ordering::Relaxed) {
        for flow in &mut flows {
            send_batch(flow);
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    flows
}

/// What does not fit is lost, as on a wire.
fn send_batch(flow: &mut Flow) {
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
    unsafe { libc::sendmmsg(socket, messages.as_mut_ptr(), count, 0) };
}
