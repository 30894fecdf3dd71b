//! What an interval (`graphite-interval`) brought, added up second by second.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ng_protocol::Command;

use crate::control::counters::CommandTable;
use crate::ops::metrics::{CommandPace, IntervalCounters, Spread};

/// The interval that goes on.
#[derive(Debug)]
pub(super) struct Interval {
    /// How long each is, s; 0: there are none.
    length: u64,
    /// Seconds of it that are over.
    elapsed: u64,
    sessions: Option<(u64, u64)>,
    call_seconds: u64,
    commands: [Pace; Command::COUNT],
}

/// One command in it.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    /// Requests since the start, and the time they took, ns, when the interval began.
    begin: (u64, u64),
    /// Requests since the start, a second ago.
    last: u64,
    /// Fewest and most in a second.
    rates: Option<(u64, u64)>,
}

impl Interval {
    pub(super) fn new(length: Duration) -> Self {
        Self {
            length: length.as_secs(),
            elapsed: 0,
            sessions: None,
            call_seconds: 0,
            commands: [Pace::default(); Command::COUNT],
        }
    }

    /// A second is over, with so many calls. What the interval brought, if that was its last.
    pub(super) fn second(
        &mut self,
        sessions: u64,
        commands: &CommandTable,
    ) -> Option<IntervalCounters> {
        if self.length == 0 {
            return None;
        }
        self.elapsed += 1;
        self.call_seconds += sessions;
        let (fewest, most) = extended(&mut self.sessions, sessions);
        for (pace, (_, counters)) in self.commands.iter_mut().zip(commands.iter()) {
            let requests = counters.requests.load(Relaxed);
            extended(&mut pace.rates, requests.saturating_sub(pace.last));
            pace.last = requests;
        }
        if self.elapsed < self.length {
            return None;
        }
        let finished = IntervalCounters {
            call_duration: Duration::from_secs(self.call_seconds),
            fewest_sessions: fewest,
            most_sessions: most,
            commands: self.finish(commands),
        };
        (self.elapsed, self.call_seconds, self.sessions) = (0, 0, None);
        Some(finished)
    }

    fn finish(&mut self, commands: &CommandTable) -> Vec<CommandPace> {
        let mut finished = Vec::new();
        for (pace, (command, counters)) in self.commands.iter_mut().zip(commands.iter()) {
            let took = counters.nanoseconds.load(Relaxed);
            let requests = pace.last.saturating_sub(pace.begin.0);
            let all = Duration::from_nanos(took.saturating_sub(pace.begin.1));
            let (least, most) = pace.rates.take().unwrap_or_default();
            pace.begin = (pace.last, took);
            let Some((shortest, longest)) = counters.take_extremes() else {
                continue;
            };
            finished.push(CommandPace {
                command: command.name(),
                delay: Spread {
                    min: shortest,
                    max: longest,
                    avg: all.div_f64(requests.max(1) as f64),
                },
                rate: Spread {
                    min: least,
                    max: most,
                    avg: requests / self.length,
                },
            });
        }
        finished
    }
}

/// Least and most, with one more value.
fn extended(extremes: &mut Option<(u64, u64)>, value: u64) -> (u64, u64) {
    let (least, most) = extremes.unwrap_or((value, value));
    *extremes.insert((least.min(value), most.max(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(commands: &CommandTable, command: Command, ms: u64) {
        let took = Duration::from_millis(ms);
        commands.get(command).carried_out(false, took);
    }

    #[test]
    fn an_interval_is_what_its_seconds_brought() {
        let mut interval = Interval::new(Duration::from_secs(3));
        let commands = CommandTable::default();
        for (sessions, offers) in [(5, 2), (9, 0)] {
            (0..offers).for_each(|_| ask(&commands, Command::Offer, 4));
            assert_eq!(interval.second(sessions, &commands), None);
        }
        (0..6).for_each(|_| ask(&commands, Command::Offer, 1));
        (0..2).for_each(|_| ask(&commands, Command::Offer, 9));
        let finished = interval.second(7, &commands).unwrap();
        assert_eq!(finished.call_duration, Duration::from_secs(21));
        assert_eq!((finished.fewest_sessions, finished.most_sessions), (5, 9));
        let offers = finished.pace("offer");
        let ms = Duration::from_millis;
        let delay = Spread {
            min: ms(1),
            max: ms(9),
            avg: Duration::from_micros(3200),
        };
        assert_eq!(offers.delay, delay);
        let rate = Spread {
            min: 0,
            max: 8,
            avg: 3,
        };
        assert_eq!(offers.rate, rate);
        assert_eq!(finished.pace("ping"), CommandPace::default());
    }

    #[test]
    fn the_next_interval_begins_anew() {
        let mut interval = Interval::new(Duration::from_secs(1));
        let commands = CommandTable::default();
        ask(&commands, Command::Delete, 5);
        assert!(interval.second(3, &commands).is_some());
        ask(&commands, Command::Delete, 1);
        let finished = interval.second(1, &commands).unwrap();
        assert_eq!((finished.fewest_sessions, finished.most_sessions), (1, 1));
        assert_eq!(finished.pace("delete").delay.max, Duration::from_millis(1));
        assert_eq!(finished.pace("delete").rate.max, 1);
        assert_eq!(
            interval.second(0, &commands),
            Some(IntervalCounters::default())
        );
    }

    #[test]
    fn without_a_length_there_is_none() {
        let mut interval = Interval::new(Duration::ZERO);
        assert_eq!(interval.second(3, &CommandTable::default()), None);
    }
}
