//! The commands of the protocol.

/// Declares [`Command`] from the names on the wire, so that a command stands in one place.
macro_rules! commands {
    ($($variant:ident = $name:literal,)*) => {
        /// What a request asks for. Names are exact and case-sensitive.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Command {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        /// Every command with its name, in the order of [`Command::index`].
        const TABLE: &[(&str, Command)] = &[$(($name, Command::$variant),)*];
    };
}

commands! {
    Ping = "ping",
    Offer = "offer",
    Answer = "answer",
    Delete = "delete",
    Query = "query",
    List = "list",
    Statistics = "statistics",
    StartRecording = "start recording",
    StopRecording = "stop recording",
    PauseRecording = "pause recording",
    StartForwarding = "start forwarding",
    StopForwarding = "stop forwarding",
    BlockDtmf = "block DTMF",
    UnblockDtmf = "unblock DTMF",
    BlockMedia = "block media",
    UnblockMedia = "unblock media",
    SilenceMedia = "silence media",
    UnsilenceMedia = "unsilence media",
    PlayMedia = "play media",
    StopMedia = "stop media",
    PlayDtmf = "play DTMF",
    Publish = "publish",
    SubscribeRequest = "subscribe request",
    SubscribeAnswer = "subscribe answer",
    Unsubscribe = "unsubscribe",
    InjectStart = "inject start",
    InjectStop = "inject stop",
    Connect = "connect",
    Cli = "cli",
    Transform = "transform",
    Create = "create",
    CreateAnswer = "create answer",
    Mesh = "mesh",
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
        TABLE[self.index()].0
    }

    /// A small number below [`Self::COUNT`] for tables of counters.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Every command, by [`Self::index`].
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        TABLE.iter().map(|&(_, command)| command)
    }

    /// Whether it makes sound of its own, which a relay that does not process media cannot do.
    #[must_use]
    pub fn plays(self) -> bool {
        matches!(self, Self::PlayMedia | Self::StopMedia | Self::PlayDtmf)
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
        assert_eq!(Command::parse(b"CLI"), Some(Command::Cli));
    }
}
