//! Brings the sources together, in order.

use std::collections::BTreeSet;

use super::command_line::CommandLine;
use super::environment;
use super::error::ConfigError;
use super::file::{self, Sections};
use super::machine::Machine;
use super::options::{OptionSpec, Role};
use super::resolve::resolve;
use super::resolve_node::{resolve_agent, resolve_tables};
use super::settings::{Given, Origin, Settings};
use super::value::is_false;
use super::{AgentConfig, Config, TablesConfig};

/// A configuration with its history.
#[derive(Clone, Debug)]
pub struct Loaded<C = Config> {
    /// What the process runs with.
    pub config: C,
    /// What was said, and where.
    pub settings: Settings,
    /// Options that were given and have no effect.
    pub without_effect: Vec<(&'static OptionSpec, Origin)>,
    /// One line each, for the log at warning level.
    pub warnings: Vec<String>,
    /// One line each, for the log at information level.
    pub notes: Vec<String>,
}

/// Reads file and environment, puts the command line over them, and checks it all against the machine: for a relay.
///
/// # Errors
/// The first thing that is wrong.
pub fn load(
    command_line: &CommandLine,
    variables: impl IntoIterator<Item = (String, String)>,
    machine: &dyn Machine,
) -> Result<Loaded, ConfigError> {
    let (mut gathered, sections) = gather(Role::Relay, command_line, variables, machine)?;
    let config = resolve(
        &gathered.settings,
        sections,
        machine,
        &mut gathered.warnings,
        &mut gathered.notes,
    )?;
    Ok(gathered.with(config))
}

/// The same for the node's agent, whose section of the file is `[agent]`.
///
/// # Errors
/// The first thing that is wrong.
pub fn load_agent(
    command_line: &CommandLine,
    variables: impl IntoIterator<Item = (String, String)>,
    machine: &dyn Machine,
) -> Result<Loaded<AgentConfig>, ConfigError> {
    let (gathered, _) = gather(Role::Agent, command_line, variables, machine)?;
    let config = resolve_agent(&gathered.settings)?;
    Ok(gathered.with(config))
}

/// The same for whoever looks at the node's tables: what a relay's file says of them.
///
/// # Errors
/// The first thing that is wrong.
pub fn load_tables(
    command_line: &CommandLine,
    variables: impl IntoIterator<Item = (String, String)>,
    machine: &dyn Machine,
) -> Result<Loaded<TablesConfig>, ConfigError> {
    let (gathered, _) = gather(Role::Tables, command_line, variables, machine)?;
    let config = resolve_tables(&gathered.settings)?;
    Ok(gathered.with(config))
}

impl Loaded<()> {
    fn with<C>(self, config: C) -> Loaded<C> {
        Loaded {
            config,
            settings: self.settings,
            without_effect: self.without_effect,
            warnings: self.warnings,
            notes: self.notes,
        }
    }
}

fn gather(
    role: Role,
    command_line: &CommandLine,
    variables: impl IntoIterator<Item = (String, String)>,
    machine: &dyn Machine,
) -> Result<(Loaded<()>, Sections), ConfigError> {
    let mut environment = environment::read(variables);
    // One environment may be several containers'.
    environment.given.retain(|(option, _)| option.is_for(role));
    let mut warnings = environment.warnings;
    let mut notes = Vec::new();

    let mut early = Settings::defaults();
    early.overlay(&environment.given);
    early.overlay(&command_line.given);
    let file = file::read(role, &early, machine, &mut warnings, &mut notes)?;

    let sources = [&file.source, &environment.given, &command_line.given];
    let mut settings = Settings::defaults();
    for source in sources {
        settings.overlay(source);
    }
    let without_effect = find_without_effect(&sources);
    for (option, origin) in &without_effect {
        let name = option.long;
        match option.help {
            "" => warnings.push(format!("{name} ({origin}) has no effect")),
            why => notes.push(format!("{name} ({origin}) changes nothing: {why}")),
        }
    }
    let loaded = Loaded {
        config: (),
        settings,
        without_effect,
        warnings,
        notes,
    };
    Ok((loaded, file.sections))
}

/// What one source gives, in its order.
pub(super) type Source = Vec<(&'static OptionSpec, Given)>;

fn find_without_effect(sources: &[&Source]) -> Vec<(&'static OptionSpec, Origin)> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    // The value that would count is the last source's.
    for (option, given) in sources.iter().rev().copied().flatten() {
        let off = !option.takes_value() && is_false(&given.text);
        if !option.has_effect() && !off && seen.insert(option.long) {
            found.push((*option, given.origin.clone()));
        }
    }
    found
}
