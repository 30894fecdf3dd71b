//! The INI file: which one, which section, which options.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use ng_protocol::Templates;

use super::error::ConfigError;
use super::ini::{self, Section};
use super::interface_sections::{self, InterfaceSection};
use super::load::Source;
use super::machine::Machine;
use super::nearest::nearest;
use super::options::{self, OptionSpec, Role};
use super::settings::{Given, Origin, Setting, Settings};
use super::value::setting;

/// Read when no file is named, the first that is there.
const DEFAULT_FILES: [&str; 2] = [
    "/etc/underpass/underpass.conf",
    "/etc/rtpengine/rtpengine.conf",
];

/// What counts of a file.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) source: Source,
    pub(super) sections: Sections,
}

/// The sections of their own that options name.
#[derive(Default)]
pub(super) struct Sections {
    /// `templates`.
    pub(super) templates: Templates,
    /// `interfaces-config`, in the file's order.
    pub(super) interfaces: Vec<InterfaceSection>,
}

/// Reads the section that counts of the file that counts; which these are, the other sources have said in `early`, and
/// whose options stand there, the role.
///
/// # Errors
/// A file or section that was asked for and is not there, a line that is none, an option that nobody knows.
pub(super) fn read(
    role: Role,
    early: &Settings,
    machine: &dyn Machine,
    warnings: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Result<Contents, ConfigError> {
    let file = setting(early, "config-file");
    let unreadable = |path: &Path, source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let (path, bytes) = match file.scalar() {
        "none" => return Ok(Contents::default()),
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
                return Ok(Contents::default());
            };
            found
        }
        named => {
            let path = Path::new(named);
            let bytes = machine
                .read(path)
                .map_err(|error| unreadable(path, error))?;
            let missing = || {
                unreadable(
                    path,
                    io::Error::new(io::ErrorKind::NotFound, "no such file"),
                )
            };
            (path, bytes.ok_or_else(missing)?)
        }
    };
    let sections = ini::parse(path, &bytes)?;
    let asked = setting(early, "config-section");
    let Some((name, lines)) = choose_section(role, path, &sections, asked, warnings)? else {
        return Ok(Contents::default());
    };
    notes.push(format!("configuration from {} [{name}]", path.display()));
    let mut source = read_section(role, path, lines, warnings)?;
    source.retain(|(option, _)| option.is_for(role));
    let templates = named("templates", &source, early);
    let interfaces = named("interfaces-config", &source, early);
    let sections = Sections {
        templates: read_templates(path, &sections, templates, warnings),
        interfaces: interface_sections::read(path, &sections, interfaces),
    };
    Ok(Contents { source, sections })
}

/// What an option names, in the file or over it.
fn named<'a>(option: &'static str, source: &'a Source, early: &'a Settings) -> &'a str {
    let over_it = setting(early, option).scalar();
    let in_it = source.iter().find(|(spec, _)| spec.long == option);
    match in_it {
        Some((_, given)) if over_it.is_empty() => &given.text,
        _ => over_it,
    }
}

fn read_templates(
    path: &Path,
    sections: &BTreeMap<String, Section>,
    name: &str,
    warnings: &mut Vec<String>,
) -> Templates {
    let lines = sections.get(name);
    if lines.is_none() && !name.is_empty() {
        warnings.push(format!(
            "{} has no section [{name}]: there are no templates",
            path.display()
        ));
    }
    let template = |line: &ini::Line| (line.key.clone().into(), line.value.clone().into());
    lines.into_iter().flatten().map(template).collect()
}

fn choose_section<'a>(
    role: Role,
    path: &Path,
    sections: &'a BTreeMap<String, Section>,
    asked: &Setting,
    warnings: &mut Vec<String>,
) -> Result<Option<(&'a String, &'a Section)>, ConfigError> {
    let name = asked.scalar();
    if name.is_empty() {
        let names: &[&str] = match role {
            Role::Agent => &["agent"],
            Role::Relay | Role::Tables => &["underpass", "rtpengine"],
        };
        let found = names.iter().find_map(|name| sections.get_key_value(*name));
        // A file without the agent's section is a relay's.
        if found.is_none() && role != Role::Agent {
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
        origin: asked.origin.clone(),
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
    role: Role,
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
                nearest: nearest(&line.key).map(str::to_owned),
            });
        };
        // The list of tables is made from a relay's section.
        let section_of = match role {
            Role::Agent => Role::Agent,
            Role::Relay | Role::Tables => Role::Relay,
        };
        if !option.is_for(section_of) {
            return Err(ConfigError::WrongCommand {
                option: option.long,
                origin,
                role: section_of,
                roles: option.roles,
            });
        }
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
