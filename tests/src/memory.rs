//! A map's memory, as its owner sees it: written without asking anybody.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use crate::bpf::MapInfo;

/// A memory-mapped array; unmapped when dropped.
#[derive(Debug)]
pub struct Memory {
    start: *mut u8,
    length: usize,
}

// SAFETY: the memory is shared with the kernel anyhow; every access here is a volatile one that no other depends on.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Maps an array; for reading only if not `writable`.
    ///
    /// # Errors
    /// The kernel does not allow it.
    pub fn of(map: BorrowedFd<'_>, writable: bool) -> io::Result<Self> {
        let info = MapInfo::of(map);
        let length =
            (info.value_size.next_multiple_of(8) * info.max_entries).next_multiple_of(4096);
        let protection = libc::PROT_READ | if writable { libc::PROT_WRITE } else { 0 };
        // SAFETY: a new mapping, which no memory of ours is replaced by.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                protection,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            start: start.cast(),
            length,
        })
    }

    /// Its length, bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is none; never so.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Element `index` of an array of `T`.
    ///
    /// # Panics
    /// If there is no such element.
    #[must_use]
    #[track_caller]
    pub fn read<T: Copy>(&self, index: usize) -> T {
        // SAFETY: `at` gives an address inside the mapping; `T` is one of the layout's types, for which any bytes are valid.
        unsafe { self.at::<T>(index).read_volatile() }
    }

    /// Writes element `index` of an array of `T`.
    ///
    /// # Panics
    /// If there is no such element.
    #[track_caller]
    pub fn write<T: Copy>(&self, index: usize, value: T) {
        // SAFETY: as in `read`.
        unsafe { self.at::<T>(index).write_volatile(value) }
    }

    #[track_caller]
    fn at<T>(&self, index: usize) -> *mut T {
        let end = (index + 1) * size_of::<T>();
        assert!(end <= self.length, "element {index} of {}", self.length);
        // SAFETY: the element lies inside the mapping, as just checked.
        unsafe { self.start.add(end - size_of::<T>()).cast() }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: made by `of` with this length; nothing refers to it any more.
        unsafe { libc::munmap(self.start.cast(), self.length) };
    }
}
