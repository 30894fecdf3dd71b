//! Which ports to bind next, and which have rested: the bookkeeping of the port pool behind one address.
//!
//! A port goes round: free, bound and resting, ready, taken, free again at the tail. While it rests it is watched, and
//! anything that arrives bars it for a while: somebody still sends to the call that had it, perhaps before a restart that
//! forgot it. Sockets are values of any type here, and the clock is passed in.

use std::collections::VecDeque;

/// How much is bound, and for how long it rests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Pairs to keep ready when nobody takes any.
    pub(super) ready: usize,
    /// Pairs bound at most, resting and ready together.
    pub(super) bound: usize,
    /// How long a bound pair must be silent, ms.
    pub(super) rest_ms: u64,
    /// The same while somebody waits for it, ms.
    pub(super) hurried_ms: u64,
}

/// What is not ready yet: free, barred and resting pairs, by their even port.
#[derive(Debug)]
pub(super) struct Nursery<S> {
    limits: Limits,
    free: VecDeque<u16>,
    barred: VecDeque<(u64, u16)>,
    resting: VecDeque<Resting<S>>,
    demand: Demand,
}

#[derive(Debug)]
struct Resting<S> {
    port: u16,
    since_ms: u64,
    socket: S,
}

/// Pairs taken per rest period: the latest period, and a peak that fades.
#[derive(Debug, Default)]
struct Demand {
    since_ms: u64,
    taken: usize,
    peak: usize,
}

impl<S> Nursery<S> {
    /// A nursery of `ports` (even ones), to be bound in this order.
    pub(super) fn new(ports: impl IntoIterator<Item = u16>, limits: Limits) -> Self {
        Self {
            limits,
            free: ports.into_iter().collect(),
            barred: VecDeque::new(),
            resting: VecDeque::new(),
            demand: Demand::default(),
        }
    }

    /// Takes note of how many pairs were taken since the last call.
    pub(super) fn note_taken(&mut self, count: usize, now_ms: u64) {
        let demand = &mut self.demand;
        demand.taken += count;
        if now_ms.saturating_sub(demand.since_ms) >= self.limits.rest_ms {
            demand.peak = demand.taken.max(demand.peak / 2);
            demand.taken = 0;
            demand.since_ms = now_ms;
        }
    }

    /// The next port to bind, while fewer are bound than wanted; `ready` are ready. The caller answers with
    /// [`admit`](Self::admit) or [`bar`](Self::bar).
    pub(super) fn next_to_bind(&mut self, ready: usize, now_ms: u64) -> Option<u16> {
        while let Some(&(until_ms, port)) = self.barred.front()
            && until_ms <= now_ms
        {
            self.barred.pop_front();
            self.free.push_back(port);
        }
        if ready + self.resting.len() >= self.wanted() {
            return None;
        }
        self.free.pop_front()
    }

    /// A pair was bound: its rest begins.
    pub(super) fn admit(&mut self, port: u16, socket: S, now_ms: u64) {
        self.resting.push_back(Resting {
            port,
            since_ms: now_ms,
            socket,
        });
    }

    /// Somebody else has the port, or still sends to it: it is left alone for a while.
    pub(super) fn bar(&mut self, port: u16, now_ms: u64) {
        let until_ms = now_ms + self.limits.rest_ms;
        self.barred.push_back((until_ms, port));
    }

    /// A taken port is free again.
    pub(super) fn give_back(&mut self, port: u16) {
        self.free.push_back(port);
    }

    /// Looks at those whose rest is over: bars the noisy, returns the quiet ones. What arrived earlier is still queued in
    /// their sockets, so none has to be looked at before.
    pub(super) fn sift(
        &mut self,
        now_ms: u64,
        hurried: bool,
        mut is_quiet: impl FnMut(&S) -> bool,
    ) -> Vec<(u16, S)> {
        let rest_ms = if hurried {
            self.limits.hurried_ms.min(self.limits.rest_ms)
        } else {
            self.limits.rest_ms
        };
        let mut rested = Vec::new();
        let is_over = |entry: &mut Resting<S>| now_ms >= entry.since_ms + rest_ms;
        while let Some(entry) = self.resting.pop_front_if(is_over) {
            if is_quiet(&entry.socket) {
                rested.push((entry.port, entry.socket));
            } else {
                self.bar(entry.port, now_ms);
            }
        }
        rested
    }

    /// There is something to bind or to watch soon.
    pub(super) fn is_busy(&self, ready: usize) -> bool {
        !self.resting.is_empty() || (ready < self.wanted() && !self.free.is_empty())
    }

    /// Waiting may bring a port.
    pub(super) fn has_prospects(&self) -> bool {
        !self.resting.is_empty() || !self.free.is_empty()
    }

    /// Pairs that should be bound: as many again as could be taken while they rest.
    fn wanted(&self) -> usize {
        let demand = self.demand.peak.max(self.demand.taken);
        (self.limits.ready + 2 * demand).min(self.limits.bound)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        ready: 4,
        bound: 12,
        rest_ms: 500,
        hurried_ms: 100,
    };

    fn nursery(pairs: u16) -> Nursery<u16> {
        Nursery::new((0..pairs).map(|n| 2 * n), LIMITS)
    }

    fn fill(nursery: &mut Nursery<u16>, ready: usize, now_ms: u64) -> usize {
        let mut bound = 0;
        while let Some(port) = nursery.next_to_bind(ready, now_ms) {
            nursery.admit(port, port, now_ms);
            bound += 1;
        }
        bound
    }

    #[test]
    fn nothing_is_ready_before_it_has_rested() {
        let mut nursery = nursery(100);
        assert_eq!(fill(&mut nursery, 0, 1000), 4);
        assert_eq!(nursery.sift(1499, false, |_| true).len(), 0);
        assert_eq!(nursery.sift(1500, false, |_| true).len(), 4);
    }

    #[test]
    fn the_rest_is_shorter_while_somebody_waits() {
        let mut nursery = nursery(100);
        fill(&mut nursery, 0, 1000);
        assert_eq!(nursery.sift(1099, true, |_| true).len(), 0);
        assert_eq!(nursery.sift(1100, true, |_| true).len(), 4);
    }

    #[test]
    fn a_packet_while_resting_sends_the_port_to_the_tail() {
        let mut nursery = nursery(5);
        fill(&mut nursery, 0, 0);
        let rested = nursery.sift(500, false, |port| *port != 0);
        assert_eq!(rested, [(2, 2), (4, 4), (6, 6)]);
        assert_eq!(nursery.next_to_bind(0, 500), Some(8), "the next in line");
        assert_eq!(nursery.next_to_bind(0, 999), None, "port 0 is barred");
        assert_eq!(nursery.next_to_bind(0, 1000), Some(0));
    }

    #[test]
    fn a_released_port_is_the_last_to_be_bound_again() {
        let mut nursery = nursery(3);
        let first = nursery.next_to_bind(0, 0).unwrap();
        nursery.give_back(first);
        let order: Vec<u16> = std::iter::from_fn(|| nursery.next_to_bind(0, 0)).collect();
        assert_eq!(order, [2, 4, 0]);
    }

    #[test]
    fn more_is_bound_while_more_is_taken_but_never_above_the_limit() {
        let mut nursery = nursery(100);
        nursery.note_taken(3, 0);
        assert_eq!(fill(&mut nursery, 0, 0), 10);
        nursery.note_taken(300, 10);
        assert_eq!(fill(&mut nursery, 0, 10), 2);
    }

    #[test]
    fn the_demand_fades() {
        let mut nursery = nursery(100);
        nursery.note_taken(4, 500);
        for period in 2..10 {
            nursery.note_taken(0, 500 * period);
        }
        assert_eq!(fill(&mut nursery, 0, 5000), 4);
    }

    #[derive(Clone, Debug)]
    enum Event {
        Wait(u64),
        Fill,
        Foreign,
        Packet(u16),
        Sift { hurried: bool },
        Take,
        Release,
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            (1..400_u64).prop_map(Event::Wait),
            Just(Event::Fill),
            Just(Event::Foreign),
            (0..20_u16).prop_map(|n| Event::Packet(2 * n)),
            any::<bool>().prop_map(|hurried| Event::Sift { hurried }),
            Just(Event::Take),
            Just(Event::Release),
        ];
        prop::collection::vec(event, 0..200)
    }

    proptest! {
        #[test]
        fn no_port_is_doubled_lost_or_handed_out_unrested(events in events()) {
            let mut nursery = nursery(20);
            let mut now_ms = 0;
            let mut bound_at = BTreeMap::new();
            let mut noisy = BTreeSet::new();
            let mut ready = VecDeque::new();
            let mut taken = VecDeque::new();
            for event in events {
                match event {
                    Event::Wait(ms) => now_ms += ms,
                    Event::Fill => {
                        while let Some(port) = nursery.next_to_bind(ready.len(), now_ms) {
                            bound_at.insert(port, now_ms);
                            noisy.remove(&port);
                            nursery.admit(port, port, now_ms);
                        }
                        prop_assert!(nursery.resting.len() + ready.len() <= LIMITS.bound);
                    }
                    Event::Foreign => {
                        if let Some(port) = nursery.next_to_bind(ready.len(), now_ms) {
                            nursery.bar(port, now_ms);
                        }
                    }
                    Event::Packet(port) => {
                        noisy.insert(port);
                    }
                    Event::Sift { hurried } => {
                        let rest = if hurried { LIMITS.hurried_ms } else { LIMITS.rest_ms };
                        for (port, socket) in nursery.sift(now_ms, hurried, |s| !noisy.contains(s)) {
                            prop_assert_eq!(port, socket);
                            prop_assert!(now_ms - bound_at[&port] >= rest);
                            prop_assert!(!noisy.contains(&port));
                            ready.push_back(port);
                        }
                    }
                    Event::Take => {
                        if let Some(port) = ready.pop_front() {
                            nursery.note_taken(1, now_ms);
                            taken.push_back(port);
                        }
                    }
                    Event::Release => {
                        if let Some(port) = taken.pop_front() {
                            nursery.give_back(port);
                        }
                    }
                }
                let mut everywhere: Vec<u16> = nursery
                    .free
                    .iter()
                    .copied()
                    .chain(nursery.barred.iter().map(|(_, port)| *port))
                    .chain(nursery.resting.iter().map(|entry| entry.port))
                    .chain(ready.iter().copied())
                    .chain(taken.iter().copied())
                    .collect();
                everywhere.sort_unstable();
                prop_assert_eq!(everywhere, (0..20).map(|n| 2 * n).collect::<Vec<u16>>());
            }
        }
    }
}
