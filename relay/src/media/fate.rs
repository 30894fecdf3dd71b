//! What becomes of one telephone event (RFC 4733), decided when it begins.

use super::layout::Layout;
use crate::plan::{Digits, Replacement, Substitute, digit_of};

/// The end mark and the reserved bit, beside the volume.
const FLAGS: u8 = 0xc0;

/// What becomes of an event's packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    #[default]
    Pass,
    Drop,
    /// Another digit.
    Become {
        code: u8,
        volume: Option<u8>,
    },
}

impl Fate {
    /// That of an event that begins now. What is no digit is replaced by nothing.
    pub(super) fn of(digits: Digits, code: u8) -> Self {
        match digits {
            Digits::Pass => Self::Pass,
            Digits::Drop => Self::Drop,
            Digits::Replace(_) if digit_of(code).is_none() => Self::Pass,
            Digits::Replace(Replacement { digit, volume }) => Self::Become {
                code: match digit {
                    Substitute::Code(code) => code,
                    Substitute::Random => another_than(code),
                },
                volume,
            },
        }
    }

    /// That of a packet whose event is not known.
    pub(super) fn of_unknown(digits: Digits) -> Self {
        match digits {
            Digits::Pass => Self::Pass,
            Digits::Drop | Digits::Replace(_) => Self::Drop,
        }
    }

    /// Makes of a packet, RTP header and all, what it is to be; whether it is passed on.
    pub(super) fn carry_out(self, packet: &mut [u8]) -> bool {
        match self {
            Self::Pass => true,
            Self::Drop => false,
            Self::Become { code, volume } => {
                let payload = Layout::of(packet).and_then(|layout| packet.get_mut(layout.payload));
                let Some([event, flags, ..]) = payload else {
                    return false;
                };
                *event = code;
                if let Some(volume) = volume {
                    *flags = *flags & FLAGS | volume & !FLAGS;
                }
                true
            }
        }
    }
}

/// A digit from 0 to 9, any but the one given.
fn another_than(code: u8) -> u8 {
    if code < 10 {
        (code + rand::random_range(1..10)) % 10
    } else {
        rand::random_range(0..10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replacing(digit: Substitute, volume: Option<u8>) -> Digits {
        Digits::Replace(Replacement { digit, volume })
    }

    /// What becomes of the end of digit 5 at volume 10.
    fn carried_out(digits: Digits) -> Option<Vec<u8>> {
        let mut packet = vec![0x80, 101, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 5, 0x8a, 3, 32];
        let fate = Fate::of(digits, 5);
        fate.carry_out(&mut packet).then(|| packet[12..].to_owned())
    }

    #[test]
    fn digits_pass_or_do_not() {
        assert_eq!(carried_out(Digits::Pass), Some(vec![5, 0x8a, 3, 32]));
        assert_eq!(carried_out(Digits::Drop), None);
    }

    #[test]
    fn a_digit_becomes_another_and_keeps_its_end_mark_and_duration() {
        let zero = replacing(Substitute::Code(0), None);
        assert_eq!(carried_out(zero), Some(vec![0, 0x8a, 3, 32]));
    }

    #[test]
    fn a_digit_becomes_as_loud_as_was_asked_for() {
        let quiet = replacing(Substitute::Code(11), Some(63));
        assert_eq!(carried_out(quiet), Some(vec![11, 0xbf, 3, 32]));
    }

    #[test]
    fn a_random_digit_is_any_but_the_one_that_was_dialled() {
        let random = replacing(Substitute::Random, None);
        let mut seen = [false; 10];
        for _ in 0..1000 {
            let event = carried_out(random).unwrap();
            seen[usize::from(event[0])] = true;
        }
        let expected: Vec<bool> = (0..10).map(|digit| digit != 5).collect();
        assert_eq!(seen.as_slice(), expected);
    }

    #[test]
    fn a_star_becomes_a_random_digit_too() {
        let random = replacing(Substitute::Random, None);
        for _ in 0..100 {
            let Fate::Become { code, .. } = Fate::of(random, 10) else {
                panic!("it stays what it is")
            };
            assert!(code < 10);
        }
    }

    #[test]
    fn what_is_no_digit_is_not_made_one() {
        let zero = replacing(Substitute::Code(0), None);
        assert_eq!(Fate::of(zero, 16), Fate::Pass);
        assert_eq!(Fate::of(Digits::Drop, 16), Fate::Drop);
    }

    #[test]
    fn a_packet_without_an_event_cannot_be_replaced() {
        let zero = Fate::Become {
            code: 0,
            volume: None,
        };
        let mut packet = vec![0x80, 101, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 5];
        assert!(!zero.carry_out(&mut packet));
        assert_eq!(Fate::of_unknown(Digits::Pass), Fate::Pass);
    }
}
