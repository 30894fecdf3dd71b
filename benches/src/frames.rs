//! RTP frames of many flows, written in place: 100,000 flows take no more of the processor's caches than the few bytes
//! that tell them apart.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, ensure};

use crate::packet::{checksum, rtp_frame};

const LINK: usize = 14;
const UDP: usize = 8;
/// Within the RTP header: sequence number, timestamp, SSRC; then the payload, which begins with the stamp.
const SEQUENCE: usize = UDP + 2;
const TIMESTAMP: usize = UDP + 4;
const SSRC: usize = UDP + 8;
const STAMP: usize = UDP + 12;
/// RTP timestamp units of a packet of 20 ms at 8 kHz.
const UNITS: u32 = 160;

/// What is sent on one flow.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Where it claims to come from; the address is the same for all streams of a sender.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// Its synchronisation source.
    pub ssrc: u32,
}

/// The frames of some streams, one after the other.
pub struct Frames {
    template: Vec<u8>,
    network: Network,
    transport: usize,
    /// One's complement sum of all that no stream changes.
    base: u32,
    destinations: Vec<Destination>,
    flows: Vec<Flow>,
    next: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Network {
    V4,
    V6,
}

struct Destination {
    address: IpAddr,
    sum: u32,
    /// IPv4's header checksum.
    header: [u8; 2],
}

struct Flow {
    ssrc: u32,
    destination: u16,
    source_port: u16,
    port: u16,
    sequence: u16,
}

impl Frames {
    /// Frames to the device `to_mac`, in the order of `streams`, over and over.
    ///
    /// # Errors
    /// No stream, or streams from different addresses.
    pub fn of(streams: &[Stream], to_mac: [u8; 6]) -> Result<Self> {
        let [first, ..] = streams else {
            anyhow::bail!("no stream to send on");
        };
        let (network, transport) = match first.destination {
            SocketAddr::V4(_) => (Network::V4, LINK + 20),
            SocketAddr::V6(_) => (Network::V6, LINK + 40),
        };
        let mut frames = Self {
            template: rtp_frame(first.source, first.destination, to_mac),
            network,
            transport,
            base: 0,
            destinations: Vec::new(),
            flows: Vec::with_capacity(streams.len()),
            next: 0,
        };
        frames.base = frames.constant_sum();
        for stream in streams {
            ensure!(
                stream.source.ip() == first.source.ip()
                    && stream.destination.is_ipv4() == first.destination.is_ipv4(),
                "the streams of a sender come from one address"
            );
            let destination = frames.destination(stream.destination.ip());
            frames.flows.push(Flow {
                ssrc: stream.ssrc,
                destination,
                source_port: stream.source.port(),
                port: stream.destination.port(),
                sequence: 0,
            });
        }
        Ok(frames)
    }

    /// Bytes of a frame.
    #[must_use]
    pub fn length(&self) -> usize {
        self.template.len()
    }

    /// A frame to write into.
    #[must_use]
    pub fn blank(&self) -> Vec<u8> {
        self.template.clone()
    }

    /// Writes the next stream's next packet into `frame`, one of [`Self::blank`]; `stamp` begins its payload.
    pub fn write_next(&mut self, frame: &mut [u8], stamp: u64) {
        let count = self.flows.len();
        let flow = &mut self.flows[self.next];
        self.next = if self.next + 1 == count {
            0
        } else {
            self.next + 1
        };
        flow.sequence = flow.sequence.wrapping_add(1);
        let timestamp = u32::from(flow.sequence).wrapping_mul(UNITS);
        let to = &self.destinations[usize::from(flow.destination)];
        match to.address {
            IpAddr::V4(address) => {
                frame[24..26].copy_from_slice(&to.header);
                frame[30..34].copy_from_slice(&address.octets());
            }
            IpAddr::V6(address) => frame[38..54].copy_from_slice(&address.octets()),
        }
        let udp = &mut frame[self.transport..];
        udp[..2].copy_from_slice(&flow.source_port.to_be_bytes());
        udp[2..4].copy_from_slice(&flow.port.to_be_bytes());
        udp[SEQUENCE..][..2].copy_from_slice(&flow.sequence.to_be_bytes());
        udp[TIMESTAMP..][..4].copy_from_slice(&timestamp.to_be_bytes());
        udp[SSRC..][..4].copy_from_slice(&flow.ssrc.to_be_bytes());
        udp[STAMP..][..8].copy_from_slice(&stamp.to_be_bytes());
        let ports = u32::from(flow.source_port) + u32::from(flow.port);
        let sum = self.base
            + to.sum
            + ports
            + u32::from(flow.sequence)
            + halves(timestamp)
            + halves(flow.ssrc)
            + halves((stamp >> 32) as u32)
            + halves(stamp as u32);
        let check = match !folded(sum) {
            // RFC 768: zero would say that there is none.
            0 => u16::MAX,
            check => check,
        };
        udp[6..8].copy_from_slice(&check.to_be_bytes());
    }

    fn constant_sum(&self) -> u32 {
        let udp = &self.template[self.transport..];
        let mut constant = udp.to_vec();
        for variable in [0..4, 6..8, SEQUENCE..STAMP + 8] {
            constant[variable].fill(0);
        }
        let source = match self.network {
            Network::V4 => &self.template[26..30],
            Network::V6 => &self.template[22..38],
        };
        constant.extend(source);
        constant.extend([0, 17]);
        constant.extend((udp.len() as u16).to_be_bytes());
        u32::from(!checksum(&constant))
    }

    fn destination(&mut self, address: IpAddr) -> u16 {
        let known = self.destinations.iter().position(|d| d.address == address);
        let place = known.unwrap_or_else(|| {
            let mut header = self.template[LINK..self.transport].to_vec();
            let octets = match address {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            };
            if self.network == Network::V4 {
                header[10..12].fill(0);
                header[16..20].copy_from_slice(&octets);
            }
            self.destinations.push(Destination {
                address,
                sum: u32::from(!checksum(&octets)),
                header: checksum(&header).to_be_bytes(),
            });
            self.destinations.len() - 1
        });
        place as u16
    }
}

fn halves(word: u32) -> u32 {
    (word >> 16) + (word & 0xffff)
}

fn folded(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = halves(sum);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The UDP checksum that a receiver computes over pseudo header and datagram: zero if all is right.
    fn remainder(frame: &[u8], addresses: std::ops::Range<usize>, transport: usize) -> u16 {
        let udp = &frame[transport..];
        let mut bytes = frame[addresses].to_vec();
        bytes.extend([0, 17]);
        bytes.extend((udp.len() as u16).to_be_bytes());
        bytes.extend(udp);
        checksum(&bytes)
    }

    fn streams(source: &str, destinations: [&str; 2]) -> Vec<Stream> {
        let source: SocketAddr = source.parse().unwrap();
        let destinations = destinations.map(|to| to.parse().unwrap());
        (0..500)
            .map(|n| Stream {
                source: SocketAddr::new(source.ip(), 10_000 + n),
                destination: destinations[usize::from(n) % 2],
                ssrc: 0x8000_0000 + u32::from(n) * 77_777,
            })
            .collect()
    }

    #[test]
    fn every_ipv4_frame_has_right_checksums() {
        let streams = streams("10.1.0.2:1", ["10.1.0.1:30000", "10.1.0.13:65534"]);
        let mut frames = Frames::of(&streams, [2; 6]).unwrap();
        let mut frame = frames.blank();
        for n in 0..5_000u64 {
            frames.write_next(&mut frame, n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            assert_eq!(checksum(&frame[14..34]), 0);
            assert_eq!(remainder(&frame, 26..34, 34), 0);
        }
    }

    #[test]
    fn every_ipv6_frame_has_a_right_checksum() {
        let streams = streams("[fd01::2]:1", ["[fd01::1]:30000", "[fd01::13]:65534"]);
        let mut frames = Frames::of(&streams, [2; 6]).unwrap();
        let mut frame = frames.blank();
        for n in 0..5_000u64 {
            frames.write_next(&mut frame, n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            assert_eq!(remainder(&frame, 22..54, 54), 0);
        }
    }
}
