//! What became of every packet of every stream, told so that a loss can be laid beside what was done at the time.

use std::fmt;

use super::party::{Log, Party};
use crate::endpoint::now_ns;

/// Streams told one by one where some have lost packets.
const TOLD: usize = 12;

/// The account of a load, since [`super::Load::measure`].
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Streams in all.
    pub streams: usize,
    /// Packets sent.
    pub sent: usize,
    /// Packets that arrived again.
    pub duplicates: usize,
    /// Runs of packets that did not arrive.
    pub gaps: Vec<Gap>,
    /// What arrived and should not have: damaged, from elsewhere, of another call.
    pub odd: Vec<String>,
    /// Frames that this machine's kernel dropped meanwhile for want of processor time, whoever sent them.
    pub backlog_drops: u64,
    first: Vec<usize>,
    from_ns: u64,
    events: Vec<(u64, String)>,
}

/// Packets of one stream, one after another, that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The call, by its place among [`super::Load::ids`].
    pub call: usize,
    /// Who sent them: `caller`, `callee`.
    pub sender: &'static str,
    /// How many.
    pub packets: usize,
    /// When the first was sent, ns of CLOCK_MONOTONIC.
    pub from_ns: u64,
    /// When the last was sent.
    pub to_ns: u64,
}

impl Account {
    pub(super) fn from(from_ns: u64, first: Vec<usize>) -> Self {
        Self {
            first,
            from_ns,
            ..Self::default()
        }
    }

    pub(super) fn note(&mut self, what: &str) {
        self.events.push((now_ns(), what.to_owned()));
    }

    pub(super) fn close(&mut self, parties: &[Party]) {
        self.first.resize(parties.len(), 0);
        self.streams = parties.len();
        (self.sent, self.duplicates) = (0, 0);
        self.gaps.clear();
        self.odd.clear();
        let logs: Vec<_> = parties.iter().map(Party::log).collect();
        for (at, (sender, log)) in parties.iter().zip(&logs).enumerate() {
            let who = ["caller", "callee"][at % 2];
            let first = self.first[at];
            self.add((at / 2, who), sender.mark(), (log, &logs[at ^ 1]), first);
        }
    }

    fn add(
        &mut self,
        (call, who): (usize, &'static str),
        mark: u64,
        (sender, receiver): (&Log, &Log),
        first: usize,
    ) {
        let stream = format!("call {call} from the {who}");
        let mut arrived = vec![false; sender.sent_ns.len()];
        for packet in &receiver.received {
            let number = packet.number as usize;
            let place = arrived.get_mut(number).filter(|_| packet.mark == mark);
            match place {
                Some(place) => self.duplicates += usize::from(std::mem::replace(place, true)),
                None => self
                    .odd
                    .push(format!("at the receiver of {stream}: {packet:?}")),
            }
        }
        let odd = receiver.odd.iter();
        self.odd
            .extend(odd.map(|odd| format!("at the receiver of {stream}: {odd}")));
        self.sent += arrived.len() - first;
        let mut number = first;
        for run in arrived[first..].chunk_by(|a, b| a == b) {
            if !run[0] {
                self.gaps.push(Gap {
                    call,
                    sender: who,
                    packets: run.len(),
                    from_ns: sender.sent_ns[number],
                    to_ns: sender.sent_ns[number + run.len() - 1],
                });
            }
            number += run.len();
        }
    }

    /// Packets lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.gaps.iter().map(|gap| gap.packets).sum()
    }

    /// Asserts that every packet sent has arrived once, as it was, and nothing else.
    #[track_caller]
    pub fn assert_complete(&self) {
        let complete = self.sent > 0 && self.gaps.is_empty() && self.odd.is_empty();
        assert!(complete && self.duplicates == 0, "{self}");
    }

    fn seconds(&self, at_ns: u64) -> f64 {
        (at_ns as f64 - self.from_ns as f64) / 1e9
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lost, sent, streams) = (self.lost(), self.sent, self.streams);
        writeln!(f, "{lost} of {sent} packets lost on {streams} streams")?;
        for (at, what) in &self.events {
            writeln!(f, "  {:9.3} s  {what}", self.seconds(*at))?;
        }
        let mut gaps: Vec<_> = self.gaps.iter().collect();
        gaps.sort_by_key(|gap| std::cmp::Reverse(gap.packets));
        for gap in gaps.iter().take(TOLD) {
            let (from, to) = (self.seconds(gap.from_ns), self.seconds(gap.to_ns));
            let (packets, call, sender) = (gap.packets, gap.call, gap.sender);
            writeln!(
                f,
                "  {from:9.3} s to {to:.3} s: {packets} lost, call {call} from the {sender}"
            )?;
        }
        if gaps.len() > TOLD {
            writeln!(f, "  and {} more gaps", gaps.len() - TOLD)?;
        }
        for odd in self.odd.iter().take(TOLD) {
            writeln!(f, "  {odd}")?;
        }
        let (odd, again) = (self.odd.len(), self.duplicates);
        writeln!(f, "  odd: {odd}, arrived again: {again}")?;
        writeln!(
            f,
            "  frames dropped by a busy kernel: {}",
            self.backlog_drops
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::party::Received;
    use super::*;

    fn account(sent: usize, received: &[u32], first: usize) -> Account {
        let sender = Log {
            sent_ns: (0..sent as u64).map(|n| n * 1_000_000_000).collect(),
            ..Log::default()
        };
        let received = received.iter().map(|number| Received {
            mark: 7,
            number: *number,
            at_ns: 0,
        });
        let receiver = Log {
            received: received.collect(),
            ..Log::default()
        };
        let mut account = Account::default();
        account.add((0, "caller"), 7, (&sender, &receiver), first);
        account
    }

    #[test]
    fn what_arrived_is_complete() {
        account(3, &[0, 2, 1], 0).assert_complete();
    }

    #[test]
    fn a_gap_has_its_length_and_time() {
        let account = account(6, &[0, 1, 4], 0);
        let gaps: Vec<_> = account
            .gaps
            .iter()
            .map(|gap| (gap.packets, gap.from_ns / 1_000_000_000))
            .collect();
        assert_eq!((account.lost(), gaps), (3, vec![(2, 2), (1, 5)]));
    }

    #[test]
    fn what_was_sent_before_the_measurement_does_not_count() {
        assert_eq!(account(3, &[2], 2).lost(), 0);
    }

    #[test]
    fn a_packet_of_another_stream_is_odd() {
        let receiver = Log {
            received: vec![Received {
                mark: 8,
                number: 0,
                at_ns: 0,
            }],
            ..Log::default()
        };
        let mut account = Account::default();
        account.add((0, "caller"), 7, (&Log::default(), &receiver), 0);
        assert_eq!(account.odd.len(), 1);
    }
}
