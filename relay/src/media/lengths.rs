//! `block-short`: which packets of a stream are shorter than is usual for it.

use std::collections::BTreeMap;

/// So many packets of a payload type show how long they usually are; until then none is short.
const SAMPLE: usize = 10;
/// Payload types that are told apart; packets of others are never short.
const KNOWN: usize = 4;

/// How long a stream's packets usually are, by payload type.
#[derive(Debug, Default)]
pub(super) struct Lengths {
    known: BTreeMap<u8, Length>,
}

#[derive(Debug)]
enum Length {
    /// Of the first packets.
    Sample(Vec<usize>),
    Usual(usize),
}

impl Lengths {
    /// Learns from a packet and judges it by the length of its payload, bytes.
    pub(super) fn is_short(&mut self, payload_type: u8, length: usize) -> bool {
        if self.known.len() >= KNOWN && !self.known.contains_key(&payload_type) {
            return false;
        }
        let known = self.known.entry(payload_type);
        let known = known.or_insert_with(|| Length::Sample(Vec::with_capacity(SAMPLE)));
        match known {
            Length::Usual(usual) => length < *usual,
            Length::Sample(lengths) => {
                lengths.push(length);
                if lengths.len() >= SAMPLE {
                    *known = Length::Usual(most_frequent(lengths));
                }
                false
            }
        }
    }
}

/// Of several that are equally frequent, the shortest.
fn most_frequent(lengths: &[usize]) -> usize {
    let frequency = |length| lengths.iter().filter(|other| **other == length).count();
    let best = lengths.iter().copied();
    best.max_by_key(|length| (frequency(*length), usize::MAX - length))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the packets are short.
    fn judged(lengths: &mut Lengths, payload_type: u8, packets: &[usize]) -> Vec<bool> {
        let packets = packets.iter();
        packets
            .map(|length| lengths.is_short(payload_type, *length))
            .collect()
    }

    #[test]
    fn what_is_shorter_than_usual_is_short() {
        let mut lengths = Lengths::default();
        assert_eq!(judged(&mut lengths, 0, &[160; SAMPLE]), [false; SAMPLE]);
        assert_eq!(
            judged(&mut lengths, 0, &[159, 160, 161, 320, 0]),
            [true, false, false, false, true]
        );
    }

    #[test]
    fn usual_is_what_most_of_the_first_packets_are() {
        let mut lengths = Lengths::default();
        let first = [40, 160, 160, 80, 160, 160, 80, 40, 160, 320];
        assert_eq!(judged(&mut lengths, 0, &first), [false; SAMPLE]);
        assert_eq!(judged(&mut lengths, 0, &[80, 160]), [true, false]);
    }

    #[test]
    fn of_lengths_that_are_equally_frequent_the_shortest_counts() {
        let mut lengths = Lengths::default();
        judged(&mut lengths, 0, &[160, 80].repeat(SAMPLE / 2));
        assert_eq!(judged(&mut lengths, 0, &[80, 79]), [false, true]);
    }

    #[test]
    fn every_payload_type_has_a_length_of_its_own() {
        let mut lengths = Lengths::default();
        judged(&mut lengths, 0, &[160; SAMPLE]);
        judged(&mut lengths, 18, &[20; SAMPLE]);
        assert_eq!(judged(&mut lengths, 18, &[20, 10]), [false, true]);
        assert_eq!(judged(&mut lengths, 0, &[20]), [true]);
    }

    #[test]
    fn of_more_payload_types_than_anybody_uses_none_is_short() {
        let mut lengths = Lengths::default();
        for payload_type in 0..4 {
            judged(&mut lengths, payload_type, &[160; SAMPLE]);
        }
        judged(&mut lengths, 100, &[160; SAMPLE]);
        assert_eq!(judged(&mut lengths, 100, &[1]), [false]);
    }
}
