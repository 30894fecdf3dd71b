//! Where packets lie: what the parser reads from and the rewrite writes to.

/// A header as it lies in a packet, multi-byte fields in network order.
///
/// # Safety
/// Any bytes are a value of the type, and it has no padding.
pub unsafe trait Plain: Copy {}

// SAFETY: plain bytes and words.
unsafe impl Plain for [u8; 2] {}
// SAFETY: as above.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl<const N: usize> Plain for [u32; N] {}
// SAFETY: as above.
unsafe impl<const N: usize> Plain for [u64; N] {}

/// Bytes to parse.
pub trait Read: Copy {
    /// The `T` at `offset`, unless it reaches past the end.
    fn read<T: Plain>(&self, offset: usize) -> Option<T>;

    /// The bytes from `offset` on; none if that is past the end. At most a few headers long.
    #[must_use]
    fn skip(self, offset: usize) -> Self;

    /// Bytes to the end of the packet, which may be more than can be read: a kernel packet's tail lies elsewhere.
    fn length(&self) -> usize;
}

/// Bytes to rewrite.
pub trait Write {
    /// Puts `value` at `offset`; `None`, and nothing written, if it reaches past the end.
    fn write<T: Plain>(&mut self, offset: usize, value: T) -> Option<()>;
}

impl Read for &[u8] {
    fn read<T: Plain>(&self, offset: usize) -> Option<T> {
        let bytes = self.get(offset..)?.get(..size_of::<T>())?;
        // SAFETY: `bytes` are as many as a `T` takes, and any bytes are a `T`; no alignment is asked for.
        Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
    }

    fn skip(self, offset: usize) -> Self {
        self.get(offset..).unwrap_or_default()
    }

    fn length(&self) -> usize {
        self.len()
    }
}

impl Write for &mut [u8] {
    fn write<T: Plain>(&mut self, offset: usize, value: T) -> Option<()> {
        let bytes = self.get_mut(offset..)?.get_mut(..size_of::<T>())?;
        // SAFETY: `bytes` are as many as a `T` takes, and a `T` has no padding; no alignment is asked for.
        unsafe { bytes.as_mut_ptr().cast::<T>().write_unaligned(value) };
        Some(())
    }
}
