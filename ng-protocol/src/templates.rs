//! Options that the configuration has under names.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::Command;

/// Strings of options, written as in `rtpp-flags`, by name. A request names one with `template`; those called `default` and
/// as the request's command are applied before anything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Templates(BTreeMap<Bytes, Bytes>);

impl Templates {
    /// No templates.
    pub const NONE: Self = Self(BTreeMap::new());

    /// The template of this name.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&Bytes> {
        self.0.get(name)
    }

    /// Those that apply to every request for this command, in order.
    pub(crate) fn by_default(&self, command: Command) -> impl Iterator<Item = &Bytes> {
        ["default", command.name()]
            .into_iter()
            .filter_map(|name| self.get(name.as_bytes()))
    }
}

impl FromIterator<(Bytes, Bytes)> for Templates {
    fn from_iter<I: IntoIterator<Item = (Bytes, Bytes)>>(templates: I) -> Self {
        Self(templates.into_iter().collect())
    }
}
