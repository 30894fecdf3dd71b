//! What the ng server counts, for `statistics` and metrics: plain atomics, read at any time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ng_protocol::Command;

/// How many proxies are counted apart; whoever comes later is counted in the totals only.
pub const MAX_PROXIES: usize = 256;

/// Counters of the ng server.
#[derive(Debug, Default)]
pub struct Counters {
    /// Every proxy together.
    pub total: CommandTable,
    /// Datagrams that are not ng: no cookie. They get no reply.
    pub without_cookie: AtomicU64,
    /// Payloads that are not a request; answered with an error.
    pub malformed: AtomicU64,
    /// Commands whose handler panicked.
    pub panics: AtomicU64,
    /// Replies that the kernel refused to send.
    pub unsent: AtomicU64,
    proxies: Mutex<BTreeMap<IpAddr, Arc<CommandTable>>>,
}

impl Counters {
    /// The counters of the proxy at this address, begun if there is room.
    #[must_use]
    pub fn proxy(&self, address: IpAddr) -> Option<Arc<CommandTable>> {
        let mut proxies = self.proxies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = proxies.get(&address) {
            return Some(Arc::clone(table));
        }
        if proxies.len() == MAX_PROXIES {
            return None;
        }
        let table = Arc::<CommandTable>::default();
        proxies.insert(address, Arc::clone(&table));
        Some(table)
    }

    /// Every proxy counted apart, in order of its address.
    #[must_use]
    pub fn proxies(&self) -> Vec<(IpAddr, Arc<CommandTable>)> {
        let proxies = self.proxies.lock().unwrap_or_else(PoisonError::into_inner);
        proxies
            .iter()
            .map(|(address, table)| (*address, Arc::clone(table)))
            .collect()
    }
}

/// Counters for every command.
#[derive(Debug)]
pub struct CommandTable([CommandCounters; Command::COUNT]);

impl Default for CommandTable {
    fn default() -> Self {
        Self(std::array::from_fn(|_| CommandCounters::default()))
    }
}

impl CommandTable {
    /// The counters of one command.
    #[must_use]
    pub fn get(&self, command: Command) -> &CommandCounters {
        &self.0[command.index()]
    }

    /// Every command with its counters.
    pub fn iter(&self) -> impl Iterator<Item = (Command, &CommandCounters)> {
        Command::all().zip(&self.0)
    }
}

/// Counters of one command.
#[derive(Debug, Default)]
pub struct CommandCounters {
    /// Requests carried out; duplicates are not among them.
    pub requests: AtomicU64,
    /// Those among them that were answered with `result: error`.
    pub errors: AtomicU64,
    /// Requests answered from the duplicate cache.
    pub duplicates: AtomicU64,
    /// Time spent on requests, in ns.
    pub nanoseconds: AtomicU64,
    /// Of those since [`Self::take_extremes`], which took least, ns, plus one; 0 none.
    shortest: AtomicU64,
    /// Which took most, ns.
    longest: AtomicU64,
}

impl CommandCounters {
    /// The shortest and the longest time that a request took since this was last asked; `None` if there was none.
    pub fn take_extremes(&self) -> Option<(Duration, Duration)> {
        let shortest = self.shortest.swap(0, Relaxed).checked_sub(1)?;
        let longest = self.longest.swap(0, Relaxed);
        Some((
            Duration::from_nanos(shortest),
            Duration::from_nanos(longest),
        ))
    }

    /// Counts a request that was carried out.
    pub fn carried_out(&self, error: bool, took: Duration) {
        self.requests.fetch_add(1, Relaxed);
        self.errors.fetch_add(error.into(), Relaxed);
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Relaxed);
        let shortest = self.shortest.load(Relaxed);
        if shortest == 0 || nanoseconds < shortest {
            self.shortest.store(nanoseconds.saturating_add(1), Relaxed);
        }
        self.longest.fetch_max(nanoseconds, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn extremes_are_those_since_they_were_last_asked() {
        let counters = CommandCounters::default();
        assert_eq!(counters.take_extremes(), None);
        for took in [5, 3, 0, 8] {
            counters.carried_out(false, Duration::from_nanos(took));
        }
        let extremes = (Duration::ZERO, Duration::from_nanos(8));
        assert_eq!(counters.take_extremes(), Some(extremes));
        counters.carried_out(false, Duration::from_nanos(4));
        let extremes = (Duration::from_nanos(4), Duration::from_nanos(4));
        assert_eq!(counters.take_extremes(), Some(extremes));
        assert_eq!(counters.take_extremes(), None);
    }

    #[test]
    fn proxies_beyond_the_bound_are_not_counted_apart() {
        let counters = Counters::default();
        for number in 0..1_000_u32 {
            let table = counters.proxy(Ipv4Addr::from_bits(number).into());
            assert_eq!(table.is_some(), (number as usize) < MAX_PROXIES);
        }
        assert_eq!(counters.proxies().len(), MAX_PROXIES);
        assert!(counters.proxy(Ipv4Addr::from_bits(0).into()).is_some());
    }
}
