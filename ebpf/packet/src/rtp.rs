//! The RTP header (RFC 3550 section 5.1).

use crate::Plain;

/// The fixed part of an RTP header; fields in network order.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtp {
    first: u8,
    second: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
}

// SAFETY: bytes and words without padding, 12 bytes as asserted.
unsafe impl Plain for Rtp {}
const _: () = assert!(size_of::<Rtp>() == 12);

impl Rtp {
    /// Fixed header length, bytes.
    pub const LENGTH: usize = 12;

    /// Whether it is one: version 2, and not RTCP. As [`crate::Kind::of`], with two comparisons.
    #[inline(always)]
    #[must_use]
    pub fn is_rtp(&self) -> bool {
        self.first & 0xc0 == 0x80 && self.second & 0xe0 != 0xc0
    }

    /// Payload type, 0 to 127.
    #[inline(always)]
    #[must_use]
    pub fn payload_type(&self) -> u8 {
        self.second & 0x7f
    }

    /// Sequence number.
    #[inline(always)]
    #[must_use]
    pub fn sequence(&self) -> u16 {
        u16::from_be(self.sequence)
    }

    /// Timestamp, RTP clock units.
    #[inline(always)]
    #[must_use]
    pub fn timestamp(&self) -> u32 {
        u32::from_be(self.timestamp)
    }

    /// Synchronisation source.
    #[inline(always)]
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        u32::from_be(self.ssrc)
    }
}
