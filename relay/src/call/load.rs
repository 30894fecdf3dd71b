//! How much the relay carries, as far as limits ask.

use super::{Refusal, Settings};

/// A number with two places, such as a load of 1.25, in hundredths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hundredths(pub u32);

impl Hundredths {
    /// Reads a decimal number, not below zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number: f64 = text.parse().ok()?;
        let hundredths = (number * 100.0).round();
        // Neither negative, nor too large, nor no number at all.
        (0.0..=f64::from(u32::MAX))
            .contains(&hundredths)
            .then_some(Self(hundredths as u32))
    }

    /// The number, for showing.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// What was measured last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How busy the machine's processors are, in percent.
    pub cpu: Hundredths,
    /// The machine's load average of the last minute.
    pub load: Hundredths,
    /// Bytes relayed per second.
    pub bandwidth: u64,
}

impl Load {
    /// The limit that keeps the relay from taking one call more, if any does.
    pub(super) fn exceeded(&self, calls: u64, settings: &Settings) -> Option<Refusal> {
        let reached = |limit: Hundredths, now| limit.0 > 0 && now >= limit;
        if settings.max_sessions.is_some_and(|limit| calls >= limit) {
            Some(Refusal::SessionLimit)
        } else if reached(settings.max_cpu, self.cpu) {
            Some(Refusal::CpuLimit)
        } else if reached(settings.max_load, self.load) {
            Some(Refusal::LoadLimit)
        } else if settings.max_bandwidth > 0 && self.bandwidth >= settings.max_bandwidth {
            Some(Refusal::BandwidthLimit)
        } else {
            None
        }
    }
}
