//! The last finished interval (`graphite-interval`): rtpengine's `intervalstatistics`.

use std::time::Duration;

/// What happened in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntervalCounters {
    /// Time that all calls went on in it, together.
    pub call_duration: Duration,
    /// Fewest calls at a time.
    pub fewest_sessions: u64,
    /// Most calls at a time.
    pub most_sessions: u64,
    /// Commands that came in it.
    pub commands: Vec<CommandPace>,
}

/// Least, most, and on average.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread<T> {
    /// Least.
    pub min: T,
    /// Most.
    pub max: T,
    /// On average.
    pub avg: T,
}

/// How fast one command came and was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandPace {
    /// The command, as on the wire.
    pub command: &'static str,
    /// How long it took.
    pub delay: Spread<Duration>,
    /// How many came per second.
    pub rate: Spread<u64>,
}

impl IntervalCounters {
    /// Of one command; all zero if it did not come.
    #[must_use]
    pub fn pace(&self, command: &str) -> CommandPace {
        let mut commands = self.commands.iter();
        let found = commands.find(|pace| pace.command == command);
        found.copied().unwrap_or_default()
    }
}
