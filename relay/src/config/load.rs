//! Brings the sources together, in order.

use std::collections::BTreeSet;

use super::Config;
use super::command_line::CommandLine;
use super::environment;
use super::error::ConfigError;
use super::file;
use super::machine::Machine;
use super::options::OptionSpec;
use super::resolve::resolve;
use super::settings::{Given, Origin, Settings};
use super::value::is_false;

/// A configuration with its history.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the relay runs with.
    pub config: Config,
    /// What was said, and where.
    pub settings: Settings,
    /// Options that were given and have no effect.
    pub without_effect: Vec<(&'static OptionSpec, Origin)>,
    /// One line each, for the log at warning level.
    pub warnings: Vec<String>,
    /// One line each, for the log at information level.
    pub notes: Vec<String>,
}

/// Reads file and environment, puts the command line over them, and checks it all against the machine.
///
/// # Errors
/// The first thing that is wrong.
pub fn load(
    command_line: &CommandLine,
    variables: impl IntoIterator<Item = (String, String)>,
    machine: &dyn Machine,
) -> Result<Loaded, ConfigError> {
    let environment = environment::read(variables);
    let mut warnings = environment.warnings;
    let mut notes = Vec::new();

    let mut early = Settings::defaults();
    early.overlay(&environment.given);
    early.overlay(&command_line.given);
    let file = file::read(&early, machine, &mut warnings, &mut notes)?;

    let sources = [&file, &environment.given, &command_line.given];
    let mut settings = Settings::defaults();
    for source in sources {
        settings.overlay(source);
    }
    let without_effect = find_without_effect(&sources);
    for (option, origin) in &without_effect {
        warnings.push(format!("{} ({origin}) has no effect", option.long));
    }
    let config = resolve(&settings, machine, &mut warnings, &mut notes)?;
    Ok(Loaded {
        config,
        settings,
        without_effect,
        warnings,
        notes,
    })
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
