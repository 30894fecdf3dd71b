//! What can be wrong with a configuration: what, where, and what to do, in one line.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::options::Role;
use super::settings::Origin;
use crate::tables::TABLES;

/// Why the relay does not start with this configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An option that neither rtpengine nor Underpass has.
    #[error("unknown option {name} ({origin}){}", hint(nearest.as_deref()))]
    UnknownOption {
        /// As spelled.
        name: String,
        /// Where.
        origin: Origin,
        /// The known name that is nearest, if any is near.
        nearest: Option<String>,
    },
    /// A word that is no subcommand, or one too many.
    #[error(
        "unknown command {word}: commands are run, agent, config, tables, tables release, doctor, version, help"
    )]
    UnknownCommand {
        /// As spelled.
        word: String,
    },
    /// `tables release` without a number.
    #[error(
        "tables release needs the number of a table: underpass tables release N; see underpass tables"
    )]
    NoTableToRelease,
    /// `tables release` with something that is no table's number.
    #[error("tables release {word}: tables are 0 to {last}", last = TABLES - 1)]
    NotATable {
        /// As spelled.
        word: String,
    },
    /// An option of another command.
    #[error("{option} ({origin}) says nothing to {}: it is for {}", role.command(), commands(roles))]
    WrongCommand {
        /// The option.
        option: &'static str,
        /// Where.
        origin: Origin,
        /// The command's role.
        role: Role,
        /// The option's.
        roles: &'static [Role],
    },
    /// An option at the end of the command line lacks its value.
    #[error("{spelling} needs a value: {spelling} {value_name}")]
    MissingValue {
        /// As spelled.
        spelling: String,
        /// What the value is.
        value_name: &'static str,
    },
    /// A value that cannot be.
    #[error("{option} = {value} ({origin}): {problem}")]
    BadValue {
        /// The option, or a key with its section.
        option: String,
        /// The value as given.
        value: String,
        /// Where.
        origin: Origin,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The port range is empty.
    #[error(
        "port-min {min} ({min_origin}) and port-max {max} ({max_origin}) leave no even port with an odd one above it: \
         raise port-max or lower port-min"
    )]
    EmptyPortRange {
        /// Lowest port.
        min: u16,
        /// Where it came from.
        min_origin: Origin,
        /// Highest port.
        max: u16,
        /// Where it came from.
        max_origin: Origin,
    },
    /// The configuration file cannot be read.
    #[error("cannot read {path}: {source}; name another with --config-file, or none")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of the file is neither `key = value`, nor `[section]`, nor a comment.
    #[error("{path}:{line}: {problem}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The section that was asked for is not in the file.
    #[error("{path} has no section [{section}] (asked for by {origin}); it has {present}")]
    NoSection {
        /// The file.
        path: PathBuf,
        /// The section.
        section: String,
        /// Who asked for it.
        origin: Origin,
        /// The sections that are there.
        present: String,
    },
    /// An interface's section lacks what makes it one.
    #[error("{path}: [{section}] has neither address nor alias: give one of them")]
    EmptyInterface {
        /// The file.
        path: PathBuf,
        /// The section.
        section: String,
    },
    /// A key that no interface's section has.
    #[error("[{section}] {key} ({origin}): the keys of an interface are {}", keys.join(", "))]
    UnknownKey {
        /// The section.
        section: String,
        /// As spelled.
        key: String,
        /// Where.
        origin: Origin,
        /// What there is.
        keys: &'static [&'static str],
    },
    /// An argument is not UTF-8.
    #[error("{what} is not valid UTF-8")]
    NotUtf8 {
        /// Which one.
        what: String,
    },
}

/// An address to listen on cannot be had. For whoever binds it.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another socket has it.
    #[error(
        "{option} = {address}: the {protocol} port is taken by another program: stop it (ss -{flag}lpn 'sport = {port}' \
         shows it) or choose another with --{option}",
        flag = protocol.to_lowercase().chars().next().unwrap_or('t'),
        port = address.port()
    )]
    Taken {
        /// `listen-ng` or another of its kind.
        option: &'static str,
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("{option} = {address}: cannot listen on this {protocol} address: {source}")]
    Refused {
        /// The option.
        option: &'static str,
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

impl ListenError {
    /// The error of a failed bind or listen.
    #[must_use]
    pub fn new(
        option: &'static str,
        protocol: &'static str,
        address: SocketAddr,
        source: io::Error,
    ) -> Self {
        if source.kind() == io::ErrorKind::AddrInUse {
            return Self::Taken {
                option,
                protocol,
                address,
            };
        }
        Self::Refused {
            option,
            protocol,
            address,
            source,
        }
    }
}

fn hint(nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!(": did you mean {name}?"),
        None => ": see underpass help".to_owned(),
    }
}

fn commands(roles: &[Role]) -> String {
    let commands: Vec<&str> = roles.iter().map(|role| role.command()).collect();
    commands.join(" and ")
}
