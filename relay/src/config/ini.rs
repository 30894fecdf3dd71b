//! INI files as GLib's key files have them: `[section]`, `key = value`, `#` comments on lines of their own.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::ConfigError;

/// The lines of one section, in order.
pub(super) type Section = Vec<Line>;

/// One `key = value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) key: String,
    pub(super) value: String,
    /// Counted from 1.
    pub(super) number: usize,
}

/// Reads a file into its sections.
///
/// # Errors
/// A line that is nothing of the above, a key before the first section, or bytes that are not UTF-8.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, Section>, ConfigError> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut current: Option<String> = None;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let wrong = |problem: &str| ConfigError::Syntax {
            path: path.to_owned(),
            line: number,
            problem: problem.to_owned(),
        };
        let line = std::str::from_utf8(line).map_err(|_| wrong("not valid UTF-8"))?;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let name = rest
                .strip_suffix(']')
                .filter(|name| !name.is_empty())
                .ok_or_else(|| wrong("a section is written [name]"))?;
            sections.entry(name.to_owned()).or_default();
            current = Some(name.to_owned());
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .ok_or_else(|| wrong("expected key = value, [section] or # comment"))?;
        let Some(section) = &current else {
            return Err(wrong("a key before the first [section]"));
        };
        sections.entry(section.clone()).or_default().push(Line {
            key: key.trim().to_owned(),
            value: unescape(value.trim()),
            number,
        });
    }
    Ok(sections)
}

/// GLib's escapes: `\s` space, `\n`, `\t`, `\r`, `\\`. Others are left as they are.
fn unescape(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('s') => plain.push(' '),
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('\\') | None => plain.push('\\'),
            Some(other) => plain.extend(['\\', other]),
        }
    }
    plain
}
