//! The commands of the protocol.

/// What a request asks for. Names are exact and case-sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `ping`
    Ping,
    /// `offer`
    Offer,
    /// `answer`
    Answer,
    /// `delete`
    Delete,
    /// `query`
    Query,
    /// `list`
    List,
    /// `statistics`
    Statistics,
    /// A command of rtpengine's that is not implemented here, by its name. Answered with `Unrecognized command`, which
    /// clients take as a sign of life.
    Known(&'static str),
}

/// Every command of rtpengine's; the place in this table is [`Command::index`].
const TABLE: &[(&str, Command)] = &[
    ("ping", Command::Ping),
    ("offer", Command::Offer),
    ("answer", Command::Answer),
    ("delete", Command::Delete),
    ("query", Command::Query),
    ("list", Command::List),
    ("statistics", Command::Statistics),
    known("start recording"),
    known("stop recording"),
    known("pause recording"),
    known("start forwarding"),
    known("stop forwarding"),
    known("block DTMF"),
    known("unblock DTMF"),
    known("block media"),
    known("unblock media"),
    known("silence media"),
    known("unsilence media"),
    known("play media"),
    known("stop media"),
    known("play DTMF"),
    known("publish"),
    known("subscribe request"),
    known("subscribe answer"),
    known("unsubscribe"),
    known("inject start"),
    known("inject stop"),
    known("connect"),
    known("cli"),
    known("transform"),
    known("create"),
    known("create answer"),
    known("mesh"),
];

const fn known(name: &'static str) -> (&'static str, Command) {
    (name, Command::Known(name))
}

impl Command {
    /// How many commands there are.
    pub const COUNT: usize = TABLE.len();

    /// The command of this name; `CLI` is an alias of `cli`.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        let name = if name == b"CLI" { b"cli" } else { name };
        TABLE
            .iter()
            .find(|(known, _)| known.as_bytes() == name)
            .map(|&(_, command)| command)
    }

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::Delete => "delete",
            Self::Query => "query",
            Self::List => "list",
            Self::Statistics => "statistics",
            Self::Known(name) => name,
        }
    }

    /// A small number below [`Self::COUNT`] for tables of counters.
    #[must_use]
    pub fn index(self) -> usize {
        TABLE
            .iter()
            .position(|&(_, command)| command == self)
            .unwrap_or(0)
    }

    /// Every command, by [`Self::index`].
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        TABLE.iter().map(|&(_, command)| command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_by_its_name_and_index() {
        for (index, command) in Command::all().enumerate() {
            assert_eq!(Command::parse(command.name().as_bytes()), Some(command));
            assert_eq!(command.index(), index);
        }
    }

    #[test]
    fn names_are_case_sensitive_but_for_the_alias_of_cli() {
        assert_eq!(Command::parse(b"Ping"), None);
        assert_eq!(Command::parse(b"block dtmf"), None);
        assert_eq!(Command::parse(b"CLI"), Some(Command::Known("cli")));
    }
}
