//! The outside of the guest's virtio-net devices: sends RTP frames in at one and takes the relayed ones at the other.
//!
//! A frame is a datagram of a Unix socket, to and from QEMU. The next burst is sent when the last has come back, so that the
//! guest always has one at a time, however fast it runs.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::protocol::Wire;
use super::wiring;
use crate::packet::rtp_frame;

/// Frames handed over at once: the guest takes them with one interrupt, or few, as it does on a busy network.
pub(super) const BURST: u32 = 16;
/// Of [`rtp_frame`].
const FIRST_SEQUENCE: u16 = 1;
/// When a frame has not come back by then, it is lost.
const PATIENCE: Duration = Duration::from_secs(2);
/// Where the IP header's protocol and destination lie in a frame.
const PROTOCOL: usize = 23;
const TO_ADDRESS: std::ops::Range<usize> = 30..34;

/// Frames sent, and those of them that came back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    /// Handed to the guest.
    pub(super) sent: u64,
    /// Returned.
    pub(super) back: u64,
}

/// The sockets of one device: QEMU's end and ours.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    /// Where QEMU receives.
    pub(super) guest: PathBuf,
    /// Where we do.
    pub(super) host: PathBuf,
}

/// Both devices' outside.
pub(super) struct Outside {
    a: UnixDatagram,
    b: UnixDatagram,
    guest: PathBuf,
    frames: Vec<Frame>,
}

struct Frame {
    bytes: Vec<u8>,
    sequence: u16,
}

impl Socket {
    /// The sockets `name` in a directory.
    #[must_use]
    pub(super) fn new(directory: &Path, name: &str) -> Self {
        Self {
            guest: directory.join(format!("{name}.guest")),
            host: directory.join(format!("{name}.host")),
        }
    }
}

impl Outside {
    /// Opens our ends.
    ///
    /// # Errors
    /// The paths can't be bound.
    pub(super) fn open(a: &Socket, b: &Socket) -> Result<Self> {
        let bind = |socket: &Socket| -> Result<UnixDatagram> {
            let at = &socket.host;
            let socket = UnixDatagram::bind(at).with_context(|| at.display().to_string())?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(socket)
        };
        Ok(Self {
            a: bind(a)?,
            b: bind(b)?,
            guest: a.guest.clone(),
            frames: Vec::new(),
        })
    }

    /// The flows from now on.
    pub(super) fn flows(&mut self, wires: &[Wire]) {
        let frame = |wire: &Wire| Frame {
            bytes: rtp_frame(
                SocketAddr::V4(wire.from),
                SocketAddr::V4(wire.to),
                wiring::GUEST_A,
            ),
            sequence: FIRST_SEQUENCE,
        };
        self.frames = wires.iter().map(frame).collect();
    }

    /// One frame of each flow, one after the other.
    ///
    /// # Errors
    /// QEMU is gone.
    pub(super) fn once(&mut self) -> Result<Count> {
        let mut count = Count::default();
        for n in 0..self.frames.len() {
            self.send(n)?;
            count.sent += 1;
            count.back += u64::from(self.take()?);
        }
        Ok(count)
    }

    /// Sends on a thread of its own until [`Stream::stop`].
    #[must_use]
    pub(super) fn start(self, gap: Duration, returns: bool) -> Stream {
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        Stream {
            stop,
            thread: std::thread::spawn(move || self.run(gap, returns, &stopped)),
        }
    }

    fn run(mut self, gap: Duration, returns: bool, stop: &AtomicBool) -> Result<(Self, Count)> {
        let mut count = Count::default();
        let mut n = 0;
        while !stop.load(Ordering::Relaxed) {
            let next = Instant::now() + gap * BURST;
            for _ in 0..BURST {
                self.send(n)?;
                n = (n + 1) % self.frames.len();
            }
            count.sent += u64::from(BURST);
            if returns {
                for _ in 0..BURST {
                    if !self.take()? {
                        break;
                    }
                    count.back += 1;
                }
            }
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        if !returns {
            count.back = count.sent;
        }
        Ok((self, count))
    }

    fn send(&mut self, n: usize) -> Result<()> {
        let frame = &mut self.frames[n];
        frame.advance();
        self.a
            .send_to(&frame.bytes, &self.guest)
            .context("the virtual machine is gone")?;
        Ok(())
    }

    /// Takes a relayed frame; false if none comes.
    fn take(&mut self) -> Result<bool> {
        let mut bytes = [0; 2048];
        loop {
            match self.b.recv(&mut bytes) {
                Ok(length) if is_relayed(&bytes[..length]) => return Ok(true),
                Ok(_) => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A stream of frames.
pub(super) struct Stream {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(Outside, Count)>>,
}

impl Stream {
    /// Ends it.
    ///
    /// # Errors
    /// What went wrong meanwhile.
    pub(super) fn stop(self) -> Result<(Outside, Count)> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow::anyhow!("the sender panicked"))?
    }
}

impl Frame {
    /// The next sequence number, and the UDP checksum for it (RFC 1624).
    fn advance(&mut self) {
        let old = self.sequence;
        self.sequence = old.wrapping_add(1);
        let at = 14 + 20 + 8 + 2;
        self.bytes[at..at + 2].copy_from_slice(&self.sequence.to_be_bytes());
        let check = u16::from_be_bytes([self.bytes[40], self.bytes[41]]);
        let mut sum = u32::from(!check) + u32::from(!old) + u32::from(self.sequence);
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        self.bytes[40..42].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    }
}

fn is_relayed(frame: &[u8]) -> bool {
    frame.get(TO_ADDRESS) == Some(&[10, 2, 0, 2]) && frame.get(PROTOCOL) == Some(&17)
}
