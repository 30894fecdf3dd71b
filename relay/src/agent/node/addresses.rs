//! ADDRESSES, as it lies in memory shared with the program of a shared interface: which block of ports each address has.
//!
//! A hash table that is searched place by place. What stands at a place is replaced, but never cleared: another search may
//! have to go past it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use underpass_abi::share::{Address, PLACES, PROBES, home};

use crate::datapath::mapped::{Access, Mapped};

/// The addresses of one share.
#[derive(Debug)]
pub(super) struct Addresses(Mapped<Address>);

impl Addresses {
    /// Maps them.
    ///
    /// # Errors
    /// There is no room for it.
    pub(super) fn new(map: BorrowedFd<'_>) -> io::Result<Self> {
        Mapped::new(map, PLACES, Access::Write).map(Self)
    }

    /// The block of each address that has one.
    pub(super) fn blocks(&self) -> BTreeMap<[u64; 2], u32> {
        (0..PLACES)
            .filter_map(|place| Some((self.words(place), self.block(place)?)))
            .collect()
    }

    /// Says which block an address has.
    ///
    /// # Errors
    /// OutOfMemory: there is no place for it.
    pub(super) fn give(&self, address: [u64; 2], block: u32) -> io::Result<()> {
        let mut free = None;
        let mut place = None;
        for candidate in places(address) {
            let words = self.words(candidate);
            if words == address {
                place = Some(candidate);
                break;
            }
            if free.is_none() && self.block(candidate).is_none() {
                free = Some(candidate);
            }
            if words == [0; 2] {
                break;
            }
        }
        let place = place.or(free).ok_or(io::ErrorKind::OutOfMemory)?;
        for (word, value) in self.words_at(place).into_iter().zip(address) {
            word.store(value, Ordering::Relaxed);
        }
        // Last: until then it is nobody's.
        self.block_at(place).store(block + 1, Ordering::Release);
        Ok(())
    }

    /// Has an address be nobody's.
    pub(super) fn take(&self, address: [u64; 2]) {
        if let Some(place) = places(address).find(|place| self.words(*place) == address) {
            self.block_at(place).store(0, Ordering::Release);
        }
    }

    fn words(&self, place: u32) -> [u64; 2] {
        self.words_at(place)
            .map(|word| word.load(Ordering::Relaxed))
    }

    fn block(&self, place: u32) -> Option<u32> {
        let block = self.block_at(place).load(Ordering::Relaxed);
        block.checked_sub(1)
    }

    fn words_at(&self, place: u32) -> [&AtomicU64; 2] {
        let words = self.0.at(place).cast::<u64>();
        // SAFETY: aligned words inside the mapping, which are only accessed atomically; they come first in the element.
        [0, 1].map(|word| unsafe { AtomicU64::from_ptr(words.add(word)) })
    }

    fn block_at(&self, place: u32) -> &AtomicU32 {
        // SAFETY: an aligned word inside the mapping, which is only accessed atomically.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.0.at(place)).block) }
    }
}

/// Where an address may be, in the order of the search.
fn places(address: [u64; 2]) -> impl Iterator<Item = u32> {
    (0..PROBES).map(move |probe| (home(address) + probe) % PLACES)
}

const _: () = assert!(std::mem::offset_of!(Address, words) == 0);

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Addresses {
        Addresses(Mapped::in_memory(PLACES))
    }

    /// Addresses whose searches all begin at one place.
    fn neighbours(count: usize) -> Vec<[u64; 2]> {
        let all = (1..).map(|word| [1, word]);
        all.filter(|address| home(*address) == PLACES - 2)
            .take(count)
            .collect()
    }

    /// What the program finds.
    fn look_up(addresses: &Addresses, address: [u64; 2]) -> Option<u32> {
        for place in places(address) {
            match addresses.words(place) {
                found if found == address => return addresses.block(place),
                [0, 0] => return None,
                _ => {}
            }
        }
        None
    }

    #[test]
    fn addresses_that_begin_at_one_place_are_all_found_past_the_end_too() {
        let addresses = empty();
        let neighbours = neighbours(5);
        for (block, address) in (0..).zip(&neighbours) {
            addresses.give(*address, block).unwrap();
        }
        for (block, address) in (0..).zip(&neighbours) {
            assert_eq!(look_up(&addresses, *address), Some(block));
        }
        let blocks = addresses.blocks();
        assert_eq!(blocks, neighbours.into_iter().zip(0..).collect());
    }

    #[test]
    fn an_address_that_is_taken_leaves_those_behind_it_where_they_are() {
        let addresses = empty();
        let neighbours = neighbours(4);
        for (block, address) in (0..).zip(&neighbours[..3]) {
            addresses.give(*address, block).unwrap();
        }
        addresses.take(neighbours[0]);
        assert_eq!(look_up(&addresses, neighbours[0]), None);
        assert_eq!(look_up(&addresses, neighbours[2]), Some(2));
        // One that is there is not put into the place that has become free, too.
        addresses.give(neighbours[2], 7).unwrap();
        addresses.give(neighbours[3], 8).unwrap();
        let left = [(1, 1), (2, 7), (3, 8)].map(|(n, block)| (neighbours[n], block));
        assert_eq!(addresses.blocks(), BTreeMap::from(left));
        for (address, block) in left {
            assert_eq!(look_up(&addresses, address), Some(block));
        }
    }

    #[test]
    fn an_address_without_a_place_is_refused_and_the_others_stay() {
        let addresses = empty();
        let neighbours = neighbours(PROBES as usize + 1);
        let (last, first) = neighbours.split_last().unwrap();
        for (block, address) in (0..).zip(first) {
            addresses.give(*address, block).unwrap();
        }
        let refused = addresses.give(*last, 99).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory);
        assert_eq!(addresses.blocks().len(), first.len());
    }
}
