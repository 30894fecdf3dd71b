//! The command line, as GLib reads rtpengine's: `--name=value`, `--name value`, `-t 0`, `-t0`, `-fE`.

use std::ffi::OsString;

use lexopt::Arg;

use super::error::ConfigError;
use super::nearest::nearest;
use super::options::{self, Kind, OptionSpec};
use super::settings::{Given, Origin};

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Be a relay. Also when no command is given.
    Run,
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
    /// Print the version.
    Version,
    /// Print help.
    Help,
    /// An action of rtpengine that has no meaning here, by its option's name: say so and exit well.
    NothingToDo(&'static str),
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
    let mut word: Option<String> = None;
    let mut asked: Option<Command> = None;
    let mut json = false;
    loop {
        let argument = parser.next().map_err(|error| ConfigError::NotUtf8 {
            what: format!("command line: {error}"),
        })?;
        let (spelling, option) = match argument {
            None => break,
            Some(Arg::Value(value)) => {
                let value = utf8(value, "a command")?;
                if word.is_some() {
                    return Err(ConfigError::UnknownCommand { word: value });
                }
                word = Some(value);
                continue;
            }
            Some(Arg::Short('h')) => {
                asked = Some(Command::Help);
                continue;
            }
            Some(Arg::Short('v')) => {
                asked.get_or_insert(Command::Version);
                continue;
            }
            Some(Arg::Short(letter)) => (format!("-{letter}"), options::by_short(letter)),
            Some(Arg::Long("help" | "help-all")) => {
                asked = Some(Command::Help);
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
    let command = match asked {
        Some(command) => command,
        None => command_of(word.as_deref(), json)?,
    };
    if json && !matches!(command, Command::Config { .. } | Command::Tables { .. }) {
        return Err(unknown("--json"));
    }
    Ok(CommandLine { command, given })
}

fn command_of(word: Option<&str>, json: bool) -> Result<Command, ConfigError> {
    Ok(match word {
        None | Some("run") => Command::Run,
        Some("config") => Command::Config { json },
        Some("tables") => Command::Tables { json },
        Some("version") => Command::Version,
        Some("help") => Command::Help,
        Some(other) => {
            let word = other.to_owned();
            return Err(ConfigError::UnknownCommand { word });
        }
    })
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
