//! RTP header extensions (RFC 8285): those of some ids stay, the others go.

use std::ops::Range;

use super::super::layout::{Layout, clear_extension_bit};
use crate::plan::ExtensionIds;

/// Stands in the place of a profile for elements with a header of one byte.
const ONE_BYTE: u16 = 0xbede;
/// The same for two bytes; the last four bits are free.
const TWO_BYTES: u16 = 0x1000 >> 4;
/// With a header of one byte, whatever follows this id is not to be looked at.
const STOP: u8 = 15;

/// Removes the elements whose ids are not among `kept`, and the extension with the last of them. What is no extension of RFC
/// 8285 is left alone, unless nothing at all is kept. Returns the packet's new length; `None` if its parts do not fit into it.
pub(super) fn filter(packet: &mut [u8], kept: &ExtensionIds) -> Option<usize> {
    let Some(extension) = Layout::of(packet)?.extension else {
        return Some(packet.len());
    };
    if *kept == ExtensionIds::default() {
        return Some(remove(packet, extension));
    }
    let header = &packet[extension.start..extension.start + 4];
    let form = match u16::from_be_bytes([header[0], header[1]]) {
        ONE_BYTE => Form::OneByte,
        profile if profile >> 4 == TWO_BYTES => Form::TwoBytes,
        _ => return Some(packet.len()),
    };
    if form.all_kept(packet, &extension, kept) {
        return Some(packet.len());
    }
    let mut at = extension.start + 4;
    let mut end = at;
    while let Some(element) = form.element(packet, at, extension.end) {
        at = element.bytes.end;
        if kept.contains(element.id) {
            let length = element.bytes.len();
            packet.copy_within(element.bytes, end);
            end += length;
        }
    }
    if end == extension.start + 4 {
        return Some(remove(packet, extension));
    }
    Some(shorten(packet, extension, end))
}

/// How elements begin.
#[derive(Clone, Copy)]
enum Form {
    OneByte,
    TwoBytes,
}

struct Element {
    id: u8,
    /// Its header and its data.
    bytes: Range<usize>,
}

impl Form {
    /// Whether there is nothing to be removed, not even something that can't be read.
    fn all_kept(self, packet: &[u8], extension: &Range<usize>, kept: &ExtensionIds) -> bool {
        let mut at = extension.start + 4;
        while let Some(element) = self.element(packet, at, extension.end) {
            if !kept.contains(element.id) {
                return false;
            }
            at = element.bytes.end;
        }
        packet[at..extension.end].iter().all(|byte| *byte == 0)
    }

    /// The next element from `at` on, past any padding; `None`: that was the last one.
    fn element(self, packet: &[u8], mut at: usize, end: usize) -> Option<Element> {
        while at < end && packet[at] == 0 {
            at += 1;
        }
        let bytes = &packet[at..end];
        let (id, length) = match (self, bytes) {
            (Self::OneByte, [first, ..]) => (first >> 4, 2 + usize::from(first & 0xf)),
            (Self::TwoBytes, [id, length, ..]) => (*id, 2 + usize::from(*length)),
            _ => return None,
        };
        let stops = matches!(self, Self::OneByte) && id == STOP;
        (!stops && length <= bytes.len()).then_some(Element {
            id,
            bytes: at..at + length,
        })
    }
}

/// Takes the whole extension out.
fn remove(packet: &mut [u8], extension: Range<usize>) -> usize {
    clear_extension_bit(packet);
    packet.copy_within(extension.end.., extension.start);
    packet.len() - extension.len()
}

/// Ends the extension at `end`, or at the next multiple of four bytes after it.
fn shorten(packet: &mut [u8], extension: Range<usize>, end: usize) -> usize {
    let data = extension.start + 4;
    let words = (end - data).div_ceil(4);
    let padded = data + 4 * words;
    packet[end..padded].fill(0);
    // No more words than there were.
    packet[data - 2..data].copy_from_slice(&(words as u16).to_be_bytes());
    packet.copy_within(extension.end.., padded);
    packet.len() - (extension.end - padded)
}
