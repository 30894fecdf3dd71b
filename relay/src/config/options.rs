//! What an option is, and which there are.

pub use super::option_table::OPTIONS;
use super::without_effect;

/// One option.
#[derive(Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Name on the command line (`--name`), in the INI file, and in the environment (`UNDERPASS_NAME`).
    pub long: &'static str,
    /// rtpengine's letter for it.
    pub short: Option<char>,
    /// What its value may be.
    pub kind: Kind,
    /// What it is when nobody says; lists separate by `;`.
    pub default: &'static str,
    /// What the value is, for help.
    pub value_name: &'static str,
    /// One line for help; of an option that is accepted and asks for what is always done, what that is.
    pub help: &'static str,
    /// The commands that it says something to.
    pub roles: &'static [Role],
}

/// What `underpass` is started as, as far as options differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `underpass run`, and `config` and `doctor`, which look at what it would do.
    Relay,
    /// `underpass agent`.
    Agent,
    /// `underpass tables`.
    Tables,
}

impl Role {
    /// The command that has this role, for people.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Relay => "underpass run",
            Self::Agent => "underpass agent",
            Self::Tables => "underpass tables",
        }
    }
}

/// What a value may be.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// There or not; `true` or `false` (1 or 0) in INI files and the environment.
    Flag,
    /// A whole number within bounds, decimal or 0x hexadecimal.
    Integer {
        /// Lowest.
        min: i64,
        /// Highest.
        max: i64,
    },
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// Anything, checked where it is used.
    Text,
    /// Several texts: the option may be repeated, or `;` used.
    List,
    /// An option of rtpengine that is accepted and has no effect; says whether it takes a value.
    WithoutEffect {
        /// Takes a value.
        takes_value: bool,
    },
    /// rtpengine does one thing and exits; there is nothing to do here.
    NothingToDo,
}

impl OptionSpec {
    /// The option needs a value on the command line.
    #[must_use]
    pub fn takes_value(&self) -> bool {
        match self.kind {
            Kind::Flag | Kind::NothingToDo => false,
            Kind::Integer { .. } | Kind::Choice(_) | Kind::Text | Kind::List => true,
            Kind::WithoutEffect { takes_value } => takes_value,
        }
    }

    /// The option may have several values.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.kind == Kind::List
    }

    /// The option says something to a command of this role.
    #[must_use]
    pub fn is_for(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// The option does something.
    #[must_use]
    pub fn has_effect(&self) -> bool {
        !matches!(self.kind, Kind::WithoutEffect { .. } | Kind::NothingToDo)
    }
}

/// Finds an option by its long name, those without effect included.
#[must_use]
pub fn by_long(name: &str) -> Option<&'static OptionSpec> {
    let used = OPTIONS.iter().find(|option| option.long == name);
    used.or_else(|| without_effect::by_long(name))
}

/// Finds an option by its letter, those without effect included.
#[must_use]
pub fn by_short(letter: char) -> Option<&'static OptionSpec> {
    let used = OPTIONS.iter().find(|option| option.short == Some(letter));
    used.or_else(|| without_effect::by_short(letter))
}
