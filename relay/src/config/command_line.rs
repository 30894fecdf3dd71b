//! The command line, as GLib reads rtpengine's: `--name=value`, `--name value`, `-t 0`, `-t0`, `-fE`.

use std::ffi::OsString;

use lexopt::Arg;

use super::error::ConfigError;
use super::nearest::nearest;
use super::options::{self, Kind, OptionSpec, Role};
use super::settings::{Given, Origin};
use crate::tables::TABLES;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Be a relay. Also when no command is given.
    Run,
    /// Be the node's agent.
    Agent,
    /// Print every option's value and where it came from.
    Config {
        /// For programs.
        json: bool,
    },
    /// Print this node's forwarding tables.
    Tables {
        /// For programs.
        json: bool,
    },
    /// Free a table.
    Release {
        /// Its number.
        table: u32,
        /// Even if its owner lives.
        force: bool,
    },
    /// Look for what keeps the kernel from forwarding.
    Doctor {
        /// For programs.
        json: bool,
    },
    /// Print the version.
    Version,
    /// Print help on a command.
    Help(Topic),
    /// An action of rtpengine that has no meaning here, by its option's name: say so and exit well.
    NothingToDo(&'static str),
}

/// What help is wanted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// All, and what a relay does.
    Run,
    /// `underpass agent`.
    Agent,
    /// `underpass config`.
    Config,
    /// `underpass tables`.
    Tables,
    /// `underpass doctor`.
    Doctor,
}

impl Topic {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "run" => Self::Run,
            "agent" => Self::Agent,
            "config" => Self::Config,
            "tables" => Self::Tables,
            "doctor" => Self::Doctor,
            _ => return None,
        })
    }
}

impl Command {
    /// Whose options may be given with it; `None`: anybody's.
    fn role(self) -> Option<Role> {
        match self {
            Self::Run | Self::Config { .. } => Some(Role::Relay),
            Self::Agent => Some(Role::Agent),
            Self::Tables { .. } | Self::Release { .. } => Some(Role::Tables),
            Self::Doctor { .. } | Self::Version | Self::Help(_) | Self::NothingToDo(_) => None,
        }
    }
}

/// A command line, read but not yet combined with anything.
#[derive(Clone, Debug)]
pub struct CommandLine {
    /// What to do.
    pub command: Command,
    pub(super) given: Vec<(&'static OptionSpec, Given)>,
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// An unknown option or command, or an option without its value.
pub fn parse<I>(arguments: I) -> Result<CommandLine, ConfigError>
where
    I: IntoIterator,
    I::Item: Into<OsString>,
{
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut given = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut asked: Option<Command> = None;
    let mut wants_help = false;
    let mut json = false;
    let mut force = false;
    loop {
        let argument = parser.next().map_err(|error| ConfigError::NotUtf8 {
            what: format!("command line: {error}"),
        })?;
        let (spelling, option) = match argument {
            None => break,
            Some(Arg::Value(value)) => {
                words.push(utf8(value, "a command")?);
                continue;
            }
            Some(Arg::Short('h')) => {
                wants_help = true;
                continue;
            }
            Some(Arg::Short('v')) => {
                asked.get_or_insert(Command::Version);
                continue;
            }
            Some(Arg::Short(letter)) => (format!("-{letter}"), options::by_short(letter)),
            Some(Arg::Long("help" | "help-all")) => {
                wants_help = true;
                continue;
            }
            Some(Arg::Long("version")) => {
                asked.get_or_insert(Command::Version);
                continue;
            }
            Some(Arg::Long("json")) => {
                json = true;
                continue;
            }
            Some(Arg::Long("force")) => {
                force = true;
                continue;
            }
            Some(Arg::Long(name)) => (format!("--{name}"), options::by_long(name)),
        };
        let Some(option) = option else {
            return Err(unknown(&spelling));
        };
        if option.kind == Kind::NothingToDo {
            asked.get_or_insert(Command::NothingToDo(option.long));
            continue;
        }
        let text = if option.takes_value() {
            let value = parser.value().map_err(|_| ConfigError::MissingValue {
                spelling: spelling.clone(),
                value_name: option.value_name,
            })?;
            utf8(value, &format!("the value of {spelling}"))?
        } else if spelling.starts_with("--") {
            let value = parser.optional_value();
            value.map_or_else(
                || Ok("true".to_owned()),
                |value| utf8(value, &format!("the value of {spelling}")),
            )?
        } else {
            "true".to_owned()
        };
        let origin = Origin::CommandLine(spelling);
        given.push((option, Given { text, origin }));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let command = match asked {
        _ if wants_help => Command::Help(topic(words.first().copied())?),
        Some(command) => command,
        None => command_of(&words, json, force)?,
    };
    let takes_json = matches!(
        command,
        Command::Config { .. } | Command::Tables { .. } | Command::Doctor { .. }
    );
    if json && !takes_json {
        return Err(unknown("--json"));
    }
    if force && !matches!(command, Command::Release { .. }) {
        return Err(unknown("--force"));
    }
    if let Some(role) = command.role() {
        check_role(role, &given)?;
    }
    Ok(CommandLine { command, given })
}

fn command_of(words: &[&str], json: bool, force: bool) -> Result<Command, ConfigError> {
    let (command, rest) = match words {
        [] => (Command::Run, words),
        ["run", rest @ ..] => (Command::Run, rest),
        ["agent", rest @ ..] => (Command::Agent, rest),
        ["config", rest @ ..] => (Command::Config { json }, rest),
        ["tables", "release"] => return Err(ConfigError::NoTableToRelease),
        ["tables", "release", number, rest @ ..] => {
            let table = number.parse().ok().filter(|table| *table < TABLES);
            let table = table.ok_or_else(|| ConfigError::NotATable {
                word: (*number).to_owned(),
            })?;
            (Command::Release { table, force }, rest)
        }
        ["tables", rest @ ..] => (Command::Tables { json }, rest),
        ["doctor", rest @ ..] => (Command::Doctor { json }, rest),
        ["version", rest @ ..] => (Command::Version, rest),
        ["help", rest @ ..] => match rest {
            [] => (Command::Help(Topic::Run), rest),
            [word, rest @ ..] => (Command::Help(topic(Some(word))?), rest),
        },
        [word, ..] => return Err(unknown_command(word)),
    };
    match rest {
        [] => Ok(command),
        [word, ..] => Err(unknown_command(word)),
    }
}

fn topic(word: Option<&str>) -> Result<Topic, ConfigError> {
    match word {
        None | Some("help" | "version") => Ok(Topic::Run),
        Some(word) => Topic::of(word).ok_or_else(|| unknown_command(word)),
    }
}

/// Whoever gives an option expects something of it.
fn check_role(role: Role, given: &[(&'static OptionSpec, Given)]) -> Result<(), ConfigError> {
    match given.iter().find(|(option, _)| !option.is_for(role)) {
        None => Ok(()),
        Some((option, given)) => Err(ConfigError::WrongCommand {
            option: option.long,
            origin: given.origin.clone(),
            role,
            roles: option.roles,
        }),
    }
}

fn unknown_command(word: &str) -> ConfigError {
    let word = word.to_owned();
    ConfigError::UnknownCommand { word }
}

fn unknown(spelling: &str) -> ConfigError {
    let nearest = spelling.strip_prefix("--").and_then(nearest);
    ConfigError::UnknownOption {
        name: spelling.to_owned(),
        origin: Origin::CommandLine(spelling.to_owned()),
        nearest: nearest.map(|name| format!("--{name}")),
    }
}

fn utf8(value: OsString, what: &str) -> Result<String, ConfigError> {
    value.into_string().map_err(|_| ConfigError::NotUtf8 {
        what: what.to_owned(),
    })
}
