//! Packets that go round in circles: SDP can make a relay send to itself, over any number of its own ports.
//!
//! Such packets come back unchanged within microseconds, and there may be as many of them as socket buffers hold. So a
//! stream keeps one packet of every second; if that comes again and again, whoever brings it is refused for the rest of
//! the second, in which all that goes round comes by and ends. No sender repeats itself at that rate.

use std::net::SocketAddr;

/// Leading bytes that tell one packet from another: an RTP header and some payload.
const COMPARED: usize = 28;
/// Repetitions passed on within a [`WINDOW_MS`].
const TOLERATED: u16 = 30;
/// ms.
const WINDOW_MS: u64 = 1000;

/// What a stream remembers of the packets it passed on.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    sample: Option<Head>,
    since_ms: u64,
    count: u16,
    /// Who brought the sample too often.
    refused: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    bytes: [u8; COMPARED],
    length: usize,
}

impl Repeats {
    /// Takes note of a packet; `false` if its source has repeated itself too often of late.
    pub(super) fn tolerate(&mut self, payload: &[u8], source: SocketAddr, now_ms: u64) -> bool {
        let head = Some(Head::of(payload));
        if self.sample.is_none() || now_ms >= self.since_ms + WINDOW_MS {
            *self = Self {
                sample: head,
                since_ms: now_ms,
                ..Self::default()
            };
            return true;
        }
        if self.sample == head {
            self.count = self.count.saturating_add(1);
            if self.count > TOLERATED {
                self.refused = Some(source);
            }
        }
        self.refused != Some(source)
    }
}

impl Head {
    fn of(payload: &[u8]) -> Self {
        let mut bytes = [0; COMPARED];
        let compared = payload.len().min(COMPARED);
        bytes[..compared].copy_from_slice(&payload[..compared]);
        Self {
            bytes,
            length: payload.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn a_packet_that_circles_is_stopped() {
        let mut repeats = Repeats::default();
        let passed =
            (0..10_000).filter(|n| repeats.tolerate(b"round and round", source(1), n / 100));
        assert_eq!(passed.count(), 1 + usize::from(TOLERATED));
    }

    #[test]
    fn any_number_of_packets_that_circle_is_stopped() {
        for number in [2, 5, 500] {
            let mut repeats = Repeats::default();
            let packets = (0..number).cycle().take(100 * number);
            let passed = packets
                .filter(|packet| repeats.tolerate(&packet.to_be_bytes(), source(1), 5))
                .count();
            assert_eq!(passed, (1 + usize::from(TOLERATED)) * number);
        }
    }

    #[test]
    fn only_who_brings_them_is_refused() {
        let mut repeats = Repeats::default();
        for _ in 0..100 {
            repeats.tolerate(b"round and round", source(1), 5);
        }
        assert!(!repeats.tolerate(b"another", source(1), 5));
        assert!(repeats.tolerate(b"another", source(2), 5));
    }

    #[test]
    fn what_circled_in_one_second_is_forgiven_in_the_next() {
        let mut repeats = Repeats::default();
        for _ in 0..100 {
            repeats.tolerate(b"round and round", source(1), 5);
        }
        assert!(repeats.tolerate(b"another", source(1), 5 + WINDOW_MS));
    }

    #[test]
    fn keepalives_that_never_change_pass() {
        let mut repeats = Repeats::default();
        assert!((0..10_000).all(|n| repeats.tolerate(b"\r\n\r\n", source(1), n * 100)));
    }

    #[test]
    fn packets_that_differ_pass_at_any_rate() {
        let mut repeats = Repeats::default();
        assert!((0..10_000_u32).all(|n| repeats.tolerate(&n.to_be_bytes(), source(1), 0)));
    }

    #[test]
    fn what_differs_in_length_alone_differs() {
        let mut repeats = Repeats::default();
        assert!((0..10_000).all(|n| repeats.tolerate(&[0; 10_000][..n], source(1), 0)));
    }
}
