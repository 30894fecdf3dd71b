//! Packets that go round in circles: SDP can make a relay send to itself, over any number of its own ports.
//!
//! Such a packet comes back unchanged within microseconds, so a stream that receives the same few packets again and again
//! stops passing them on. No sender repeats itself at that rate.

/// Leading bytes that tell one packet from another: an RTP header and some payload.
const COMPARED: usize = 28;
/// Repetitions passed on within a [`WINDOW_MS`].
const TOLERATED: u16 = 30;
/// ms.
const WINDOW_MS: u64 = 1000;

/// What a stream remembers of the packets it passed on.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    recent: [Head; 2],
    since_ms: u64,
    count: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Head {
    bytes: [u8; COMPARED],
    length: usize,
}

impl Repeats {
    /// Takes note of a packet; `false` if it has been repeated too often of late.
    pub(super) fn tolerate(&mut self, payload: &[u8], now_ms: u64) -> bool {
        let head = Head::of(payload);
        if !self.recent.contains(&head) {
            self.recent = [head, self.recent[0]];
            return true;
        }
        if now_ms >= self.since_ms + WINDOW_MS {
            self.since_ms = now_ms;
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.count <= TOLERATED
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

    #[test]
    fn a_packet_that_circles_is_stopped() {
        let mut repeats = Repeats::default();
        let passed = (0..10_000).filter(|n| repeats.tolerate(b"round and round", n / 100));
        assert_eq!(passed.count(), 1 + usize::from(TOLERATED));
    }

    #[test]
    fn two_packets_that_circle_are_stopped() {
        let mut repeats = Repeats::default();
        let packets = [b"one", b"two"];
        let passed = (0..10_000).filter(|n| repeats.tolerate(packets[n % 2], 5));
        assert_eq!(passed.count(), 2 + usize::from(TOLERATED));
    }

    #[test]
    fn keepalives_that_never_change_pass() {
        let mut repeats = Repeats::default();
        assert!((0..10_000).all(|n| repeats.tolerate(b"\r\n\r\n", n * 100)));
    }

    #[test]
    fn packets_that_differ_pass_at_any_rate() {
        let mut repeats = Repeats::default();
        assert!((0..10_000_u32).all(|n| repeats.tolerate(&n.to_be_bytes(), 0)));
    }

    #[test]
    fn what_differs_in_length_alone_differs() {
        let mut repeats = Repeats::default();
        assert!((0..10_000).all(|n| repeats.tolerate(&[0; 10_000][..n], 0)));
    }
}
