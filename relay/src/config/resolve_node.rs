//! Gives the values about a node, its agent and its processes their meaning.

use std::path::PathBuf;

use super::error::ConfigError;
use super::settings::Settings;
use super::value::{bad, bad_scalar, flag, integer, path, seconds, setting};
use super::{AgentConfig, ProcessConfig, TablesConfig};
use crate::ops::logging::{Facilities, Facility, Levels, Part, UnknownFacility};
use crate::tables::AgentChoice;

/// Bytes of the longest identity, which a pod's UID and most other names are far below.
const MAX_IDENTITY: usize = 128;
/// Bytes of the longest interface name.
const MAX_INTERFACE: usize = 15;
/// Bytes of the longest path of a Unix socket.
const MAX_SOCKET: usize = 107;

/// What the agent runs with.
///
/// # Errors
/// The first value that cannot be.
pub(super) fn resolve_agent(settings: &Settings) -> Result<AgentConfig, ConfigError> {
    Ok(AgentConfig {
        socket: socket(settings)?,
        policy: path(settings, "policy"),
        table_lease: seconds(settings, "table-lease")?,
        uplinks: uplinks(settings)?,
        registry: directory(settings, "registry")?,
        bpffs: directory(settings, "bpffs")?,
        process: process(settings)?,
    })
}

/// What the list of tables is made from.
///
/// # Errors
/// The first value that cannot be.
pub(super) fn resolve_tables(settings: &Settings) -> Result<TablesConfig, ConfigError> {
    Ok(TablesConfig {
        agent: agent(settings)?,
        registry: directory(settings, "registry")?,
        bpffs: directory(settings, "bpffs")?,
    })
}

pub(super) fn process(settings: &Settings) -> Result<ProcessConfig, ConfigError> {
    Ok(ProcessConfig {
        log_levels: log_levels(settings)?,
        facilities: Facilities {
            general: facility(settings, "log-facility")?.unwrap_or_default(),
            cdr: facility(settings, "log-facility-cdr")?,
            dtmf: facility(settings, "log-facility-dtmf")?,
        },
        log_stderr: flag(settings, "log-stderr")?,
        log_timestamps: !flag(settings, "no-log-timestamps")?,
        foreground: flag(settings, "foreground")?,
        pidfile: path(settings, "pidfile"),
    })
}

fn log_levels(settings: &Settings) -> Result<Levels, ConfigError> {
    let general = integer(settings, "log-level")?;
    // Bounded by the table of options.
    let mut levels = Levels::all(general as u8);
    for (part, option) in [
        (Part::Control, "log-level-control"),
        (Part::Http, "log-level-http"),
        (Part::Internals, "log-level-internals"),
    ] {
        if let Ok(level) = u8::try_from(integer(settings, option)?) {
            levels = levels.with(part, level);
        }
    }
    Ok(levels)
}

fn facility(settings: &Settings, name: &'static str) -> Result<Option<Facility>, ConfigError> {
    let setting = setting(settings, name);
    let facility = match setting.scalar() {
        "" => return Ok(None),
        name => name.parse(),
    };
    let facility =
        facility.map_err(|error: UnknownFacility| bad_scalar(setting, &error.to_string()));
    facility.map(Some)
}

pub(super) fn agent(settings: &Settings) -> Result<AgentChoice, ConfigError> {
    let setting = setting(settings, "agent");
    let choice = setting.scalar().parse().map_err(|_| {
        let problem = "expected auto, embedded, none, or the path of an agent's socket from / on";
        bad_scalar(setting, problem)
    })?;
    match &choice {
        AgentChoice::At(path) if path.as_os_str().len() > MAX_SOCKET => {
            Err(bad_scalar(setting, &too_long()))
        }
        _ => Ok(choice),
    }
}

/// It is part of file names and of what other relays are told.
pub(super) fn identity(settings: &Settings) -> Result<Option<String>, ConfigError> {
    let setting = setting(settings, "identity");
    let text = setting.scalar();
    let is_fit = text.len() <= MAX_IDENTITY
        && !text.starts_with('.')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte));
    if !is_fit {
        let problem = format!(
            "expected at most {MAX_IDENTITY} letters, digits and - _ . : @, not beginning with a dot"
        );
        return Err(bad_scalar(setting, &problem));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

pub(super) fn state_dir(settings: &Settings) -> Result<Option<PathBuf>, ConfigError> {
    match setting(settings, "state-dir").scalar() {
        "none" => Ok(None),
        _ => directory(settings, "state-dir").map(Some),
    }
}

/// A path that means the same wherever the process is; it goes into the background by way of `/`.
pub(super) fn directory(settings: &Settings, name: &'static str) -> Result<PathBuf, ConfigError> {
    let setting = setting(settings, name);
    let text = setting.scalar();
    if text.starts_with('/') {
        return Ok(PathBuf::from(text));
    }
    Err(bad_scalar(setting, "expected a path from / on"))
}

fn socket(settings: &Settings) -> Result<PathBuf, ConfigError> {
    let path = directory(settings, "socket")?;
    if path.as_os_str().len() > MAX_SOCKET {
        return Err(bad_scalar(setting(settings, "socket"), &too_long()));
    }
    Ok(path)
}

fn too_long() -> String {
    format!("the path of a Unix socket has at most {MAX_SOCKET} bytes")
}

fn uplinks(settings: &Settings) -> Result<Vec<String>, ConfigError> {
    let setting = setting(settings, "uplink");
    let mut uplinks: Vec<String> = Vec::new();
    for given in &setting.values {
        let name = &given.text;
        let is_name = name.len() <= MAX_INTERFACE
            && !matches!(name.as_str(), "." | "..")
            && !name.contains(|c: char| c.is_whitespace() || c == '/' || c == ':');
        if !is_name {
            return Err(bad(
                setting.spec,
                given,
                "expected the name of an interface",
            ));
        }
        if !uplinks.contains(name) {
            uplinks.push(name.clone());
        }
    }
    Ok(uplinks)
}
