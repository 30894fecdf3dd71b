//! Who wrote the journal last, and when.

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The writer of a journal, in its row zero; written once a second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// The boot of the machine it ran in, see [`boot_id`].
    pub boot: String,
    /// When it was last known to be alive, ms of CLOCK_MONOTONIC.
    pub alive_ms: u64,
    /// What tells the relay from others in `a=rtpengine:`; it is the same relay after a restart.
    pub instance: u64,
    /// How many calls the journal held.
    pub calls: u64,
}

impl Owner {
    /// How long ago it was last alive; `None` if that was in another boot, whose clock says nothing now.
    #[must_use]
    pub fn silent_for(&self, boot: &str, now_ms: u64) -> Option<Duration> {
        if self.boot != boot {
            return None;
        }
        now_ms.checked_sub(self.alive_ms).map(Duration::from_millis)
    }
}

/// Names this boot of the machine; empty where it has no name.
#[must_use]
pub fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner {
            boot: "b".into(),
            alive_ms: 5000,
            ..Owner::default()
        }
    }

    #[test]
    fn silence_is_measured_within_a_boot() {
        assert_eq!(owner().silent_for("b", 7000), Some(Duration::from_secs(2)));
        assert_eq!(owner().silent_for("c", 7000), None);
    }

    #[test]
    fn a_clock_that_went_back_is_another_boots() {
        assert_eq!(owner().silent_for("b", 4999), None);
    }
}
