//! A packet in the kernel: two pointers, and every access checked against the second.

use core::arch::asm;

use underpass_packet::{Datagram, Ethernet, Internet, Ipv4, Ipv6, Plain, Read, Rtp, Write};

/// All headers of an RTP packet over IPv4, without tags.
pub const FRONT_V4: usize = size_of::<Ethernet>() + Datagram::<Ipv4>::LENGTH + Rtp::LENGTH;
/// All headers of an RTP packet over IPv6, without tags.
pub const FRONT_V6: usize = size_of::<Ethernet>() + Datagram::<Ipv6>::LENGTH + Rtp::LENGTH;

/// Whether the frame has no tag and is of `I`.
#[inline(always)]
pub fn is<I: Internet>(front: Front) -> bool {
    front
        .read::<Ethernet>(0)
        .is_some_and(|ethernet| ethernet.ethertype == I::ETHERTYPE.to_be())
}

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

/// A packet whose first bytes are known to be there, so that they are read and written without a check each.
#[derive(Clone, Copy)]
pub struct Front {
    frame: Frame,
    /// Where it begins; known when compiled, as is `checked`.
    base: usize,
    /// So many bytes of the frame are there.
    checked: usize,
}

impl Frame {
    /// The frame with its first `length` bytes; `None` if it is shorter.
    #[inline(always)]
    pub fn front(self, length: usize) -> Option<Front> {
        (self.at.wrapping_add(length) <= self.end).then_some(Front {
            frame: self,
            base: 0,
            checked: length,
        })
    }
}

/// A packet, of which more or less is known.
pub trait Packet: Read + Write + Copy {
    /// The same bytes, of which nothing is known: to read at offsets that are not known when compiled.
    fn unknown(self) -> Frame;
}

impl Packet for Frame {
    #[inline(always)]
    fn unknown(self) -> Frame {
        self
    }
}

impl Packet for Front {
    #[inline(always)]
    fn unknown(self) -> Frame {
        self.frame.skip(self.base)
    }
}

impl Front {
    #[inline(always)]
    fn inside<T>(&self, offset: usize) -> Option<*mut T> {
        let from = self.base + offset;
        if from + size_of::<T>() <= self.checked {
            return Some(self.frame.at.wrapping_add(from).cast());
        }
        self.frame.inside(from)
    }
}

impl Read for Front {
    #[inline(always)]
    fn read<T: Plain>(&self, offset: usize) -> Option<T> {
        // SAFETY: inside the packet, as just checked, or before; aligned or not, as in `Frame`.
        self.inside::<T>(offset).map(|at| unsafe { *at })
    }

    #[inline(always)]
    fn skip(self, offset: usize) -> Self {
        Self {
            base: self.base + offset,
            ..self
        }
    }

    #[inline(always)]
    fn length(&self) -> usize {
        self.frame.length.wrapping_sub(self.base)
    }
}

impl Write for Front {
    #[inline(always)]
    fn write<T: Plain>(&mut self, offset: usize, value: T) -> Option<()> {
        // SAFETY: as in `read`.
        self.inside::<T>(offset).map(|at| unsafe { *at = value })
    }
}
