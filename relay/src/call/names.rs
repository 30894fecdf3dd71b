//! Names for what a client leaves to us to name: tags of subscribers, calls and parties without one.

use std::fmt::Write;

use bytes::Bytes;

/// Makes up names that nobody else has. As long as rtpengine's: 64 hexadecimal digits.
#[derive(Debug)]
pub(super) struct Names(u64);

impl Names {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> Bytes {
        let mut name = String::with_capacity(64);
        for _ in 0..4 {
            // Writing to a string does not fail.
            let _ = write!(name, "{:016x}", self.number());
        }
        name.into()
    }

    /// SplitMix64: no number comes twice in its period, and so no name.
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_comes_twice() {
        let mut names = Names::new(7);
        let first = names.next();
        assert_eq!(first.len(), 64);
        assert!((0..1000).all(|_| names.next() != first));
    }
}
