//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, bail};
use lexopt::prelude::*;

use crate::effort::{Depth, Effort};
use crate::sections::SECTIONS;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// By name; none means the usual ones.
    pub sections: Vec<String>,
    /// How thoroughly.
    pub effort: Effort,
    /// Where the figures go, for programs.
    pub json: PathBuf,
    /// Where the plots go, and the page that shows them.
    pub plots: PathBuf,
    /// What comes after measuring.
    pub then: Then,
}

/// What is done with the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// They are shown.
    Show,
    /// They are shown and become what later runs are compared with.
    Record,
    /// They are shown and compared with the recorded ones.
    Check,
}

impl Arguments {
    /// Reads the words after the program's name; nothing if only help is wanted.
    ///
    /// # Errors
    /// A word that is not known, or that lacks its value.
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Option<Self>> {
        let mut parser = lexopt::Parser::from_args(words);
        let (mut sections, mut depth, mut rounds) = (Vec::new(), None, None);
        let (mut json, mut plots) = (PathBuf::from("target/bench/results.json"), None);
        let mut then = Then::Show;
        while let Some(word) = parser.next()? {
            match word {
                Value(name) => sections.push(name.string()?),
                Long("vm") => sections.push("vm".to_owned()),
                Long("quick") => depth = Some(Depth::Quick),
                Long("full") => depth = Some(Depth::Full),
                Long("rounds") => rounds = Some(parser.value()?.parse()?),
                Long("json") => json = parser.value()?.into(),
                Long("plots") => plots = Some(PathBuf::from(parser.value()?)),
                Long("record") if then != Then::Check => then = Then::Record,
                Long("check") if then != Then::Record => then = Then::Check,
                Long("record" | "check") => {
                    bail!("either --record or --check: a run is not held against itself")
                }
                Long("help") | Short('h') => return Ok(None),
                other => return Err(other.unexpected().into()),
            }
        }
        let usual = if then == Then::Check {
            Depth::Quick
        } else {
            Depth::Usual
        };
        Ok(Some(Self {
            sections,
            effort: Effort::new(depth.unwrap_or(usual), rounds),
            json,
            plots: plots.unwrap_or_else(|| PathBuf::from("target/bench")),
            then,
        }))
    }
}

/// What can be asked for.
#[must_use]
pub fn help() -> String {
    let sections = SECTIONS.iter().map(|section| {
        let when = if section.usual {
            ""
        } else {
            " (only when named)"
        };
        format!("  {:10} {}{when}\n", section.name, section.answers)
    });
    format!(
        "\
cargo xtask bench [-- SECTION... --quick|--full --rounds N --json FILE --plots DIR --check|--record]

{}
Without a section: all that need not be named. --vm is the section vm.

  --quick, --full   shorter axes and 5 rounds, or longer ones and 15, instead of 7
  --rounds N        so many rounds
  --json FILE       the figures for programs (default target/bench/results.json)
  --plots DIR       a plot for each question, and index.html with all (default target/bench)
  --record          keep the figures in benches/results/, for later runs to be compared with
  --check           compare ratios with the recorded ones (quick, unless said); fails where one got worse
",
        sections.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Arguments {
        let words = words.split_whitespace().map(OsString::from);
        Arguments::parse(words).unwrap().unwrap()
    }

    fn refused(words: &str) -> String {
        let words = words.split_whitespace().map(OsString::from);
        Arguments::parse(words).unwrap_err().to_string()
    }

    #[test]
    fn nothing_said_is_the_usual_plan_of_all_sections() {
        let arguments = parsed("");
        assert!(arguments.sections.is_empty());
        assert_eq!(arguments.effort, Effort::new(Depth::Usual, None));
        assert_eq!(arguments.then, Then::Show);
    }

    #[test]
    fn sections_are_named_before_or_after_options() {
        assert_eq!(parsed("path --quick ng").sections, ["path", "ng"]);
        assert_eq!(parsed("--vm").sections, ["vm"]);
    }

    #[test]
    fn rounds_overrule_the_depths_own() {
        assert_eq!(parsed("--full --rounds 3").effort.rounds, 3);
        assert_eq!(parsed("--full").effort.rounds, 15);
        assert_eq!(parsed("--rounds 0").effort.rounds, 1);
    }

    #[test]
    fn a_check_is_quick_unless_it_is_said_otherwise() {
        assert_eq!(parsed("--check").effort.depth, Depth::Quick);
        assert_eq!(parsed("--check --full").effort.depth, Depth::Full);
    }

    #[test]
    fn a_run_is_not_held_against_itself() {
        assert!(refused("--check --record").contains("either"));
        assert!(refused("--record --check").contains("either"));
    }

    #[test]
    fn an_unknown_option_is_refused() {
        assert!(refused("--fast").contains("--fast"));
    }

    #[test]
    fn help_names_every_section() {
        let help = help();
        assert!(SECTIONS.iter().all(|section| help.contains(section.name)));
    }
}
