//! A packet in the kernel: two pointers, and every access checked against the second.

use core::arch::asm;

use underpass_packet::{Plain, Read, Write};

/// The bytes of a packet from `at` on.
#[derive(Clone, Copy)]
pub struct Frame {
    at: *mut u8,
    end: *mut u8,
    length: usize,
}

impl Frame {
    /// `data` and `data_end` of a context. `length`: of the whole packet, of which the end may lie elsewhere.
    #[inline(always)]
    pub fn new(data: usize, data_end: usize, length: usize) -> Self {
        Self {
            at: data as *mut u8,
            end: data_end as *mut u8,
            length,
        }
    }

    #[inline(always)]
    fn inside<T>(&self, offset: usize) -> Option<*mut T> {
        let at = self.at.wrapping_add(offset);
        (at.wrapping_add(size_of::<T>()) <= self.end).then_some(at.cast())
    }
}

impl Read for Frame {
    #[inline(always)]
    fn read<T: Plain>(&self, offset: usize) -> Option<T> {
        // SAFETY: inside the packet, as just checked. Headers are read as if aligned: BPF loads need no alignment, and
        // the compiler would split the others into bytes.
        self.inside::<T>(offset).map(|at| unsafe { *at })
    }

    #[inline(always)]
    fn skip(self, offset: usize) -> Self {
        let mut at = self.at;
        // SAFETY: one addition. In assembler it is opaque to the compiler, so that the sum is checked and used in one
        // register: the verifier does not see that two sums of the same pointer and offset are the same.
        unsafe { asm!("{0} += {1}", inout(reg) at, in(reg) offset, options(pure, nomem, nostack)) };
        Self {
            at,
            length: self.length.wrapping_sub(offset),
            ..self
        }
    }

    #[inline(always)]
    fn length(&self) -> usize {
        self.length
    }
}

impl Write for Frame {
    #[inline(always)]
    fn write<T: Plain>(&mut self, offset: usize, value: T) -> Option<()> {
        // SAFETY: inside the packet, as just checked; aligned or not, as in `read`.
        self.inside::<T>(offset).map(|at| unsafe { *at = value })
    }
}
