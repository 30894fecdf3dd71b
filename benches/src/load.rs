//! RTP from one packet socket: at a steady rate, as fast as it goes, or evenly spaced with the time in each packet.
//!
//! Whole frames bypass sockets and queueing disciplines, so that any number of flows costs the sender the same. All that
//! the kernel does with a frame until it ends or waits for another thread, it does inside the sender's system call.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use lab::Netns;

use crate::frames::{Frames, Stream};

/// Packets that a system call hands over at most.
const BATCH: usize = 32;
/// Packets that a system call hands over at a steady rate.
const STEADY_BATCH: usize = 8;
/// What is nearer than this is waited for awake.
const NAP: Duration = Duration::from_micros(50);
/// The first bytes of a payload whose sending is not timed.
const NO_STAMP: u64 = 0xd5d5_d5d5_d5d5_d5d5;

/// How fast to send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Packets per second of all flows, some at a time.
    Steady(f64),
    /// Without a pause.
    Saturating,
    /// Packets per second of all flows, one at a time, each with the time (nanoseconds since 1970) in its payload's
    /// first eight bytes.
    Stamped(f64),
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    /// Packets offered to the device.
    pub packets: u64,
    /// Processor time of the sending thread, with everything that the kernel did inside its system calls.
    pub cpu: Duration,
    /// How long it took.
    pub elapsed: Duration,
}

/// Sends the packets of many flows on one interface.
pub struct Sender {
    socket: OwnedFd,
    frames: Frames,
    buffers: Vec<Vec<u8>>,
}

impl Sender {
    /// A sender on `interface` of `ns` whose frames go to the device `to_mac`. Flows follow one another as in `streams`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(ns: &Netns, interface: &str, to_mac: [u8; 6], streams: &[Stream]) -> Result<Self> {
        let frames = Frames::of(streams, to_mac)?;
        let index = ns.index(interface);
        let socket = ns
            .run(|| packet_socket(index))
            .context("no packet socket to send by")?;
        let buffers = vec![frames.blank(); BATCH];
        Ok(Self {
            socket,
            frames,
            buffers,
        })
    }

    /// Sends for as long as `window`.
    ///
    /// # Errors
    /// What the kernel says, a full queue excepted: that is a packet lost.
    pub fn send(&mut self, pace: Pace, window: Duration) -> Result<Sent> {
        // Of its own, for its processor time and its timers' precision.
        let sending = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                // SAFETY: a plain system call on the calling thread.
                unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
                self.run(pace, window)
            });
            thread.join()
        });
        sending.map_err(|_| anyhow::anyhow!("the sender panicked"))?
    }

    fn run(&mut self, pace: Pace, window: Duration) -> Result<Sent> {
        let (batch, gap) = match pace {
            Pace::Steady(rate) => (STEADY_BATCH, STEADY_BATCH as f64 / rate),
            Pace::Saturating => (BATCH, 0.0),
            Pace::Stamped(rate) => (1, 1.0 / rate),
        };
        let gap = Duration::from_secs_f64(gap);
        let (started, cpu) = (Instant::now(), thread_cpu());
        let mut next = started;
        let mut packets = 0;
        loop {
            // Never catching up in a burst: a late start only lowers the rate.
            let now = Instant::now();
            next = next.max(now);
            if next.duration_since(started) >= window {
                break;
            }
            let wait = next.duration_since(now);
            if wait > NAP {
                std::thread::sleep(wait);
            }
            while Instant::now() < next {
                std::hint::spin_loop();
            }
            for buffer in &mut self.buffers[..batch] {
                let stamp = match pace {
                    Pace::Stamped(_) => now_ns(),
                    _ => NO_STAMP,
                };
                self.frames.write_next(buffer, stamp);
            }
            hand_over(&self.socket, &mut self.buffers[..batch])?;
            packets += batch as u64;
            next += gap;
        }
        Ok(Sent {
            packets,
            cpu: thread_cpu().saturating_sub(cpu),
            elapsed: started.elapsed(),
        })
    }
}

/// Nanoseconds since 1970, as the kernel stamps packets.
fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

fn thread_cpu() -> Duration {
    nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID
        .now()
        .map_or(Duration::ZERO, Duration::from)
}

fn packet_socket(index: u32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: no pointer is passed. Protocol 0: it receives nothing.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let yes: i32 = 1;
    let (option, size) = (libc::PACKET_QDISC_BYPASS, size_of::<i32>() as u32);
    // SAFETY: pointer and length describe `yes`.
    let done =
        unsafe { libc::setsockopt(fd, libc::SOL_PACKET, option, (&raw const yes).cast(), size) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all-zero bytes are a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = index as i32;
    let size = size_of::<libc::sockaddr_ll>() as u32;
    // SAFETY: pointer and length describe `address`.
    let done = unsafe { libc::bind(fd, (&raw const address).cast(), size) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(socket)
}

/// Hands frames to the device; one that finds its queue full is lost.
fn hand_over(socket: &OwnedFd, frames: &mut [Vec<u8>]) -> Result<()> {
    // SAFETY: all-zero is a valid iovec and a valid mmsghdr.
    let mut parts: [libc::iovec; BATCH] = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let mut messages: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
    for (frame, part) in frames.iter_mut().zip(&mut parts) {
        part.iov_base = frame.as_mut_ptr().cast();
        part.iov_len = frame.len();
    }
    for (message, part) in messages.iter_mut().zip(&mut parts) {
        message.msg_hdr.msg_iov = part;
        message.msg_hdr.msg_iovlen = 1;
    }
    let mut left = &mut messages[..frames.len()];
    while !left.is_empty() {
        let (fd, count) = (socket.as_raw_fd(), left.len() as u32);
        // SAFETY: every message points to its part and every part to its frame; all outlive the call.
        let sent = unsafe { libc::sendmmsg(fd, left.as_mut_ptr(), count, 0) };
        let done = match usize::try_from(sent) {
            Ok(done) => done.max(1),
            Err(_) => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::ENOBUFS) => 1,
                error if error.kind() == io::ErrorKind::Interrupted => 0,
                error => return Err(error).context("sending by a packet socket"),
            },
        };
        left = &mut left[done..];
    }
    Ok(())
}
