//! Elements of an array map, mapped into memory: what is stored here the kernel program reads, and the other way round,
//! without a system call. Needs the map's descriptor alone, no capability.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

/// What may be done with the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

/// The elements of one map. Others read and write them meanwhile: they are reached by pointer, and through volatile or
/// atomic accesses only.
#[derive(Debug)]
pub(crate) struct Mapped<T> {
    start: NonNull<T>,
    count: u32,
}

// SAFETY: the mapping belongs to this value alone and stays where it is until it is dropped.
unsafe impl<T: Send> Send for Mapped<T> {}

impl<T> Mapped<T> {
    /// Maps the first `count` elements of the array map `map`, whose values are `T`s.
    ///
    /// # Errors
    /// The map has fewer elements, may not be mapped, or there is no room for it.
    pub(crate) fn new(map: BorrowedFd<'_>, count: u32, access: Access) -> io::Result<Self> {
        Self::map(count, access, libc::MAP_SHARED, map.as_raw_fd())
    }

    /// Memory of our own in place of a map, zeroed as a map's is.
    #[cfg(test)]
    pub(crate) fn in_memory(count: u32) -> Self {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        Self::map(count, Access::Write, flags, -1).unwrap()
    }

    fn map(count: u32, access: Access, flags: i32, descriptor: i32) -> io::Result<Self> {
        let protection = match access {
            Access::Read => libc::PROT_READ,
            Access::Write => libc::PROT_READ | libc::PROT_WRITE,
        };
        let length = Self::length(count);
        // SAFETY: a new mapping at an address of the kernel's choice; it refuses lengths beyond the map.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                protection,
                flags,
                descriptor,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { start, count })
    }

    /// How many elements there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Where an element is: inside the mapping, and aligned, since a page's start is.
    ///
    /// # Panics
    /// There is no such element.
    pub(crate) fn at(&self, index: u32) -> *mut T {
        assert!(index < self.count, "an index below the count");
        self.start.as_ptr().wrapping_add(index as usize)
    }

    fn length(count: u32) -> usize {
        count as usize * size_of::<T>()
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `map`, which nobody else refers to.
        unsafe { libc::munmap(self.start.as_ptr().cast(), Self::length(self.count)) };
    }
}
