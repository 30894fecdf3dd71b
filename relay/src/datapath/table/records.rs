//! Which records are free, and which have to rest first.
//!
//! A program that has read a record's name from its port goes on with that record until it returns, whatever happens to
//! the port meanwhile. It takes microseconds; a whole interval between two ticks, a second, is an eternity to it. After
//! that nobody can know the name, and the record may be written again.

use std::collections::VecDeque;

/// Ticks after which a record has rested: the first may come at once, from then on one whole interval passes.
const REST: u64 = 2;

/// The records `0..count` of a table.
#[derive(Debug)]
pub(super) struct Records {
    free: Vec<u32>,
    /// Those from here on have never been taken.
    next: u32,
    count: u32,
    /// In the order they were put to rest.
    resting: VecDeque<(u64, u32)>,
    /// Since when each rests that does.
    since: Vec<Option<u64>>,
    ticks: u64,
}

impl Records {
    /// `count` records, all free.
    pub(super) fn new(count: u32) -> Self {
        Self {
            free: Vec::new(),
            next: 0,
            count,
            resting: VecDeque::new(),
            since: Vec::new(),
            ticks: 0,
        }
    }

    /// Takes a free record; `None` if none is left.
    pub(super) fn take(&mut self) -> Option<u32> {
        if let Some(record) = self.free.pop() {
            return Some(record);
        }
        if self.next == self.count {
            return None;
        }
        self.next += 1;
        self.since.push(None);
        Some(self.next - 1)
    }

    /// True: none is free.
    pub(super) fn none_free(&self) -> bool {
        self.free.is_empty() && self.next == self.count
    }

    /// Begins a record's rest, or begins it anew. No port names it any more, or nothing is to be counted in it.
    pub(super) fn rest(&mut self, record: u32) {
        let since = &mut self.since[record as usize];
        if *since != Some(self.ticks) {
            *since = Some(self.ticks);
            self.resting.push_back((self.ticks, record));
        }
    }

    /// Gives a record back that is in nobody's hands.
    pub(super) fn give_back(&mut self, record: u32) {
        self.free.push(record);
    }

    /// Time passes: one tick a second.
    pub(super) fn tick(&mut self) {
        self.ticks += 1;
    }

    /// A record that has rested, and rests no longer; each once.
    pub(super) fn next_rested(&mut self) -> Option<u32> {
        loop {
            let (since, record) = *self.resting.front()?;
            if since + REST > self.ticks {
                return None;
            }
            self.resting.pop_front();
            let current = &mut self.since[record as usize];
            if *current == Some(since) {
                *current = None;
                return Some(record);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rested(records: &mut Records) -> Vec<u32> {
        std::iter::from_fn(|| records.next_rested()).collect()
    }

    #[test]
    fn a_record_is_never_handed_out_twice() {
        let mut records = Records::new(3);
        let taken: Vec<_> = std::iter::from_fn(|| records.take()).collect();
        assert_eq!(taken, [0, 1, 2]);
        assert!(records.none_free());
        records.give_back(1);
        assert_eq!(records.take(), Some(1));
        assert_eq!(records.take(), None);
    }

    #[test]
    fn a_rest_lasts_two_ticks() {
        let mut records = Records::new(3);
        let record = records.take().unwrap();
        records.tick();
        records.rest(record);
        assert!(rested(&mut records).is_empty());
        records.tick();
        assert!(rested(&mut records).is_empty());
        records.tick();
        assert_eq!(rested(&mut records), [record]);
        assert!(rested(&mut records).is_empty());
    }

    #[test]
    fn a_rest_begun_anew_ends_once_and_later() {
        let mut records = Records::new(3);
        let record = records.take().unwrap();
        records.rest(record);
        records.rest(record);
        records.tick();
        records.rest(record);
        records.tick();
        assert!(rested(&mut records).is_empty());
        records.tick();
        assert_eq!(rested(&mut records), [record]);
    }
}
