//! Telephone events (RFC 4733): what becomes of them, and what is told of them.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{CallKey, StreamId};

/// The digits of a keypad, each at the place of its event code.
const KEYPAD: &[u8; 16] = b"0123456789*#ABCD";

/// The digit of an event code; `None`: it is no digit.
#[must_use]
pub fn digit_of(code: u8) -> Option<char> {
    KEYPAD
        .get(usize::from(code))
        .map(|digit| char::from(*digit))
}

/// The event code of a digit, a letter in either case.
#[must_use]
pub fn code_of(digit: char) -> Option<u8> {
    let digit = digit.to_ascii_uppercase();
    let place = KEYPAD
        .iter()
        .position(|known| char::from(*known) == digit)?;
    u8::try_from(place).ok()
}

/// What becomes of telephone events (`block DTMF`, `DTMF-security`). An event keeps what was to become of it when it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Digits {
    /// They pass.
    #[default]
    Pass,
    /// They are not passed on.
    Drop,
    /// Those that are digits become others.
    Replace(Replacement),
}

/// What a digit becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// Which digit.
    pub digit: Substitute,
    /// How loud, dB below 0 dBm0, at most 63; `None`: as it was.
    pub volume: Option<u8>,
}

/// The digit that takes the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Substitute {
    /// Always that of this event code.
    Code(u8),
    /// One of 0 to 9 by chance, never the same as was dialled; one for the whole of an event.
    Random,
}

/// A telephone event: a digit that somebody dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// The call.
    pub call: CallKey,
    /// Where it arrived.
    pub stream: StreamId,
    /// Where it came from.
    pub source: SocketAddr,
    /// 0 to 9: digits; 10 `*`, 11 `#`, 12 to 15 A to D, 16 flash; others by IANA.
    pub code: u8,
    /// Attenuation, dB below 0 dBm0.
    pub volume: u8,
    /// How long it lasted, so far.
    pub duration_ms: u32,
    /// It is over. It has been told before, as it began, where [`StreamPlan::watch_digits`](super::StreamPlan::watch_digits).
    pub has_ended: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_has_a_code() {
        for (code, digit) in (0..).zip("0123456789*#ABCD".chars()) {
            assert_eq!(digit_of(code), Some(digit));
            assert_eq!(code_of(digit), Some(code));
            assert_eq!(code_of(digit.to_ascii_lowercase()), Some(code));
        }
        assert_eq!(digit_of(16), None);
        assert_eq!(code_of('x'), None);
    }
}
