//! What was measured before: one file a section in `benches/results/`, to be committed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::results::{Figure, NamedSection, Results};

/// Where records are, from the workspace's directory.
pub const DIRECTORY: &str = "benches/results";

/// A section's figures as they were.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Where and when.
    pub machine: Machine,
    /// How thoroughly.
    pub plan: String,
    /// With all their samples.
    pub figures: Vec<Figure>,
}

/// The record of a section; none if it was never recorded.
///
/// # Errors
/// A file that can't be read, or that is damaged.
pub fn read(directory: &Path, section: &str) -> Result<Option<Record>> {
    let file = file(directory, section);
    if !file.exists() {
        return Ok(None);
    }
    let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let record = serde_json::from_slice(&text).with_context(|| {
        format!(
            "{} is damaged: restore it, or measure anew with cargo xtask bench -- {section} --record",
            file.display()
        )
    })?;
    Ok(Some(record))
}

/// Writes the record of a section in place of its last.
///
/// # Errors
/// The file can't be written.
pub fn write(directory: &Path, results: &Results, named: &NamedSection) -> Result<PathBuf> {
    let record = Record {
        machine: results.machine.clone(),
        plan: results.plan.clone(),
        figures: named.section.figures.clone(),
    };
    let file = file(directory, &named.name);
    let mut text = serde_json::to_string_pretty(&record)?;
    text.push('\n');
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&file, text))
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

fn file(directory: &Path, section: &str) -> PathBuf {
    directory.join(format!("{section}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Section;
    use crate::spread::Spread;

    fn named() -> NamedSection {
        let figure = Figure {
            id: "cost".to_owned(),
            what: "cost".to_owned(),
            unit: "x".to_owned(),
            value: Spread::of(vec![1.0, f64::NAN, 1.2]),
            target: Some(1.5),
        };
        NamedSection {
            name: "path".to_owned(),
            section: Section {
                questions: Vec::new(),
                figures: vec![figure],
            },
        }
    }

    fn results() -> Results {
        Results {
            machine: Machine {
                processors: 2,
                ..Machine::default()
            },
            plan: "quick".to_owned(),
            sections: vec![named()],
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &results(), &named()).unwrap();
        let record = read(directory.path(), "path").unwrap().unwrap();
        assert_eq!(record.machine.processors, 2);
        assert_eq!(record.figures[0].id, "cost");
        assert_eq!(record.figures[0].value.samples[2], 1.2);
        assert!(record.figures[0].value.samples[1].is_nan());
    }

    #[test]
    fn a_section_never_recorded_has_no_record() {
        let directory = tempfile::tempdir().unwrap();
        assert!(read(directory.path(), "path").unwrap().is_none());
    }

    #[test]
    fn a_damaged_record_says_which_file_and_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("path.json"), "{\"machine\": ").unwrap();
        let error = format!("{:#}", read(directory.path(), "path").unwrap_err());
        assert!(error.contains("path.json is damaged"), "{error}");
        assert!(error.contains("--record"), "{error}");
    }

    #[test]
    fn results_are_read_as_they_were_written() {
        let text = serde_json::to_string(&results()).unwrap();
        let read: Results = serde_json::from_str(&text).unwrap();
        assert_eq!(read.sections[0].name, "path");
        assert_eq!(read.sections[0].section.figures[0].target, Some(1.5));
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
