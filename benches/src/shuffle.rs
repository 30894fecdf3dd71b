//! An order that the processor does not foresee, the same in every run.

/// Mixes `items`.
pub fn shuffle<T>(items: &mut [T]) {
    // xorshift64 (Marsaglia 2003).
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    for last in (1..items.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        items.swap(last, (state % (last as u64 + 1)) as usize);
    }
}
