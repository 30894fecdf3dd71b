//! `pierce-NAT`: empty packets to peers that have not sent anything yet, so that a NAT before them lets theirs through.

use std::collections::BTreeMap;

use super::Worker;
use crate::media::batch::send;
use crate::media::clock::Now;
use crate::plan::{CallKey, StreamId};

/// How often.
const EVERY_MS: u64 = 1000;
/// How many after what was signalled last.
const PACKETS: u32 = 60;

/// The streams that empty packets leave from.
#[derive(Default)]
pub(super) struct Piercing {
    turns: BTreeMap<StreamId, Turns>,
    /// No turn comes before this.
    due_ms: u64,
}

struct Turns {
    /// Of the plan that they were begun with.
    signalled: u64,
    left: u32,
    due_ms: u64,
}

impl Piercing {
    /// Begins anew for a stream about which something new was signalled.
    fn begin(&mut self, stream: StreamId, signalled: u64, now: Now) {
        let known = self.turns.get(&stream);
        if known.is_some_and(|turns| turns.signalled == signalled) {
            return;
        }
        let turns = Turns {
            signalled,
            left: PACKETS,
            due_ms: now.ms(),
        };
        self.turns.insert(stream, turns);
        self.due_ms = 0;
    }

    /// The streams whose turn it is.
    fn take_due(&mut self, now: Now) -> Vec<StreamId> {
        if self.turns.is_empty() || now.ms() < self.due_ms {
            return Vec::new();
        }
        let mut due = Vec::new();
        self.due_ms = now.ms() + EVERY_MS;
        for (stream, turns) in &mut self.turns {
            if turns.left > 0 && turns.due_ms <= now.ms() {
                turns.left -= 1;
                turns.due_ms = now.ms() + EVERY_MS;
                due.push(*stream);
            }
            if turns.left > 0 {
                self.due_ms = self.due_ms.min(turns.due_ms);
            }
        }
        due
    }

    /// A stream needs no more of them, or is gone.
    pub(super) fn end(&mut self, stream: StreamId) {
        self.turns.remove(&stream);
    }
}

impl Worker {
    /// Begins with the streams of a call whose plans say so.
    pub(super) fn begin_to_pierce(&mut self, call: CallKey, now: Now) {
        let mut index = 0;
        while let Some(id) = self.table.of_call(call, index) {
            index += 1;
            if let Some(stream) = self.table.get(id)
                && stream.pierces().is_some()
            {
                self.piercing.begin(id, stream.plan.signalled, now);
            }
        }
    }

    /// Sends the packets whose turn it is; streams that no longer need any are left out from now on.
    pub(super) fn pierce(&mut self, now: Now) {
        for id in self.piercing.take_due(now) {
            let Some((stream, to)) = self
                .table
                .get(id)
                .and_then(|stream| Some((stream, stream.pierces()?)))
            else {
                self.piercing.end(id);
                continue;
            };
            // The next one may come through.
            let _ = send(&stream.socket, to, &[]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Now {
        Now(ms * 1_000_000)
    }

    const ONE: StreamId = StreamId(1);
    const OTHER: StreamId = StreamId(2);

    #[test]
    fn a_packet_a_second_and_no_more_than_sixty() {
        let mut piercing = Piercing::default();
        piercing.begin(ONE, 1, at(5000));
        let turns = |piercing: &mut Piercing, from_ms: u64, until_ms: u64| {
            let times = (from_ms..until_ms).step_by(100);
            times
                .filter(|ms| piercing.take_due(at(*ms)) == [ONE])
                .collect::<Vec<_>>()
        };
        assert_eq!(turns(&mut piercing, 5000, 7050), [5000, 6000, 7000]);
        assert_eq!(turns(&mut piercing, 8000, 200_000).len(), 57);
    }

    #[test]
    fn what_is_signalled_again_begins_it_anew() {
        let mut piercing = Piercing::default();
        piercing.begin(ONE, 1, at(0));
        assert_eq!(piercing.take_due(at(0)), [ONE]);
        piercing.begin(ONE, 1, at(100));
        assert_eq!(piercing.take_due(at(100)), []);
        piercing.begin(ONE, 2, at(200));
        assert_eq!(piercing.take_due(at(200)), [ONE]);
    }

    #[test]
    fn every_stream_has_its_own_turns() {
        let mut piercing = Piercing::default();
        piercing.begin(ONE, 1, at(0));
        assert_eq!(piercing.take_due(at(0)), [ONE]);
        piercing.begin(OTHER, 1, at(300));
        assert_eq!(piercing.take_due(at(300)), [OTHER]);
        assert_eq!(piercing.take_due(at(1000)), [ONE]);
        piercing.end(ONE);
        assert_eq!(piercing.take_due(at(2000)), [OTHER]);
    }
}
