//! `interfaces-config = PREFIX`: media interfaces from the sections `[PREFIX-NAME]`, each with options of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::address::{Locality, literal};
use super::error::ConfigError;
use super::ini::{Line, Section};
use super::interfaces::Interfaces;
use super::ports::{self, PortOptions};
use super::settings::{Given, Origin};
use crate::media::{MediaPorts, PortRange};

const KEYS: &[&str] = &[
    "address",
    "advertised",
    "name",
    "port-min",
    "port-max",
    "exclude-ports",
    "alias",
];

/// One of these sections.
pub(super) struct InterfaceSection {
    path: Arc<Path>,
    title: String,
    /// What follows the prefix.
    name: String,
    /// Keys and values, in order.
    lines: Vec<(String, Given)>,
}

/// The sections of a file that `prefix` names, in the order they have there: the first interface is the default one.
pub(super) fn read(
    path: &Path,
    sections: &BTreeMap<String, Section>,
    prefix: &str,
) -> Vec<InterfaceSection> {
    if prefix.is_empty() {
        return Vec::new();
    }
    let path: Arc<Path> = Arc::from(path);
    let interface = |(title, lines): (&String, &Section)| {
        let name = title.strip_prefix(prefix)?.strip_prefix('-')?;
        let line = |line: &Line| {
            let origin = Origin::File {
                path: Arc::clone(&path),
                line: line.number,
            };
            let text = line.value.clone();
            (line.key.clone(), Given { text, origin })
        };
        let section = InterfaceSection {
            path: Arc::clone(&path),
            title: title.clone(),
            name: name.to_owned(),
            lines: lines.iter().map(line).collect(),
        };
        Some((lines.first().map(|line| line.number), section))
    };
    let mut found: Vec<_> = sections.iter().filter_map(interface).collect();
    found.sort_by_key(|(first_line, _)| *first_line);
    found.into_iter().map(|(_, section)| section).collect()
}

/// Adds the interfaces of all sections; the ports of those that have none of their own are `ports`.
///
/// # Errors
/// The first thing that is wrong with one of them.
pub(super) fn add(
    interfaces: &mut Interfaces,
    sections: &[InterfaceSection],
    ports: &PortOptions,
    locality: &Locality,
) -> Result<(), ConfigError> {
    let mut aliases = Vec::new();
    for section in sections {
        section.check_keys()?;
        match (section.get("address"), section.get("alias")) {
            (Some(address), None) => {
                section.add_address(interfaces, address, ports, locality)?;
            }
            (_, Some(of)) => {
                section.check_alias()?;
                aliases.push((section, of));
            }
            (None, None) => {
                return Err(ConfigError::EmptyInterface {
                    path: section.path.to_path_buf(),
                    section: section.title.clone(),
                });
            }
        }
    }
    for (section, of) in aliases {
        let added = interfaces.add_alias(section.name(), &of.text);
        added.map_err(|problem| section.bad("alias", of, &problem))?;
    }
    Ok(())
}

impl InterfaceSection {
    fn check_keys(&self) -> Result<(), ConfigError> {
        let unknown = |(key, _): &&(String, Given)| !KEYS.contains(&key.as_str());
        match self.lines.iter().find(unknown) {
            None => Ok(()),
            Some((key, given)) => Err(ConfigError::UnknownKey {
                section: self.title.clone(),
                key: key.clone(),
                origin: given.origin.clone(),
                keys: KEYS,
            }),
        }
    }

    /// An alias has nothing of its own but a name.
    fn check_alias(&self) -> Result<(), ConfigError> {
        let others = KEYS.iter().filter(|key| !matches!(**key, "alias" | "name"));
        for key in others {
            if let Some(given) = self.get(key) {
                let problem = "the section is an alias, only another name of an interface: remove one of them";
                return Err(self.bad(key, given, problem));
            }
        }
        Ok(())
    }

    /// The value of a key: the last one's, as in GLib's key files. An empty one is none.
    fn get(&self, key: &str) -> Option<&Given> {
        let last = self.lines.iter().rev().find(|(other, _)| other == key);
        last.map(|(_, given)| given)
            .filter(|given| !given.text.is_empty())
    }

    fn name(&self) -> &str {
        self.get("name").map_or(&self.name, |given| &given.text)
    }

    fn add_address(
        &self,
        interfaces: &mut Interfaces,
        address: &Given,
        ports: &PortOptions,
        locality: &Locality,
    ) -> Result<(), ConfigError> {
        let advertised = match self.get("advertised") {
            None => None,
            Some(given) => {
                let found = literal(&given.text);
                let wrong = || self.bad("advertised", given, "expected an IP address");
                Some(found.ok_or_else(wrong)?)
            }
        };
        let ports = self.ports(ports)?;
        let name = self.name();
        interfaces
            .add_address(name, &address.text, advertised, ports, locality)
            .map_err(|problem| self.bad("address", address, &problem))
    }

    /// Ports of its own, if it has any.
    fn ports(&self, general: &PortOptions) -> Result<Option<MediaPorts>, ConfigError> {
        let keys = ["port-min", "port-max", "exclude-ports"];
        let Some((key, last)) = keys
            .iter()
            .rev()
            .find_map(|key| self.get(key).map(|given| (key, given)))
        else {
            return Ok(None);
        };
        let range = PortRange {
            first: self.port("port-min")?.unwrap_or(general.range.first),
            last: self.port("port-max")?.unwrap_or(general.range.last),
        };
        let excluded = match self.get("exclude-ports") {
            None => general.excluded.clone(),
            Some(given) => ports::excluded(&given.text)
                .map_err(|problem| self.bad("exclude-ports", given, &problem))?,
        };
        let ports = MediaPorts::new(range, &excluded);
        if ports.pairs().next().is_none() {
            return Err(self.bad(key, last, &ports::none_left(range)));
        }
        Ok(Some(ports))
    }

    fn port(&self, key: &str) -> Result<Option<u16>, ConfigError> {
        let Some(given) = self.get(key) else {
            return Ok(None);
        };
        let port = given.text.parse().ok().filter(|port| *port > 0);
        let wrong = || self.bad(key, given, "expected a whole number from 1 to 65535");
        port.ok_or_else(wrong).map(Some)
    }

    fn bad(&self, key: &str, given: &Given, problem: &str) -> ConfigError {
        ConfigError::BadValue {
            option: format!("[{}] {key}", self.title),
            value: given.text.clone(),
            origin: given.origin.clone(),
            problem: problem.to_owned(),
        }
    }
}
