//! One party of one call under load.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Mutex;

use crate::endpoint::{new_mark, now_ns};
use crate::netns::Netns;
use crate::rtp::{self, Stream};
use crate::sdp;

/// Bytes of a packet's payload.
const PAYLOAD: usize = 60;

/// Its sockets, what it has sent and what it got.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    /// Where it receives.
    pub(super) address: SocketAddr,
    /// Where it sends to, and receives from.
    pub(super) relay: SocketAddr,
    stream: Stream,
    log: Mutex<Log>,
}

/// What went out and what came in.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    /// When each packet was sent, by number.
    pub(super) sent_ns: Vec<u64>,
    /// By mark and number: each packet received, and when.
    pub(super) received: Vec<Received>,
    /// Datagrams that are no packet of the lab, damaged, or not from the relay.
    pub(super) odd: Vec<String>,
    /// When RTCP came in last.
    pub(super) last_rtcp_ns: u64,
}

/// A packet that came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    pub(super) mark: u64,
    pub(super) number: u32,
    pub(super) at_ns: u64,
}

impl Party {
    /// `count` parties in `ns`, each with an even port of `ip` for RTP and the next for RTCP.
    #[track_caller]
    pub(super) fn bind(ns: &Netns, ip: IpAddr, count: usize) -> Vec<Self> {
        let pair = |port: u16| {
            let rtp = UdpSocket::bind((ip, port)).ok()?;
            let rtcp = UdpSocket::bind((ip, port + 1)).ok()?;
            Some(Self::new(rtp, rtcp))
        };
        let ports = (20_000..30_000).step_by(2);
        let parties: Vec<_> = ns.run(|| ports.filter_map(pair).take(count).collect());
        assert_eq!(parties.len(), count, "ports of {ip}");
        parties
    }

    fn new(rtp: UdpSocket, rtcp: UdpSocket) -> Self {
        let address = rtp.local_addr().unwrap();
        let mark = new_mark();
        Self {
            rtp,
            rtcp,
            address,
            relay: address,
            stream: Stream {
                mark,
                ssrc: (mark as u32).wrapping_mul(0x9e37_79b1),
                payload_type: 0,
                payload: PAYLOAD,
            },
            log: Mutex::default(),
        }
    }

    /// Sends the next packet.
    pub(super) fn send(&self) {
        let mut log = self.log.lock().unwrap();
        let now = now_ns();
        let number = u32::try_from(log.sent_ns.len()).expect("a short stream");
        let packet = rtp::write(&self.stream, number, now);
        if self.rtp.send_to(&packet, self.relay).is_ok() {
            log.sent_ns.push(now);
        }
    }

    pub(super) fn send_rtcp(&self) {
        let report = rtp::receiver_report(self.stream.ssrc);
        let _ = self.rtcp.send_to(&report, sdp::rtcp_of(self.relay));
    }

    /// Reads one datagram from the RTP port.
    pub(super) fn receive(&self) {
        let mut buffer = [0; 512];
        let Ok((length, source)) = self.rtp.recv_from(&mut buffer) else {
            return;
        };
        let at_ns = now_ns();
        let packet = rtp::read(&buffer[..length]);
        let mut log = self.log.lock().unwrap();
        match packet.filter(|packet| packet.intact && source == self.relay) {
            Some(packet) => log.received.push(Received {
                mark: packet.mark,
                number: packet.number,
                at_ns,
            }),
            None => log
                .odd
                .push(format!("{length} bytes from {source}: {packet:?}")),
        }
    }

    /// Reads one datagram from the RTCP port.
    pub(super) fn receive_rtcp(&self) {
        if self.rtcp.recv(&mut [0; 512]).is_ok() {
            self.log.lock().unwrap().last_rtcp_ns = now_ns();
        }
    }

    /// Packets sent so far.
    pub(super) fn sent(&self) -> usize {
        self.log.lock().unwrap().sent_ns.len()
    }

    pub(super) fn last_arrival_ns(&self) -> u64 {
        let log = self.log.lock().unwrap();
        log.received.last().map_or(0, |received| received.at_ns)
    }

    pub(super) fn last_rtcp_ns(&self) -> u64 {
        self.log.lock().unwrap().last_rtcp_ns
    }

    pub(super) fn log(&self) -> Log {
        self.log.lock().unwrap().clone()
    }

    /// What its packets carry.
    pub(super) fn mark(&self) -> u64 {
        self.stream.mark
    }
}
