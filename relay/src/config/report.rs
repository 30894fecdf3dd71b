//! `underpass config`: every value and where it came from.

use serde_json::{Value, json};

use super::load::Loaded;
use super::options::{Kind, Role};
use super::settings::{Origin, Setting};
use crate::media::MediaPorts;

/// A table for people: option, value, origin. Values of a list take a line each.
#[must_use]
pub fn text(loaded: &Loaded) -> String {
    let mut rows: Vec<[String; 3]> = Vec::new();
    for setting in relays(loaded) {
        if setting.values.is_empty() {
            let row = [setting.spec.long, "-", &setting.origin.to_string()];
            rows.push(row.map(str::to_owned));
        }
        for given in &setting.values {
            let value = if given.text.is_empty() {
                "-"
            } else {
                &given.text
            };
            rows.push([
                setting.spec.long.to_owned(),
                value.to_owned(),
                given.origin.to_string(),
            ]);
        }
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (names, values) = (width(0), width(1));
    let mut out = String::new();
    for [name, value, origin] in &rows {
        out += &format!("{name:names$}  {value:values$}  {origin}\n");
    }
    for (option, origin) in &loaded.without_effect {
        let effect = match option.help {
            "" => "no effect",
            _ => "needless",
        };
        out += &format!("{:names$}  {effect:values$}  {origin}\n", option.long);
    }
    out.push('\n');
    for note in &loaded.notes {
        out += &format!("{note}\n");
    }
    out += "media is received and sent on:\n";
    for interface in &loaded.config.interfaces {
        for local in &interface.addresses {
            out += &format!("  {}/{}", interface.name, local.address);
            if local.advertised != local.address {
                out += &format!("!{}", local.advertised);
            }
            if let Some(ports) = loaded.config.media_ports.get(&local.address) {
                out += &format!(" ports {ports}");
            }
            out.push('\n');
        }
    }
    if !loaded.warnings.is_empty() {
        out += "\nwarnings:\n";
    }
    for warning in &loaded.warnings {
        out += &format!("  {warning}\n");
    }
    out
}

/// Every option of a relay with its value; lists have an entry for each, or an empty one.
#[must_use]
pub fn values(loaded: &Loaded) -> Vec<(&'static str, String)> {
    let mut values = Vec::new();
    for setting in relays(loaded) {
        let name = setting.spec.long;
        if setting.values.is_empty() {
            values.push((name, String::new()));
        }
        values.extend(
            setting
                .values
                .iter()
                .map(|given| (name, given.text.clone())),
        );
    }
    values
}

/// The same for programs: an array of options, each with value and source.
#[must_use]
pub fn json(loaded: &Loaded) -> Value {
    let used = relays(loaded).map(|setting| {
        json!({
            "option": setting.spec.long,
            "value": value(setting),
            "source": origin_json(&setting.origin),
        })
    });
    let without_effect = loaded
        .without_effect
        .iter()
        .map(|(option, origin)| json!({ "option": option.long, "source": origin_json(origin) }));
    let interfaces = loaded.config.interfaces.iter().map(|interface| {
        let addresses = interface.addresses.iter().map(|local| {
            let ports = loaded.config.media_ports.get(&local.address);
            json!({
                "address": local.address,
                "advertised": local.advertised,
                "ports": ports.map(MediaPorts::to_string),
            })
        });
        json!({ "name": &*interface.name, "addresses": addresses.collect::<Vec<_>>() })
    });
    json!({
        "options": used.collect::<Vec<_>>(),
        "without effect": without_effect.collect::<Vec<_>>(),
        "interfaces": interfaces.collect::<Vec<_>>(),
        "warnings": loaded.warnings,
    })
}

fn relays(loaded: &Loaded) -> impl Iterator<Item = &Setting> {
    let settings = loaded.settings.iter();
    settings.filter(|setting| setting.spec.is_for(Role::Relay))
}

fn value(setting: &Setting) -> Value {
    match setting.spec.kind {
        Kind::List => setting.values.iter().map(|given| &*given.text).collect(),
        Kind::Flag => Value::Bool(matches!(setting.scalar(), "true" | "1")),
        Kind::Integer { .. } => setting
            .scalar()
            .parse::<i64>()
            .map_or_else(|_| setting.scalar().into(), Value::from),
        _ => setting.scalar().into(),
    }
}

fn origin_json(origin: &Origin) -> Value {
    match origin {
        Origin::Default => json!({ "kind": "default" }),
        Origin::File { path, line } => {
            json!({ "kind": "file", "path": path.display().to_string(), "line": line })
        }
        Origin::Environment(name) => json!({ "kind": "environment", "variable": name }),
        Origin::CommandLine(spelling) => json!({ "kind": "command line", "option": spelling }),
    }
}
