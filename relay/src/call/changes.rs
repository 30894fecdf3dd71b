//! Which calls have changed, for those who keep a copy of them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::Calls;
use crate::plan::CallKey;

/// The calls that commands and time have changed since somebody asked. Nothing while nobody keeps a copy.
#[derive(Debug, Default)]
pub(super) struct Changes {
    wanted: bool,
    changed: BTreeSet<CallKey>,
    names: BTreeMap<CallKey, Bytes>,
}

impl Changes {
    /// A call is new, or no longer what it was.
    pub(super) fn note(&mut self, key: CallKey, id: &Bytes) {
        if !self.wanted {
            return;
        }
        if self.changed.insert(key) && !self.names.contains_key(&key) {
            self.names.insert(key, id.clone());
        }
    }

    /// A call goes by another of its call-ids.
    pub(super) fn rename(&mut self, key: CallKey, id: &Bytes) {
        if self.wanted {
            self.changed.insert(key);
            self.names.insert(key, id.clone());
        }
    }

    /// A call has ended.
    pub(super) fn end(&mut self, key: CallKey) {
        if self.wanted {
            self.changed.insert(key);
            self.names.remove(&key);
        }
    }

    /// The call-id of a call that lives.
    pub(super) fn name(&self, key: CallKey) -> Option<&Bytes> {
        self.names.get(&key)
    }
}

impl Calls {
    /// Takes note of every change from now on. Whoever asks for this takes the notes away, too, or they grow with every
    /// call that ends. To be called before there are calls.
    pub fn follow_changes(&mut self) {
        self.changes.wanted = true;
    }

    /// The calls that have begun, changed or ended since the last time this was asked.
    pub fn take_changes(&mut self) -> BTreeSet<CallKey> {
        std::mem::take(&mut self.changes.changed)
    }

    /// Calls that live, in the order they began: at most `count`, those after `after` first, or the very first.
    #[must_use]
    pub fn keys_after(&self, after: Option<CallKey>, count: usize) -> Vec<CallKey> {
        let from = after.map_or(CallKey(0), |after| CallKey(after.0.saturating_add(1)));
        let keys = self.changes.names.range(from..).map(|(key, _)| *key);
        keys.take(count).collect()
    }

    /// The call-id of a call that lives, where changes are followed.
    #[must_use]
    pub fn name_of(&self, key: CallKey) -> Option<&Bytes> {
        self.changes.name(key)
    }
}
