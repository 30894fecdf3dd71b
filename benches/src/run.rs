//! A run: section after section, with progress on stderr.
#![expect(clippy::print_stderr, reason = "progress of a command line tool")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use anyhow::{Result, anyhow};

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
    /// The section's, or that it panicked.
    pub fn section(&self, entry: &Entry, place: &str) -> Result<Section> {
        let name = entry.name;
        self.say(&format!("[{place} {name}] {}", entry.answers));
        let mut progress = |what: &str| self.say(&format!("[{place} {name}] {what}"));
        // The lab panics where something fails; what other sections found out is not lost by it.
        let measured = catch_unwind(AssertUnwindSafe(|| {
            (entry.measure)(self.effort, &mut progress)
        }));
        measured.unwrap_or_else(|_| Err(anyhow!("panicked, see above")))
    }

    /// A line of progress.
    pub fn say(&self, what: &str) {
        let elapsed = self.started.elapsed().as_secs();
        eprintln!("bench: {:02}:{:02} {what}", elapsed / 60, elapsed % 60);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effort::Depth;

    fn entry(
        name: &'static str,
        measure: fn(Effort, crate::sections::Progress) -> Result<Section>,
    ) -> Entry {
        Entry {
            name,
            answers: "nothing",
            usual: true,
            measure,
        }
    }

    #[test]
    fn a_section_that_fails_or_panics_does_not_keep_others_from_being_measured() {
        let entries = [
            entry("fails", |_, _| Err(anyhow!("no network"))),
            entry("panics", |_, _| panic!("no relay")),
            entry("works", |_, _| Ok(Section::default())),
        ];
        let run = Run::start(Effort::new(Depth::Quick, None));
        let (measured, failed) = run.all(&entries.iter().collect::<Vec<_>>());
        let names: Vec<&str> = measured.iter().map(|named| named.name.as_str()).collect();
        assert_eq!((names, failed), (vec!["works"], 2));
    }
}
