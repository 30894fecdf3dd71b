//! The digits that a party has dialled last.

use serde::{Deserialize, Serialize};

/// A code that is longer is never recognised.
pub(super) const LONGEST_CODE: usize = 32;

/// Digits in a row, as many as a code may have. A pause that is too long ends the row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::call) struct Sequence {
    digits: String,
    /// When the last of them was heard, monotonic ms.
    heard_ms: u64,
}

impl Sequence {
    /// Takes note of a digit that begins.
    pub(super) fn push(&mut self, digit: char, now_ms: u64, longest_pause_ms: u64) {
        if now_ms.saturating_sub(self.heard_ms) > longest_pause_ms {
            self.digits.clear();
        }
        if self.digits.chars().count() >= LONGEST_CODE {
            self.digits.remove(0);
        }
        self.digits.push(digit);
        self.heard_ms = now_ms;
    }

    /// The last digit is still being dialled: the pause after it begins later.
    pub(super) fn hear(&mut self, now_ms: u64) {
        self.heard_ms = self.heard_ms.max(now_ms);
    }

    /// Whether the last digits are these; no code is like any.
    pub(super) fn ends_with(&self, code: &str) -> bool {
        !code.is_empty() && self.digits.ends_with(code)
    }

    /// Begins anew: no digit counts for two codes.
    pub(super) fn clear(&mut self) {
        self.digits.clear();
    }
}

/// A code as it was written, letters large. `None`: nobody can dial it.
pub(super) fn code(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let can_be_dialled = text
        .chars()
        .all(|digit| crate::plan::code_of(digit).is_some());
    let fits = (1..=LONGEST_CODE).contains(&text.len());
    (can_be_dialled && fits).then(|| text.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE_MS: u64 = 2500;

    fn dialled(digits: &str) -> Sequence {
        let mut sequence = Sequence::default();
        for (digit, at) in digits.chars().zip(1..) {
            sequence.push(digit, at * 100, PAUSE_MS);
        }
        sequence
    }

    #[test]
    fn the_last_digits_count() {
        assert!(dialled("12*9").ends_with("*9"));
        assert!(!dialled("*91").ends_with("*9"));
        assert!(!dialled("9").ends_with("*9"));
        assert!(!dialled("9").ends_with(""));
    }

    #[test]
    fn a_long_pause_ends_the_row() {
        let mut sequence = dialled("*");
        sequence.push('9', 100 + PAUSE_MS, PAUSE_MS);
        assert!(sequence.ends_with("*9"));
        let mut sequence = dialled("*");
        sequence.push('9', 101 + PAUSE_MS, PAUSE_MS);
        assert!(sequence.ends_with("9") && !sequence.ends_with("*9"));
    }

    #[test]
    fn the_pause_begins_when_the_digit_has_ended() {
        let mut sequence = dialled("*");
        sequence.hear(1000);
        sequence.push('9', 1000 + PAUSE_MS, PAUSE_MS);
        assert!(sequence.ends_with("*9"));
    }

    #[test]
    fn however_much_is_dialled_little_is_kept() {
        let sequence = dialled(&"12345".repeat(100));
        assert_eq!(sequence.digits.len(), LONGEST_CODE);
        assert!(sequence.ends_with("512345"));
    }

    #[test]
    fn codes_are_what_can_be_dialled() {
        assert_eq!(code(b" *9a "), Some("*9A".to_owned()));
        for nothing in [&b""[..], b"9x", b"\xff", &[b'1'; LONGEST_CODE + 1]] {
            assert_eq!(code(nothing), None);
        }
    }
}
