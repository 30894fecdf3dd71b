//! How a row of the table of options is written: the relay's own, unless it says otherwise.

use super::options::{Kind, OptionSpec, Role};

const RELAY: &[Role] = &[Role::Relay];

pub(super) const MIN_INT: i64 = i32::MIN as i64;
pub(super) const MAX_INT: i64 = i32::MAX as i64;

impl OptionSpec {
    /// The same, for others than the relay alone.
    pub(super) const fn of(mut self, roles: &'static [Role]) -> Self {
        self.roles = roles;
        self
    }
}

pub(super) const fn flag(
    long: &'static str,
    short: Option<char>,
    help: &'static str,
) -> OptionSpec {
    OptionSpec {
        long,
        short,
        kind: Kind::Flag,
        default: "false",
        value_name: "",
        help,
        roles: RELAY,
    }
}

pub(super) const fn integer(
    long: &'static str,
    short: Option<char>,
    default: &'static str,
    min: i64,
    max: i64,
    value_name: &'static str,
    help: &'static str,
) -> OptionSpec {
    OptionSpec {
        long,
        short,
        kind: Kind::Integer { min, max },
        default,
        value_name,
        help,
        roles: RELAY,
    }
}

/// The log level of a part.
pub(super) const fn part(long: &'static str, help: &'static str) -> OptionSpec {
    integer(long, None, "-1", -1, 7, "LEVEL", help)
}

pub(super) const fn choice(
    long: &'static str,
    default: &'static str,
    words: &'static [&'static str],
    value_name: &'static str,
    help: &'static str,
) -> OptionSpec {
    OptionSpec {
        long,
        short: None,
        kind: Kind::Choice(words),
        default,
        value_name,
        help,
        roles: RELAY,
    }
}

pub(super) const fn text(
    long: &'static str,
    short: Option<char>,
    default: &'static str,
    value_name: &'static str,
    help: &'static str,
) -> OptionSpec {
    OptionSpec {
        long,
        short,
        kind: Kind::Text,
        default,
        value_name,
        help,
        roles: RELAY,
    }
}

pub(super) const fn list(
    long: &'static str,
    short: Option<char>,
    default: &'static str,
    value_name: &'static str,
    help: &'static str,
) -> OptionSpec {
    OptionSpec {
        long,
        short,
        kind: Kind::List,
        default,
        value_name,
        help,
        roles: RELAY,
    }
}
