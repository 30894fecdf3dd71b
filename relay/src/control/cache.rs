//! The duplicate cache: a command that is sent again gets the reply of the first time, and is not carried out again.
//!
//! A duplicate is a datagram equal to an earlier one byte for byte, cookie *and* payload: two proxies in containers may
//! well use the same cookies, and neither must get the other's reply. Where the datagram came from does not matter, as
//! clients retry from new ports.
//!
//! Commands are carried out one after the other, so that a duplicate never meets its original half done.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use ng_protocol::Command;

/// How long a generation takes replies, in ms. A reply is kept for one to two generations: 60 to 120 s.
pub const GENERATION_MS: u64 = 60_000;

/// What the cache may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Replies.
    pub entries: usize,
    /// Bytes of replies. One reply may exceed it once.
    pub bytes: usize,
}

impl Default for Limits {
    /// 262,144 replies (about 40 MiB of table) and 128 MiB of reply bytes: at 2 KiB a reply, 500 commands a second for
    /// the whole time a reply is kept.
    fn default() -> Self {
        Self {
            entries: 262_144,
            bytes: 128 << 20,
        }
    }
}

/// Names a datagram: 128 bits of keyed hash, so that nobody who does not know the keys can make two datagrams collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(u64, u64);

/// A reply that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The command that it answered.
    pub command: Command,
    /// The reply datagram.
    pub reply: Bytes,
}

/// Replies by the datagrams that they answered, in two generations. A full generation is retired early: a flood shortens
/// how long replies are kept, newest last, but never grows memory.
#[derive(Debug)]
pub struct DuplicateCache {
    limits: Limits,
    keys: [RandomState; 2],
    current: Generation,
    previous: Generation,
    retired_early: u64,
}

#[derive(Debug, Default)]
struct Generation {
    begun_ms: u64,
    bytes: usize,
    replies: HashMap<Fingerprint, Cached>,
}

impl DuplicateCache {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            keys: [RandomState::new(), RandomState::new()],
            current: Generation::default(),
            previous: Generation::default(),
            retired_early: 0,
        }
    }

    /// The name of a datagram in this cache.
    #[must_use]
    pub fn fingerprint(&self, datagram: &[u8]) -> Fingerprint {
        let [first, second] = &self.keys;
        Fingerprint(first.hash_one(datagram), second.hash_one(datagram))
    }

    /// The reply that the datagram got before, if it is still known at `now_ms`.
    pub fn get(&mut self, datagram: Fingerprint, now_ms: u64) -> Option<&Cached> {
        self.age(now_ms);
        let Self {
            current, previous, ..
        } = self;
        current
            .replies
            .get(&datagram)
            .or_else(|| previous.replies.get(&datagram))
    }

    /// Keeps a reply from `now_ms` on.
    pub fn insert(&mut self, datagram: Fingerprint, cached: Cached, now_ms: u64) {
        self.age(now_ms);
        let full = self.current.replies.len() >= self.limits.entries / 2
            || self.current.bytes + cached.reply.len() > self.limits.bytes / 2;
        if full && !self.current.replies.is_empty() {
            self.retired_early += 1;
            self.retire(now_ms);
        }
        self.current.bytes += cached.reply.len();
        if let Some(replaced) = self.current.replies.insert(datagram, cached) {
            self.current.bytes -= replaced.reply.len();
        }
    }

    /// How many replies are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.current.replies.len() + self.previous.replies.len()
    }

    /// Whether no reply is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of replies kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.current.bytes + self.previous.bytes
    }

    /// How often a generation was full before its time.
    #[must_use]
    pub fn retired_early(&self) -> u64 {
        self.retired_early
    }

    fn age(&mut self, now_ms: u64) {
        let age = now_ms.saturating_sub(self.current.begun_ms);
        if age < GENERATION_MS {
            return;
        }
        // A generation begins when the last one ended, not when somebody first looked.
        self.retire(now_ms - age % GENERATION_MS);
        if age >= 2 * GENERATION_MS {
            self.previous = Generation::default();
        }
    }

    fn retire(&mut self, begun_ms: u64) {
        let fresh = Generation {
            begun_ms,
            ..Generation::default()
        };
        self.previous = std::mem::replace(&mut self.current, fresh);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cached(reply: &'static [u8]) -> Cached {
        Cached {
            command: Command::Offer,
            reply: Bytes::from_static(reply),
        }
    }

    #[test]
    fn a_repeated_datagram_gets_the_same_reply() {
        let mut cache = DuplicateCache::new(Limits::default());
        let datagram = cache.fingerprint(b"1 d7:command5:offere");
        assert_eq!(cache.get(datagram, 0), None);
        cache.insert(datagram, cached(b"1 reply"), 0);
        assert_eq!(cache.get(datagram, 1), Some(&cached(b"1 reply")));
    }

    #[test]
    fn the_same_cookie_with_another_payload_is_another_datagram() {
        let cache = DuplicateCache::new(Limits::default());
        assert_ne!(
            cache.fingerprint(b"1 d7:command5:offere"),
            cache.fingerprint(b"1 d7:command6:answere")
        );
    }

    #[test]
    fn a_reply_is_kept_at_least_60_s_wherever_in_a_generation_it_came() {
        for inserted in (0..GENERATION_MS).step_by(7_919) {
            let mut cache = DuplicateCache::new(Limits::default());
            let datagram = cache.fingerprint(b"x");
            cache.insert(datagram, cached(b"reply"), inserted);
            assert!(cache.get(datagram, inserted + GENERATION_MS).is_some());
        }
    }

    #[test]
    fn a_reply_is_gone_after_120_s() {
        for polls in [1, 2, 3, 60] {
            let mut cache = DuplicateCache::new(Limits::default());
            let datagram = cache.fingerprint(b"x");
            cache.insert(datagram, cached(b"reply"), 0);
            for poll in 1..polls {
                cache.get(cache.fingerprint(b"y"), poll * 2 * GENERATION_MS / polls);
            }
            assert_eq!(cache.get(datagram, 2 * GENERATION_MS), None);
        }
    }

    #[test]
    fn a_flood_stays_within_the_limits_and_keeps_the_newest() {
        let limits = Limits {
            entries: 100,
            bytes: 1_000,
        };
        let mut cache = DuplicateCache::new(limits);
        for number in 0..10_000_u32 {
            let datagram = cache.fingerprint(&number.to_be_bytes());
            cache.insert(datagram, cached(b"a reply of 21 bytes.."), 5);
            assert!(cache.len() <= limits.entries);
            assert!(cache.bytes() <= limits.bytes);
            assert!(cache.get(datagram, 5).is_some());
        }
        assert!(cache.retired_early() > 0);
    }

    #[test]
    fn many_small_replies_are_bounded_by_their_number() {
        let limits = Limits {
            entries: 100,
            bytes: 1_000_000,
        };
        let mut cache = DuplicateCache::new(limits);
        for number in 0..1_000_u32 {
            cache.insert(cache.fingerprint(&number.to_be_bytes()), cached(b""), 0);
            assert!(cache.len() <= limits.entries);
        }
    }
}
