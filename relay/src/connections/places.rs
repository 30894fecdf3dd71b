//! Who has a place, and who gives it up when there is none left.
//!
//! First those who never said anything whole; among equals one of the address that has most places; of those the one that
//! has been quiet for longest.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

/// Names a place for as long as it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PlaceId(u64);

/// Taken places, each with what keeps its guest.
#[derive(Debug)]
pub(super) struct Places<T> {
    most: usize,
    next: u64,
    taken: BTreeMap<PlaceId, Place<T>>,
}

#[derive(Debug)]
struct Place<T> {
    address: IpAddr,
    served: bool,
    /// When it came, or was last served.
    last: Instant,
    /// Dropped with the place.
    _keeps: T,
}

impl<T> Places<T> {
    /// So many places, at least one.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            next: 0,
            taken: BTreeMap::new(),
        }
    }

    /// Takes a place, if need be that of another.
    pub(super) fn enter(&mut self, address: IpAddr, now: Instant, keeps: T) -> PlaceId {
        while self.taken.len() >= self.most {
            let Some(id) = self.missed_least() else {
                break;
            };
            self.taken.remove(&id);
        }
        let id = PlaceId(self.next);
        self.next += 1;
        let place = Place {
            address,
            served: false,
            last: now,
            _keeps: keeps,
        };
        self.taken.insert(id, place);
        id
    }

    /// The guest has been served.
    pub(super) fn served(&mut self, id: PlaceId, now: Instant) {
        if let Some(place) = self.taken.get_mut(&id) {
            place.served = true;
            place.last = now;
        }
    }

    /// The guest is gone.
    pub(super) fn leave(&mut self, id: PlaceId) {
        self.taken.remove(&id);
    }

    fn missed_least(&self) -> Option<PlaceId> {
        let mut by_address: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for place in self.taken.values() {
            *by_address.entry(place.address).or_default() += 1;
        }
        let rank = |place: &Place<T>| {
            let places = by_address.get(&place.address).copied();
            (place.served, Reverse(places), place.last)
        };
        let least = self.taken.iter().min_by_key(|(_, place)| rank(place));
        least.map(|(&id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;

    const CROWD: [u8; 4] = [203, 0, 113, 1];
    const OTHER: [u8; 4] = [192, 0, 2, 1];

    struct World {
        places: Places<Rc<()>>,
        start: Instant,
        kept: Vec<(PlaceId, Rc<()>)>,
    }

    impl World {
        fn new(most: usize) -> Self {
            Self {
                places: Places::new(most),
                start: Instant::now(),
                kept: Vec::new(),
            }
        }

        fn at(&self, second: u64) -> Instant {
            self.start + Duration::from_secs(second)
        }

        fn enter(&mut self, address: [u8; 4], second: u64) -> PlaceId {
            let keeps = Rc::new(());
            let id = self
                .places
                .enter(address.into(), self.at(second), Rc::clone(&keeps));
            self.kept.push((id, keeps));
            id
        }

        fn served(&mut self, id: PlaceId, second: u64) {
            self.places.served(id, self.at(second));
        }

        fn has_place(&self, id: PlaceId) -> bool {
            let (_, keeps) = self.kept.iter().find(|(kept, _)| *kept == id).unwrap();
            Rc::strong_count(keeps) == 2
        }
    }

    #[test]
    fn there_are_never_more_than_there_are_places() {
        let mut world = World::new(3);
        for second in 0..100 {
            world.enter(CROWD, second);
            assert!(world.places.taken.len() <= 3);
        }
    }

    #[test]
    fn a_place_that_is_left_is_free() {
        let mut world = World::new(2);
        let first = world.enter(OTHER, 0);
        let second = world.enter(OTHER, 1);
        world.places.leave(second);
        world.enter(OTHER, 2);
        assert!(world.has_place(first));
    }

    #[test]
    fn the_silent_go_before_those_who_were_served_however_long_ago() {
        let mut world = World::new(2);
        let client = world.enter(OTHER, 0);
        world.served(client, 1);
        let silent = world.enter(OTHER, 500);
        world.enter(CROWD, 501);
        assert!(world.has_place(client));
        assert!(!world.has_place(silent));
    }

    #[test]
    fn a_crowd_from_one_address_makes_room_for_itself() {
        let mut world = World::new(4);
        let client = world.enter(OTHER, 0);
        world.served(client, 0);
        for second in 1..1000 {
            let talking = world.enter(CROWD, second);
            world.served(talking, second);
        }
        assert!(world.has_place(client), "although it was quiet for longest");
    }

    #[test]
    fn of_one_address_the_one_that_was_quiet_for_longest_goes() {
        let mut world = World::new(3);
        let guests: Vec<_> = (0..3).map(|second| world.enter(OTHER, second)).collect();
        for (guest, second) in guests.iter().zip([30, 10, 20]) {
            world.served(*guest, second);
        }
        world.enter(CROWD, 40);
        let kept: Vec<_> = guests.iter().map(|id| world.has_place(*id)).collect();
        assert_eq!(kept, [true, false, true]);
    }
}
