//! Which statistics slots are free.

/// Hands out slots `0..count`, lowest never-used first once the returned ones are used up.
#[derive(Debug)]
pub(crate) struct Slots {
    free: Vec<u32>,
    next: u32,
    count: u32,
}

impl Slots {
    /// `count` slots, all free.
    pub(crate) fn new(count: u32) -> Self {
        Self {
            free: Vec::new(),
            next: 0,
            count,
        }
    }

    /// Takes a slot; `None` if none is left.
    pub(crate) fn take(&mut self) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        if self.next == self.count {
            return None;
        }
        self.next += 1;
        Some(self.next - 1)
    }

    /// Gives a slot back.
    pub(crate) fn give_back(&mut self, slot: u32) {
        self.free.push(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_never_handed_out_twice() {
        let mut slots = Slots::new(3);
        let taken: Vec<_> = std::iter::from_fn(|| slots.take()).collect();
        assert_eq!(taken, [0, 1, 2]);
        slots.give_back(1);
        assert_eq!(slots.take(), Some(1));
        assert_eq!(slots.take(), None);
    }
}
