//! Values as they were given, before anybody asks what they mean, and where each came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::options::{OPTIONS, OptionSpec};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody gave one.
    Default,
    /// A line of an INI file.
    File {
        /// The file.
        path: Arc<Path>,
        /// Counted from 1.
        line: usize,
    },
    /// An environment variable, by name.
    Environment(String),
    /// The command line, as spelled there (`--listen-ng`, `-n`).
    CommandLine(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::CommandLine(spelling) => write!(f, "command line {spelling}"),
        }
    }
}

/// One value with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The text; `true` or `false` for flags.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
}

/// An option with the values that count. Only lists have more than one, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The option.
    pub spec: &'static OptionSpec,
    /// Its values, all from the same kind of source.
    pub values: Vec<Given>,
    /// Where the values, or their absence, came from; the last of several.
    pub origin: Origin,
}

impl Setting {
    /// The value of an option that is no list.
    #[must_use]
    pub fn scalar(&self) -> &str {
        self.values.last().map_or("", |given| &given.text)
    }
}

/// The values of all options.
#[derive(Clone, Debug)]
pub struct Settings {
    by_name: BTreeMap<&'static str, Setting>,
}

impl Settings {
    /// Every option at its default.
    pub(super) fn defaults() -> Self {
        let by_name = OPTIONS.iter().map(|spec| (spec.long, default_of(spec)));
        Self {
            by_name: by_name.collect(),
        }
    }

    /// Puts a source over what is there: an option that it gives replaces all earlier values of that option.
    pub(super) fn overlay(&mut self, source: &[(&'static OptionSpec, Given)]) {
        let mut given: BTreeMap<&'static str, Setting> = BTreeMap::new();
        for (spec, value) in source {
            let setting = given.entry(spec.long).or_insert_with(|| Setting {
                spec,
                values: Vec::new(),
                origin: Origin::Default,
            });
            setting.origin = value.origin.clone();
            if spec.is_list() {
                setting.values.extend(split_list(value));
            } else {
                setting.values = vec![value.clone()];
            }
        }
        self.by_name.extend(given);
    }

    /// The setting of an option of the table.
    #[must_use]
    pub fn get(&self, long: &str) -> Option<&Setting> {
        self.by_name.get(long)
    }

    /// Every option that has an effect, in the table's order.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        OPTIONS
            .iter()
            .filter_map(|spec| self.by_name.get(spec.long))
    }
}

fn default_of(spec: &'static OptionSpec) -> Setting {
    let given = Given {
        text: spec.default.to_owned(),
        origin: Origin::Default,
    };
    let values = if spec.is_list() {
        split_list(&given)
    } else {
        vec![given]
    };
    Setting {
        spec,
        values,
        origin: Origin::Default,
    }
}

fn split_list(given: &Given) -> Vec<Given> {
    let items = given.text.split(';').map(str::trim);
    items
        .filter(|item| !item.is_empty())
        .map(|item| Given {
            text: item.to_owned(),
            origin: given.origin.clone(),
        })
        .collect()
}
