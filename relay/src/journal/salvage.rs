//! Rows out of a damaged file: every page is looked at by itself, whatever the rest of the file says.
//!
//! Rows are in the leaves of one table tree, whose pages say so themselves (SQLite's file format, sections 1.6 and 2). What is
//! found is only believed if its checksum is right, so no guess here can make a wrong row.

use std::collections::BTreeMap;

use super::PAGE;
use super::row::{Row, unseal};

/// The type byte of a page that holds rows of a table.
const TABLE_LEAF: u8 = 0x0d;
/// Bytes of the file's own header, on its first page.
const FILE_HEADER: usize = 100;
/// Bytes of a leaf's header; the places of its rows follow.
const LEAF_HEADER: usize = 8;

/// Every intact row of a file, by key.
pub(super) fn rows(file: &[u8]) -> Vec<Row> {
    let mut rows = BTreeMap::new();
    for (index, page) in file.chunks(PAGE).enumerate() {
        let header = if index == 0 { FILE_HEADER } else { 0 };
        let Some(found) = leaf_cells(page, header) else {
            continue;
        };
        for row in found.filter_map(|cell| row(file, cell)) {
            rows.insert(row.key, row);
        }
    }
    rows.into_values().collect()
}

/// What follows the place of each row of a leaf, to the end of the page.
fn leaf_cells(page: &[u8], header: usize) -> Option<impl Iterator<Item = &[u8]>> {
    if *page.get(header)? != TABLE_LEAF {
        return None;
    }
    let count = usize::from(u16_at(page, header + 3)?);
    let places = page.get(header + LEAF_HEADER..)?.chunks_exact(2);
    let cell = move |place: &[u8]| page.get(usize::from(u16_at(place, 0)?)..);
    Some(places.take(count).filter_map(cell))
}

/// A row from its cell: lengths and key, then the record, whose end may be on pages of its own.
fn row(file: &[u8], cell: &[u8]) -> Option<Row> {
    let (length, cell) = varint(cell)?;
    let (key, cell) = varint(cell)?;
    let record = record(file, cell, usize::try_from(length).ok()?)?;
    // The header says its own length first; after it comes the only column that is not the key.
    let (header, _) = varint(&record)?;
    let sealed = record.get(usize::try_from(header).ok()?..)?;
    unseal(key, sealed)
}

fn record(file: &[u8], cell: &[u8], length: usize) -> Option<Vec<u8>> {
    let largest_local = PAGE - 35;
    if length <= largest_local {
        return cell.get(..length).map(<[u8]>::to_vec);
    }
    if length > file.len() {
        return None;
    }
    let least_local = (PAGE - 12) * 32 / 255 - 23;
    let wanted = least_local + (length - least_local) % (PAGE - 4);
    let local = if wanted <= largest_local {
        wanted
    } else {
        least_local
    };
    let mut record = cell.get(..local)?.to_vec();
    let mut next = u32_at(cell, local)?;
    // Each page adds to it or ends it, so a ring of pages ends, too.
    while record.len() < length {
        let start = usize::try_from(next.checked_sub(1)?)
            .ok()?
            .checked_mul(PAGE)?;
        let page = file.get(start..start.checked_add(PAGE)?)?;
        let part = (length - record.len()).min(PAGE - 4);
        record.extend_from_slice(&page[4..4 + part]);
        next = u32_at(page, 0)?;
    }
    Some(record)
}

/// SQLite's integers of one to nine bytes: seven bits each, the ninth has eight.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for index in 0..8 {
        let byte = *bytes.get(index)?;
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    let last = *bytes.get(8)?;
    Some((value << 8 | u64::from(last), &bytes[9..]))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let (number, _) = bytes.get(at..)?.split_first_chunk()?;
    Some(u16::from_be_bytes(*number))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let (number, _) = bytes.get(at..)?.split_first_chunk()?;
    Some(u32::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_one_to_nine_bytes() {
        assert_eq!(varint(&[0x7f, 1]), Some((127, &[1][..])));
        assert_eq!(varint(&[0x81, 0x00]), Some((128, &[][..])));
        assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, &[][..])));
        assert_eq!(varint(&[0xff; 8]), None);
    }

    #[test]
    fn garbage_has_no_rows() {
        assert!(rows(&[]).is_empty());
        assert!(rows(&[TABLE_LEAF; 3 * PAGE + 17]).is_empty());
        assert!(rows(&[0xff; 3 * PAGE + 17]).is_empty());
    }
}
