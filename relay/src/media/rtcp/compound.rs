//! Compound packets: RTCP packets one after the other in one datagram.

/// Transport-layer and payload-specific feedback (RFC 4585).
const FEEDBACK: [u8; 2] = [205, 206];

/// The packets of a compound, headers and all, up to the first that is none.
pub(super) fn packets(compound: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = compound;
    std::iter::from_fn(move || {
        let length = length(rest)?;
        let (packet, after) = rest.split_at(length);
        rest = after;
        Some(packet)
    })
}

/// The length of the packet that `bytes` begin with.
fn length(bytes: &[u8]) -> Option<usize> {
    let &[first, _, high, low, ..] = bytes else {
        return None;
    };
    let length = 4 * (1 + usize::from(u16::from_be_bytes([high, low])));
    (first >> 6 == 2 && length <= bytes.len()).then_some(length)
}

/// Removes feedback messages, in place; returns the length of what is left, `None` if that is nothing. What follows the last
/// packet that can be told is left as it is.
pub(in crate::media) fn without_feedback(compound: &mut [u8]) -> Option<usize> {
    let (mut at, mut end) = (0, 0);
    while let Some(length) = length(&compound[at..]) {
        if !FEEDBACK.contains(&compound[at + 1]) {
            compound.copy_within(at..at + length, end);
            end += length;
        }
        at += length;
    }
    compound.copy_within(at.., end);
    let left = compound.len() - (at - end);
    (left > 0).then_some(left)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(kind: u8, words: u8) -> Vec<u8> {
        let mut packet = vec![0x81, kind, 0, words];
        packet.resize(4 + 4 * usize::from(words), kind);
        packet
    }

    fn filtered(mut compound: Vec<u8>) -> Option<Vec<u8>> {
        let length = without_feedback(&mut compound)?;
        compound.truncate(length);
        Some(compound)
    }

    #[test]
    fn feedback_is_taken_out_and_reports_stay() {
        let compound = [
            packet(200, 6),
            packet(205, 3),
            packet(202, 2),
            packet(206, 2),
        ];
        let expected = [packet(200, 6), packet(202, 2)].concat();
        assert_eq!(filtered(compound.concat()), Some(expected));
    }

    #[test]
    fn of_feedback_alone_nothing_is_left() {
        assert_eq!(filtered(packet(206, 2)), None);
    }

    #[test]
    fn without_feedback_it_stays_as_it_is() {
        let compound = [packet(201, 1), packet(204, 4)].concat();
        assert_eq!(filtered(compound.clone()), Some(compound));
    }

    #[test]
    fn a_packet_that_claims_to_be_longer_than_it_is_ends_the_compound() {
        let mut compound = [packet(201, 1), packet(200, 6)].concat();
        compound.truncate(20);
        assert_eq!(packets(&compound).count(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_filtered(bytes in prop::collection::vec(prop_oneof![Just(0x80), Just(205), Just(0), any::<u8>()], 0..80)) {
            if let Some(once) = filtered(bytes.clone()) {
                prop_assert!(once.len() <= bytes.len());
                prop_assert!(packets(&once).all(|packet| !FEEDBACK.contains(&packet[1])));
            }
        }
    }
}
