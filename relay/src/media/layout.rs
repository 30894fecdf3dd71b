//! Where the parts of an RTP packet lie (RFC 3550 section 5.1).

use std::ops::Range;

/// Version, padding and CSRC count in the first byte.
const PADDING: u8 = 0x20;
const EXTENSION: u8 = 0x10;
const CSRC_COUNT: u8 = 0x0f;

/// The parts of a packet whose fixed header is known to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// The header extension: its four bytes of profile and length, and its data.
    pub(super) extension: Option<Range<usize>>,
    /// Without padding.
    pub(super) payload: Range<usize>,
}

impl Layout {
    /// `None` for a packet whose parts do not fit into it.
    pub(super) fn of(packet: &[u8]) -> Option<Self> {
        let first = *packet.first()?;
        let mut begin = 12 + 4 * usize::from(first & CSRC_COUNT);
        let mut extension = None;
        if first & EXTENSION != 0 {
            let words = packet.get(begin + 2..begin + 4)?;
            let words = usize::from(u16::from_be_bytes([words[0], words[1]]));
            let end = begin + 4 + 4 * words;
            extension = Some(begin..end);
            begin = end;
        }
        let padding = if first & PADDING == 0 {
            0
        } else {
            usize::from(*packet.last()?)
        };
        let end = packet.len().checked_sub(padding)?;
        (begin <= end).then_some(Self {
            extension,
            payload: begin..end,
        })
    }
}

/// Takes note that the packet has no header extension any more.
pub(super) fn clear_extension_bit(packet: &mut [u8]) {
    packet[0] &= !EXTENSION;
}
