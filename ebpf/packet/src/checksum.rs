//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624).

use crate::Read;

/// A ones' complement sum of words taken as they lie in memory.
///
/// The order of bytes does not matter as long as words are read and the checksum is stored in the same one (RFC 1071
/// section 2B). Takes 2^31 words before it overflows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// Adds a word.
    #[inline(always)]
    #[must_use]
    pub fn with(self, word: u32) -> Self {
        Self(self.0 + u64::from(word))
    }

    /// Takes a word out again (RFC 1624 equation 3).
    #[inline(always)]
    #[must_use]
    pub fn without(self, word: u32) -> Self {
        self.with(!word)
    }

    /// Adds several words.
    #[inline(always)]
    #[must_use]
    pub fn with_all<const N: usize>(self, words: [u32; N]) -> Self {
        words.into_iter().fold(self, Self::with)
    }

    /// Adds another sum.
    #[inline(always)]
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// Takes another sum out.
    #[inline(always)]
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.without(other.fold32())
    }

    /// The sum in 32 bits, as the kernel's helpers take it. Zero only if nothing but zero was added.
    #[inline(always)]
    #[must_use]
    pub fn fold32(self) -> u32 {
        let once = (self.0 >> 32) + (self.0 & 0xffff_ffff);
        ((once >> 32) + once) as u32
    }

    /// The sum in 16 bits. Zero only if nothing but zero was added.
    #[inline(always)]
    #[must_use]
    pub fn fold(self) -> u16 {
        let sum = (self.0 >> 32) + (self.0 & 0xffff_ffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        ((sum >> 16) + sum) as u16
    }
}

/// The ones' complement sum of two words. Zero only if both are.
#[inline(always)]
#[must_use]
pub fn add(a: u16, b: u16) -> u16 {
    let sum = u32::from(a) + u32::from(b);
    ((sum >> 16) + sum) as u16
}

/// A UDP checksum that is there, after `difference` was added to what it covers (RFC 1624 equation 3).
#[inline(always)]
#[must_use]
pub fn carry(checksum: u16, difference: u16) -> u16 {
    match !add(!checksum, difference) {
        0 => 0xffff,
        checksum => checksum,
    }
}

/// Longest data that [`sum`] adds up, in steps of 8 bytes: an Ethernet packet. The verifier walks through all of them.
const MAX_STEPS: usize = 1536 / 8;

/// The sum over the first `length` bytes; `None` if there are not as many, or less than 8, or more than 1543.
#[inline(always)]
pub fn sum<B: Read>(bytes: B, length: usize) -> Option<Sum> {
    let mut rest = bytes;
    let mut left = length;
    let mut sum = Sum::default();
    for _ in 0..MAX_STEPS {
        if left < 8 {
            break;
        }
        sum = sum.with_all(rest.read::<[u32; 2]>(0)?);
        rest = rest.skip(8);
        left -= 8;
    }
    if left == 0 {
        return Some(sum);
    }
    if left >= 8 || length < 8 {
        return None;
    }
    // The last 8 bytes, less those that are in the sum already. The mask changes nothing; it shows the verifier a bound.
    let last = bytes
        .skip(length.wrapping_sub(8) & 0x1fff)
        .read::<[u32; 2]>(0)?;
    let last = u64::from(u32::from_le(last[0])) | u64::from(u32::from_le(last[1])) << 32;
    let last = last >> (64 - 8 * left);
    Some(
        sum.with((last as u32).to_le())
            .with(((last >> 32) as u32).to_le()),
    )
}
