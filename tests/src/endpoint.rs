//! A media endpoint: an even port for RTP and the next for RTCP, numbered packets out, every arrival kept.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::netns::Netns;
use crate::report::Report;
use crate::rtp::{self, Stream};

static MARKS: AtomicU64 = AtomicU64::new(1);

/// A datagram that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Who sent it.
    pub source: SocketAddr,
    /// When it was read, in ns of CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// Its payload.
    pub bytes: Vec<u8>,
}

/// One party's media: sends a stream, keeps what arrives.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    rtp: Inbox,
    rtcp: Inbox,
    stream: Mutex<Stream>,
    sent: AtomicU32,
}

impl Endpoint {
    /// An endpoint on a free even port of `ip`.
    #[must_use]
    #[track_caller]
    pub fn bind(ns: &Netns, ip: IpAddr) -> Self {
        for _ in 0..200 {
            let Ok(probe) = ns.run(|| UdpSocket::bind((ip, 0))) else {
                panic!("{ip} is not an address of {}", ns.name());
            };
            let port = probe.local_addr().unwrap().port() & !1;
            drop(probe);
            if let Some(endpoint) = Self::try_bind(ns, SocketAddr::new(ip, port), false) {
                return endpoint;
            }
        }
        panic!("no two free ports on {ip}");
    }

    /// An endpoint on the port given and the next.
    #[must_use]
    #[track_caller]
    pub fn bind_at(ns: &Netns, address: SocketAddr) -> Self {
        Self::try_bind(ns, address, false).unwrap_or_else(|| panic!("{address} is taken"))
    }

    /// As [`Endpoint::bind_at`]; what arrives is also sent back to where it came from.
    #[must_use]
    #[track_caller]
    pub fn echo_at(ns: &Netns, address: SocketAddr) -> Self {
        Self::try_bind(ns, address, true).unwrap_or_else(|| panic!("{address} is taken"))
    }

    /// Its RTP address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The stream it sends.
    #[must_use]
    pub fn stream(&self) -> Stream {
        *self.stream.lock().unwrap()
    }

    /// Sends from now on with another payload type and SSRC; the numbering goes on.
    pub fn change_stream(&self, payload_type: u8, ssrc: u32) {
        let mut stream = self.stream.lock().unwrap();
        stream.payload_type = payload_type;
        stream.ssrc = ssrc;
    }

    /// What is sent from now on is told from what was sent before, and looks the same to a relay.
    pub fn change_mark(&self) {
        self.stream.lock().unwrap().mark = new_mark();
    }

    /// Sends `count` packets to `to`, a few milliseconds apart.
    pub fn send(&self, to: SocketAddr, count: u32) {
        self.send_every(to, count, Duration::from_millis(2));
    }

    /// Sends `count` packets to `to`, each this long after the last.
    pub fn send_every(&self, to: SocketAddr, count: u32, spacing: Duration) {
        let stream = self.stream();
        for _ in 0..count {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            let packet = rtp::write(&stream, number, now_ns());
            // An ICMP error of an earlier packet is reported here once; the packet is then sent again.
            if self.rtp.socket.send_to(&packet, to).is_err() {
                let _ = self.rtp.socket.send_to(&packet, to);
            }
            thread::sleep(spacing);
        }
    }

    /// Sends one datagram of any content from the RTP port.
    pub fn send_raw(&self, to: SocketAddr, datagram: &[u8]) {
        let _ = self.rtp.socket.send_to(datagram, to);
    }

    /// Sends one receiver report from the RTCP port.
    pub fn send_rtcp(&self, to: SocketAddr) {
        self.send_report(to, &rtp::receiver_report(self.stream().ssrc));
    }

    /// Sends RTCP of any content from the RTCP port.
    pub fn send_report(&self, to: SocketAddr, compound: &[u8]) {
        self.rtcp.socket.send_to(compound, to).unwrap();
    }

    /// Packets sent so far.
    #[must_use]
    pub fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    /// What arrived at the RTP port so far.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.rtp.arrivals.lock().unwrap().clone()
    }

    /// What arrived at the RTCP port so far.
    #[must_use]
    pub fn rtcp_arrivals(&self) -> Vec<Arrival> {
        self.rtcp.arrivals.lock().unwrap().clone()
    }

    /// How many packets of `sender` arrived so far, doubled ones included.
    #[must_use]
    pub fn count_from(&self, sender: &Self) -> u32 {
        let mark = sender.stream().mark;
        let arrivals = self.rtp.arrivals.lock().unwrap();
        let own = arrivals
            .iter()
            .filter(|arrival| rtp::read(&arrival.bytes).is_some_and(|p| p.mark == mark));
        u32::try_from(own.count()).expect("a short stream")
    }

    /// Whether every packet that `sender` has sent since its number `first` has arrived.
    #[must_use]
    pub fn has_all_since(&self, sender: &Self, first: u32) -> bool {
        let mark = sender.stream().mark;
        let arrivals = self.rtp.arrivals.lock().unwrap();
        let numbers: BTreeSet<u32> = arrivals
            .iter()
            .filter_map(|arrival| rtp::read(&arrival.bytes))
            .filter(|packet| packet.mark == mark && packet.intact)
            .map(|packet| packet.number)
            .collect();
        (first..sender.sent()).all(|number| numbers.contains(&number))
    }

    /// The account of all that `sender` has sent so far, as seen here.
    #[must_use]
    pub fn report_of(&self, sender: &Self) -> Report {
        Report::of(sender.stream().mark, sender.sent(), &self.arrivals())
    }

    fn try_bind(ns: &Netns, address: SocketAddr, echo: bool) -> Option<Self> {
        let next = SocketAddr::new(address.ip(), address.port() + 1);
        let bound = ns.run(|| Some((UdpSocket::bind(address).ok()?, UdpSocket::bind(next).ok()?)));
        let (rtp, rtcp) = bound?;
        let mark = new_mark();
        let ssrc = (mark as u32).wrapping_mul(0x9e37_79b1);
        let stream = Mutex::new(Stream {
            mark,
            ssrc,
            payload_type: 0,
            payload: 160,
        });
        let (rtp, rtcp) = (Inbox::open(rtp, echo), Inbox::open(rtcp, false));
        Some(Self {
            address,
            rtp,
            rtcp,
            stream,
            sent: AtomicU32::new(0),
        })
    }
}

/// A mark that no stream of this run has had.
#[must_use]
pub(crate) fn new_mark() -> u64 {
    MARKS.fetch_add(1, Ordering::Relaxed) ^ (u64::from(std::process::id()) << 32)
}

/// Nanoseconds of CLOCK_MONOTONIC, the same in every namespace.
#[must_use]
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    u64::try_from(now.tv_sec()).unwrap_or(0) * 1_000_000_000
        + u64::try_from(now.tv_nsec()).unwrap_or(0)
}

/// A socket and the thread that reads it.
#[derive(Debug)]
struct Inbox {
    socket: Arc<UdpSocket>,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    closing: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Inbox {
    fn open(socket: UdpSocket, echo: bool) -> Self {
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
        let mut inbox = Self {
            socket: Arc::new(socket),
            arrivals: Arc::default(),
            closing: Arc::default(),
            reader: None,
        };
        let (socket, arrivals, closing) = (
            inbox.socket.clone(),
            inbox.arrivals.clone(),
            inbox.closing.clone(),
        );
        inbox.reader = Some(thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !closing.load(Ordering::Relaxed) {
                let Ok((length, source)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let arrival = Arrival {
                    source,
                    at_ns: now_ns(),
                    bytes: buffer[..length].to_vec(),
                };
                if echo {
                    let _ = socket.send_to(&arrival.bytes, source);
                }
                arrivals.lock().unwrap().push(arrival);
            }
        }));
        inbox
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
