//! Brings the sources together, in order, and gives the values their meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::address::{self, Locality};
use super::command_line::CommandLine;
use super::environment;
use super::error::ConfigError;
use super::ini::{self, Section};
use super::interfaces::{self, Interfaces};
use super::machine::{Machine, PortRange};
use super::options::{self, Kind, OptionSpec};
use super::ports;
use super::settings::{Given, Origin, Setting, Settings};
use super::{Config, Engine, EngineChoice, TableRequest};
use crate::plan::{EndpointLearning, LogicalInterface};

/// Read when no file is named, the first that is there.
const DEFAULT_FILES: [&str; 2] = [
    "/etc/underpass/underpass.conf",
    "/etc/rtpengine/rtpengine.conf",
];

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
    let file = read_file(&early, machine, &mut warnings, &mut notes)?;

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

type Source = Vec<(&'static OptionSpec, Given)>;

fn read_file(
    early: &Settings,
    machine: &dyn Machine,
    warnings: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Result<Source, ConfigError> {
    let file = setting(early, "config-file");
    let unreadable = |path: &Path, source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let (path, bytes) = match file.scalar() {
        "none" => return Ok(Source::new()),
        "" => {
            let mut found = None;
            for path in DEFAULT_FILES.map(Path::new) {
                let bytes = machine
                    .read(path)
                    .map_err(|error| unreadable(path, error))?;
                if let Some(bytes) = bytes {
                    found = Some((path, bytes));
                    break;
                }
            }
            let Some(found) = found else {
                return Ok(Source::new());
            };
            found
        }
        named => {
            let path = Path::new(named);
            let bytes = machine
                .read(path)
                .map_err(|error| unreadable(path, error))?;
            let missing = || unreadable(path, std::io::ErrorKind::NotFound.into());
            (path, bytes.ok_or_else(missing)?)
        }
    };
    let sections = ini::parse(path, &bytes)?;
    let Some((name, lines)) =
        choose_section(path, &sections, setting(early, "config-section"), warnings)?
    else {
        return Ok(Source::new());
    };
    notes.push(format!("configuration from {} [{name}]", path.display()));
    read_section(path, lines, warnings)
}

fn choose_section<'a>(
    path: &Path,
    sections: &'a BTreeMap<String, Section>,
    asked: &Setting,
    warnings: &mut Vec<String>,
) -> Result<Option<(&'a String, &'a Section)>, ConfigError> {
    let name = asked.scalar();
    if name.is_empty() {
        let found = ["underpass", "rtpengine"]
            .iter()
            .find_map(|name| sections.get_key_value(*name));
        if found.is_none() {
            warnings.push(format!(
                "{} has no section [underpass] or [rtpengine] and has no effect",
                path.display()
            ));
        }
        return Ok(found);
    }
    let found = sections.get_key_value(name);
    found.map(Some).ok_or_else(|| ConfigError::NoSection {
        path: path.to_owned(),
        section: name.to_owned(),
        origin: asked.origin().clone(),
        present: match sections.len() {
            0 => "none".to_owned(),
            _ => {
                let names: Vec<String> = sections.keys().map(|name| format!("[{name}]")).collect();
                names.join(", ")
            }
        },
    })
}

fn read_section(
    path: &Path,
    lines: &Section,
    warnings: &mut Vec<String>,
) -> Result<Source, ConfigError> {
    let path: Arc<Path> = Arc::from(path);
    let mut by_option: BTreeMap<&'static str, (&'static OptionSpec, Given, usize)> =
        BTreeMap::new();
    for line in lines {
        let origin = Origin::File {
            path: Arc::clone(&path),
            line: line.number,
        };
        let Some(option) = options::by_long(&line.key) else {
            return Err(ConfigError::UnknownOption {
                name: line.key.clone(),
                origin,
                nearest: options::nearest(&line.key).map(str::to_owned),
            });
        };
        let given = Given {
            text: line.value.clone(),
            origin,
        };
        // As in GLib's key files: the last one counts, for lists too.
        let earlier = by_option.insert(option.long, (option, given, line.number));
        if let Some((_, _, earlier)) = earlier {
            warnings.push(format!(
                "{} is given twice in {}, in lines {earlier} and {}: the first has no effect{}",
                option.long,
                path.display(),
                line.number,
                if option.is_list() {
                    " (several values go in one line, separated by ;)"
                } else {
                    ""
                }
            ));
        }
    }
    let mut source: Vec<_> = by_option.into_values().collect();
    source.sort_by_key(|(_, _, number)| *number);
    Ok(source
        .into_iter()
        .map(|(option, given, _)| (option, given))
        .collect())
}

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

fn resolve(
    settings: &Settings,
    machine: &dyn Machine,
    warnings: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Result<Config, ConfigError> {
    let listen = setting(settings, "listen-ng");
    let locality = Locality::of(machine).map_err(|error| ConfigError::BadValue {
        option: listen.spec.long,
        value: listen.scalar().to_owned(),
        origin: listen.origin().clone(),
        problem: format!("the kernel does not tell this machine's addresses: {error}"),
    })?;
    let (port_min, port_max) = port_range(settings)?;
    let media = PortRange {
        first: port_min,
        last: port_max,
    };
    warnings.extend(ports::warning(media, machine));
    let interfaces = media_interfaces(settings, &locality, warnings, notes)?;
    let listen_ng = listen_addresses(settings, "listen-ng", &locality)?;
    if listen_ng.is_empty() {
        return Err(bad(
            setting(settings, "listen-ng").spec,
            &Given {
                text: String::new(),
                origin: listen.origin().clone(),
            },
            "expected [ADDRESS:]PORT",
        ));
    }
    let final_timeout = seconds(settings, "final-timeout")?;
    let threads = integer(settings, "num-threads")?;
    let max_sessions = integer(settings, "max-sessions")?;
    Ok(Config {
        interfaces,
        listen_ng,
        listen_cli: listen_addresses(settings, "listen-cli", &locality)?,
        listen_http: listen_addresses(settings, "listen-http", &locality)?,
        table: table(settings)?,
        no_fallback: flag(settings, "no-fallback")?,
        engine: engine(settings, machine)?,
        port_min,
        port_max,
        timeout: positive_seconds(settings, "timeout")?,
        silent_timeout: positive_seconds(settings, "silent-timeout")?,
        offer_timeout: positive_seconds(settings, "offer-timeout")?,
        final_timeout: (!final_timeout.is_zero()).then_some(final_timeout),
        delete_delay: seconds(settings, "delete-delay")?,
        tos: integer(settings, "tos")? as u8,
        max_sessions: u32::try_from(max_sessions).ok(),
        endpoint_learning: endpoint_learning(settings)?,
        sip_source: flag(settings, "sip-source")?,
        num_threads: usize::try_from(threads)
            .ok()
            .filter(|threads| *threads > 0)
            .unwrap_or_else(|| machine.cores().max(1)),
        log_level: integer(settings, "log-level")? as u8,
        log_stderr: flag(settings, "log-stderr")?,
        log_timestamps: !flag(settings, "no-log-timestamps")?,
        foreground: flag(settings, "foreground")?,
        pidfile: path(settings, "pidfile"),
    })
}

fn media_interfaces(
    settings: &Settings,
    locality: &Locality,
    warnings: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Result<Vec<LogicalInterface>, ConfigError> {
    let setting = setting(settings, "interface");
    if !setting.values.is_empty() {
        let mut interfaces = Interfaces::default();
        for given in &setting.values {
            let added = interfaces.add(&given.text, locality);
            added.map_err(|problem| bad(setting.spec, given, &problem))?;
        }
        warnings.append(&mut interfaces.warnings);
        return Ok(interfaces.finish());
    }
    let own = interfaces::own(locality);
    let Some(interface) = own.first() else {
        let nothing = Given {
            text: String::new(),
            origin: Origin::Default,
        };
        let problem = "this machine has no address at all: bring an interface up";
        return Err(bad(setting.spec, &nothing, problem));
    };
    let addresses: Vec<String> = interface
        .addresses
        .iter()
        .map(|local| local.address.to_string())
        .collect();
    notes.push(format!(
        "no interface given: media on this machine's own addresses {}",
        addresses.join(", ")
    ));
    Ok(own)
}

fn listen_addresses(
    settings: &Settings,
    name: &'static str,
    locality: &Locality,
) -> Result<Vec<std::net::SocketAddr>, ConfigError> {
    let setting = setting(settings, name);
    let mut addresses = Vec::new();
    for given in &setting.values {
        let found = address::listen(&given.text, locality);
        for address in found.map_err(|problem| bad(setting.spec, given, &problem))? {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    Ok(addresses)
}

fn port_range(settings: &Settings) -> Result<(u16, u16), ConfigError> {
    let min = integer(settings, "port-min")? as u16;
    let max = integer(settings, "port-max")? as u16;
    let first_even = u32::from(min) + u32::from(min % 2);
    if first_even < u32::from(max) {
        return Ok((min, max));
    }
    Err(ConfigError::EmptyPortRange {
        min,
        min_origin: setting(settings, "port-min").origin().clone(),
        max,
        max_origin: setting(settings, "port-max").origin().clone(),
    })
}

fn table(settings: &Settings) -> Result<TableRequest, ConfigError> {
    let setting = setting(settings, "table");
    let text = setting.scalar();
    if text.eq_ignore_ascii_case("auto") {
        return Ok(TableRequest::Auto);
    }
    match text.parse::<i64>() {
        Ok(number) if number < 0 => Ok(TableRequest::UserSpace),
        Ok(number) if number <= i64::from(u16::MAX) => Ok(TableRequest::Number(number as u32)),
        _ => Err(bad_scalar(
            setting,
            "expected auto, a number from 0 to 65535, or -1 for user space",
        )),
    }
}

fn engine(settings: &Settings, machine: &dyn Machine) -> Result<EngineChoice, ConfigError> {
    let setting = setting(settings, "engine");
    let mut choice = EngineChoice {
        default: Engine::Auto,
        by_device: BTreeMap::new(),
    };
    for given in &setting.values {
        let (device, word) = match given.text.rsplit_once(':') {
            Some((device, word)) => (Some(device), word),
            None => (None, given.text.as_str()),
        };
        let engine = match word.to_ascii_lowercase().as_str() {
            "auto" => Engine::Auto,
            "xdp" => Engine::Xdp,
            "xdp-generic" => Engine::XdpGeneric,
            "tc" => Engine::Tc,
            "null" => Engine::Null,
            _ => {
                let problem = "expected [DEVICE:] and auto, xdp, xdp-generic, tc or null";
                return Err(bad(setting.spec, given, problem));
            }
        };
        let Some(device) = device else {
            choice.default = engine;
            continue;
        };
        let devices = machine.devices();
        if !devices.iter().any(|name| name == device) {
            let problem = format!(
                "there is no device {device}; devices here: {}",
                devices.join(", ")
            );
            return Err(bad(setting.spec, given, &problem));
        }
        choice.by_device.insert(device.to_owned(), engine);
    }
    Ok(choice)
}

fn endpoint_learning(settings: &Settings) -> Result<EndpointLearning, ConfigError> {
    let setting = setting(settings, "endpoint-learning");
    match setting.scalar().to_ascii_lowercase().as_str() {
        "off" => Ok(EndpointLearning::Off),
        "immediate" => Ok(EndpointLearning::Immediate),
        "delayed" => Ok(EndpointLearning::Delayed),
        "heuristic" => Ok(EndpointLearning::Heuristic),
        _ => Err(bad_scalar(
            setting,
            "expected delayed, immediate, off or heuristic",
        )),
    }
}

/// rtpengine's rule: what is not positive is the default.
fn positive_seconds(settings: &Settings, name: &'static str) -> Result<Duration, ConfigError> {
    let given = seconds(settings, name)?;
    if !given.is_zero() {
        return Ok(given);
    }
    let default = setting(settings, name).spec.default.parse().unwrap_or(0);
    Ok(Duration::from_secs(default))
}

fn seconds(settings: &Settings, name: &'static str) -> Result<Duration, ConfigError> {
    let seconds = integer(settings, name)?;
    Ok(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

fn integer(settings: &Settings, name: &'static str) -> Result<i64, ConfigError> {
    let setting = setting(settings, name);
    let Kind::Integer { min, max } = setting.spec.kind else {
        unreachable!("{name} is an integer in the table of options");
    };
    let text = setting.scalar();
    let number = match text.strip_prefix("0x") {
        Some(hexadecimal) => i64::from_str_radix(hexadecimal, 16),
        None => text.parse::<i64>(),
    };
    let bounds = || match (min, max) {
        (i64::MIN.., _) if min == i64::from(i32::MIN) => "expected a whole number".to_owned(),
        _ if max == i64::from(i32::MAX) => format!("expected a whole number, {min} or more"),
        _ => format!("expected a whole number from {min} to {max}"),
    };
    match number {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(bad_scalar(setting, &bounds())),
    }
}

fn flag(settings: &Settings, name: &'static str) -> Result<bool, ConfigError> {
    let setting = setting(settings, name);
    match setting.scalar() {
        "true" | "1" => Ok(true),
        text if is_false(text) => Ok(false),
        _ => Err(bad_scalar(setting, "expected true or false")),
    }
}

fn is_false(text: &str) -> bool {
    matches!(text, "false" | "0")
}

fn path(settings: &Settings, name: &'static str) -> Option<PathBuf> {
    let text = setting(settings, name).scalar();
    (!text.is_empty()).then(|| PathBuf::from(text))
}

#[expect(
    clippy::expect_used,
    reason = "settings start from the defaults of the whole table, and names are from the table"
)]
fn setting<'a>(settings: &'a Settings, name: &'static str) -> &'a Setting {
    settings.get(name).expect("an option of the table")
}

fn bad_scalar(setting: &Setting, problem: &str) -> ConfigError {
    let given = Given {
        text: setting.scalar().to_owned(),
        origin: setting.origin().clone(),
    };
    bad(setting.spec, &given, problem)
}

fn bad(option: &'static OptionSpec, given: &Given, problem: &str) -> ConfigError {
    ConfigError::BadValue {
        option: option.long,
        value: given.text.clone(),
        origin: given.origin.clone(),
        problem: problem.to_owned(),
    }
}
