//! Map keys and values as bytes.

/// The plain bytes of an `underpass-abi` value.
pub fn bytes_of<T: Copy, const N: usize>(value: &T) -> [u8; N] {
    const { assert!(size_of::<T>() == N) };
    // SAFETY: the abi's types have no padding and N is the size of T.
    unsafe { std::mem::transmute_copy(value) }
}
