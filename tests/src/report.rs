//! The account of one stream at its receiver.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::endpoint::Arrival;
use crate::rtp;

/// What became of a stream's packets at one receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Packets sent by the stream's sender.
    pub sent: u32,
    /// Different packets of it that arrived.
    pub received: u32,
    /// Packets that did not arrive.
    pub lost: u32,
    /// Packets that arrived again.
    pub duplicates: u32,
    /// Packets that arrived after one with a higher number.
    pub reordered: u32,
    /// Packets of it whose header or payload was changed.
    pub corrupted: u32,
    /// Datagrams that arrived and are not of this stream.
    pub foreign: u32,
    /// Where its packets came from, and how many.
    pub sources: BTreeMap<SocketAddr, u32>,
    /// One-way times of its packets, in ns, in order of arrival.
    pub delays_ns: Vec<u64>,
}

impl Report {
    /// Accounts for `sent` packets of the stream marked `mark` among a receiver's arrivals.
    #[must_use]
    pub fn of(mark: u64, sent: u32, arrivals: &[Arrival]) -> Self {
        let mut report = Self {
            sent,
            ..Self::default()
        };
        let mut seen = vec![false; sent as usize];
        let mut highest = None;
        for arrival in arrivals {
            let packet = rtp::read(&arrival.bytes);
            let Some(packet) = packet.filter(|packet| packet.mark == mark && packet.number < sent)
            else {
                report.foreign += 1;
                continue;
            };
            *report.sources.entry(arrival.source).or_default() += 1;
            report.corrupted += u32::from(!packet.intact);
            if std::mem::replace(&mut seen[packet.number as usize], true) {
                report.duplicates += 1;
                continue;
            }
            report.received += 1;
            report.reordered += u32::from(highest.is_some_and(|highest| packet.number < highest));
            highest = highest.max(Some(packet.number));
            report
                .delays_ns
                .push(arrival.at_ns.saturating_sub(packet.sent_ns));
        }
        report.lost = sent - report.received;
        report
    }

    /// Whether every packet arrived once, as it was sent, and nothing else did. Order does not count: a packet that the kernel
    /// forwards may overtake one on its way through user space.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lost + self.duplicates + self.corrupted + self.foreign == 0
    }

    /// The delay that the share `quantile` (0 to 1) of the packets stayed within, in ns.
    #[must_use]
    pub fn delay_ns(&self, quantile: f64) -> Option<u64> {
        let mut delays = self.delays_ns.clone();
        delays.sort_unstable();
        let last = delays.len().checked_sub(1)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index of a short list"
        )]
        delays.get((last as f64 * quantile) as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Stream;

    const STREAM: Stream = Stream {
        mark: 1,
        ssrc: 2,
        payload_type: 0,
        payload: 40,
    };

    fn arrivals(numbers: &[u32]) -> Vec<Arrival> {
        let source = "10.0.0.1:4".parse().unwrap();
        numbers
            .iter()
            .map(|n| Arrival {
                source,
                at_ns: 5,
                bytes: rtp::write(&STREAM, *n, 1),
            })
            .collect()
    }

    #[test]
    fn all_packets_and_no_others_are_complete() {
        assert!(Report::of(1, 3, &arrivals(&[0, 1, 2])).is_complete());
    }

    #[test]
    fn lost_doubled_and_reordered_packets_are_counted_apart() {
        let report = Report::of(1, 5, &arrivals(&[0, 2, 1, 1, 4]));
        assert_eq!(
            (report.lost, report.duplicates, report.reordered),
            (1, 1, 1)
        );
    }

    #[test]
    fn a_packet_of_another_stream_is_foreign() {
        assert_eq!(Report::of(2, 1, &arrivals(&[0])).foreign, 1);
    }

    #[test]
    fn a_changed_byte_is_corruption() {
        let mut arrivals = arrivals(&[0]);
        arrivals[0].bytes[45] ^= 1;
        assert_eq!(Report::of(1, 1, &arrivals).corrupted, 1);
    }
}
