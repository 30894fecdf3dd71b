//! A run: section after section, with progress on stderr.
#![expect(clippy::print_stderr, reason = "progress of a command line tool")]

use std::time::Instant;

use anyhow::Result;

use crate::effort::Effort;
use crate::results::{NamedSection, Section};
use crate::sections::Entry;

/// Measures sections and says what it is doing.
pub struct Run {
    effort: Effort,
    started: Instant,
}

impl Run {
    /// A run that begins here.
    #[must_use]
    pub fn start(effort: Effort) -> Self {
        Self {
            effort,
            started: Instant::now(),
        }
    }

    /// Measures all, one after the other; where one fails, the others are measured all the same. Also: how many failed.
    #[must_use]
    pub fn all(&self, entries: &[&Entry]) -> (Vec<NamedSection>, usize) {
        let mut measured = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let place = format!("{}/{}", index + 1, entries.len());
            match self.section(entry, &place) {
                Ok(section) => measured.push(NamedSection {
                    name: entry.name.to_owned(),
                    section,
                }),
                Err(problem) => self.say(&format!("{} FAILED: {problem:#}", entry.name)),
            }
        }
        let failed = entries.len() - measured.len();
        (measured, failed)
    }

    /// Measures one; `place` says which of how many.
    ///
    /// # Errors
    /// The section's.
    pub fn section(&self, entry: &Entry, place: &str) -> Result<Section> {
        let name = entry.name;
        self.say(&format!("[{place} {name}] {}", entry.answers));
        (entry.measure)(self.effort, &mut |what: &str| {
            self.say(&format!("[{place} {name}] {what}"));
        })
    }

    /// A line of progress.
    pub fn say(&self, what: &str) {
        let elapsed = self.started.elapsed().as_secs();
        eprintln!("bench: {:02}:{:02} {what}", elapsed / 60, elapsed % 60);
    }
}
