//! `silence media`: which byte is silence.

use crate::plan::{COMFORT_NOISE, Silences};

/// Zero, the smallest step away from it (G.711 knows no zero).
const PCMU: u8 = 0xff;
const PCMA: u8 = 0xd5;
/// Two codewords of the lower band and one of the upper that leave the predictors where they are.
const G722: u8 = 0xfa;
/// Comfort noise says nothing but how loud the silence is: as low as there is.
const LOWEST_LEVEL: u8 = 0x7f;

/// The byte that takes the place of every byte of the payload; `None`: no silence is known for it.
pub(super) fn of(payload_type: u8, silences: &Silences) -> Option<u8> {
    match payload_type {
        _ if silences.pcmu.contains(payload_type) => Some(PCMU),
        _ if silences.pcma.contains(payload_type) => Some(PCMA),
        _ if silences.g722.contains(payload_type) => Some(G722),
        COMFORT_NOISE => Some(LOWEST_LEVEL),
        _ => None,
    }
}
