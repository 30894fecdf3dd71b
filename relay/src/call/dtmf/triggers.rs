//! `trigger`: digits that change what becomes of those that follow, and what ends that. Once.

use serde::{Deserialize, Serialize};

use super::sequence::Sequence;
use crate::plan::Digits;

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Terms {
    /// `trigger`
    pub(super) trigger: String,
    /// `DTMF-security-trigger`: from then on.
    pub(super) during: Digits,
    /// `trigger-end`
    pub(super) end: Option<String>,
    /// `trigger-end-time`: how long it takes to end by itself.
    pub(super) end_ms: Option<u64>,
    /// `trigger-end-digits`: after how many digits it ends by itself.
    pub(super) end_digits: Option<u64>,
    /// `DTMF-security-trigger-end`: from the end on.
    pub(super) after: Digits,
}

/// The triggers of a party, and how far it has come with them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::call) struct Triggers {
    terms: Terms,
    state: State,
    dialled: Sequence,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    #[default]
    Waiting,
    Triggered {
        /// Monotonic.
        until_ms: Option<u64>,
        digits_left: Option<u64>,
    },
    Over,
}

impl Triggers {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            ..Self::default()
        }
    }

    /// The same was asked for.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.terms == other.terms
    }

    /// A digit begins; what becomes of those that follow, if that changes.
    pub(super) fn dial(
        &mut self,
        digit: char,
        now_ms: u64,
        longest_pause_ms: u64,
    ) -> Option<Digits> {
        if let Some(digits) = self.pass_time(now_ms) {
            return Some(digits);
        }
        self.dialled.push(digit, now_ms, longest_pause_ms);
        match &mut self.state {
            State::Waiting => {
                let matches = self.dialled.ends_with(&self.terms.trigger);
                matches.then(|| self.begin(now_ms))
            }
            State::Triggered { digits_left, .. } => {
                *digits_left = digits_left.map(|left| left.saturating_sub(1));
                let was_last = *digits_left == Some(0);
                let end = self.terms.end.as_deref().unwrap_or_default();
                (was_last || self.dialled.ends_with(end)).then(|| self.end())
            }
            State::Over => None,
        }
    }

    /// The last digit is still being dialled, or has just ended.
    pub(super) fn hear(&mut self, now_ms: u64) {
        self.dialled.hear(now_ms);
    }

    /// What becomes of digits from now on, if the time is over.
    pub(super) fn pass_time(&mut self, now_ms: u64) -> Option<Digits> {
        let is_over = self.due_ms().is_some_and(|due_ms| now_ms >= due_ms);
        is_over.then(|| self.end())
    }

    /// When [`Self::pass_time`] changes something, monotonic ms.
    pub(super) fn due_ms(&self) -> Option<u64> {
        match self.state {
            State::Triggered { until_ms, .. } => until_ms,
            State::Waiting | State::Over => None,
        }
    }

    /// What is dialled to begin, unless that has been, and what is dialled to end with whether it counts now.
    pub(super) fn codes(&self) -> (Option<&str>, Option<(&str, bool)>) {
        let trigger = (self.state == State::Waiting).then_some(self.terms.trigger.as_str());
        let counts = matches!(self.state, State::Triggered { .. });
        let end = self.terms.end.as_deref();
        let end = end.filter(|_| self.state != State::Over);
        (trigger, end.map(|end| (end, counts)))
    }

    fn begin(&mut self, now_ms: u64) -> Digits {
        self.dialled.clear();
        self.state = State::Triggered {
            until_ms: self.terms.end_ms.map(|ms| now_ms.saturating_add(ms)),
            digits_left: self.terms.end_digits,
        };
        self.terms.during
    }

    fn end(&mut self) -> Digits {
        self.state = State::Over;
        self.terms.after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `*1` drops what follows until `#`.
    fn terms() -> Terms {
        Terms {
            trigger: "*1".to_owned(),
            during: Digits::Drop,
            end: Some("#".to_owned()),
            ..Terms::default()
        }
    }

    /// What changed with each digit; one is dialled every 100 ms.
    fn dial(triggers: &mut Triggers, from_ms: u64, digits: &str) -> Vec<Option<Digits>> {
        let digits = digits.chars().zip((from_ms..).step_by(100));
        digits
            .map(|(digit, at_ms)| triggers.dial(digit, at_ms, 2500))
            .collect()
    }

    const NOTHING: Option<Digits> = None;
    const BEGINS: Option<Digits> = Some(Digits::Drop);
    const ENDS: Option<Digits> = Some(Digits::Pass);

    #[test]
    fn digits_begin_it_and_digits_end_it() {
        let mut triggers = Triggers::new(terms());
        let changes = dial(&mut triggers, 0, "5*123#4");
        assert_eq!(
            changes,
            [NOTHING, NOTHING, BEGINS, NOTHING, NOTHING, ENDS, NOTHING]
        );
    }

    #[test]
    fn the_end_means_nothing_before_the_beginning() {
        let mut triggers = Triggers::new(terms());
        assert_eq!(dial(&mut triggers, 0, "#*1"), [NOTHING, NOTHING, BEGINS]);
    }

    #[test]
    fn it_happens_once() {
        let mut triggers = Triggers::new(terms());
        dial(&mut triggers, 0, "*1#");
        assert_eq!(dial(&mut triggers, 1000, "*1#"), [NOTHING; 3]);
    }

    #[test]
    fn it_ends_when_its_time_is_over() {
        let mut triggers = Triggers::new(Terms {
            end_ms: Some(5000),
            ..terms()
        });
        assert_eq!(triggers.due_ms(), None);
        dial(&mut triggers, 0, "*1");
        assert_eq!(triggers.due_ms(), Some(5100));
        assert_eq!(triggers.pass_time(5099), NOTHING);
        assert_eq!(triggers.pass_time(5100), ENDS);
        assert_eq!(
            (triggers.due_ms(), triggers.pass_time(9000)),
            (None, NOTHING)
        );
    }

    #[test]
    fn a_digit_after_its_time_ends_it_at_the_latest() {
        let mut triggers = Triggers::new(Terms {
            end_ms: Some(300),
            ..terms()
        });
        let changes = dial(&mut triggers, 0, "*12345");
        assert_eq!(changes, [NOTHING, BEGINS, NOTHING, NOTHING, ENDS, NOTHING]);
    }

    #[test]
    fn it_ends_with_the_last_of_so_many_digits() {
        let mut triggers = Triggers::new(Terms {
            end_digits: Some(3),
            end: None,
            ..terms()
        });
        let changes = dial(&mut triggers, 0, "*1234#");
        assert_eq!(changes, [NOTHING, BEGINS, NOTHING, NOTHING, ENDS, NOTHING]);
    }

    #[test]
    fn without_an_end_it_stays() {
        let mut triggers = Triggers::new(Terms {
            end: None,
            ..terms()
        });
        dial(&mut triggers, 0, "*1");
        assert_eq!(dial(&mut triggers, 1000, "#*1#"), [NOTHING; 4]);
        assert_eq!(triggers.pass_time(u64::MAX), NOTHING);
    }

    #[test]
    fn the_last_digit_of_the_beginning_is_none_of_the_end() {
        let mut triggers = Triggers::new(Terms {
            trigger: "11".to_owned(),
            end: Some("11".to_owned()),
            ..terms()
        });
        assert_eq!(dial(&mut triggers, 0, "111"), [NOTHING, BEGINS, NOTHING]);
        assert_eq!(dial(&mut triggers, 300, "1"), [ENDS]);
    }

    #[test]
    fn digits_far_apart_are_no_trigger() {
        let mut triggers = Triggers::new(terms());
        assert_eq!(dial(&mut triggers, 0, "*"), [NOTHING]);
        assert_eq!(dial(&mut triggers, 5000, "1"), [NOTHING]);
    }

    #[test]
    fn it_shows_what_it_waits_for() {
        let mut triggers = Triggers::new(terms());
        assert_eq!(triggers.codes(), (Some("*1"), Some(("#", false))));
        dial(&mut triggers, 0, "*1");
        assert_eq!(triggers.codes(), (None, Some(("#", true))));
        dial(&mut triggers, 200, "#");
        assert_eq!(triggers.codes(), (None, None));
    }
}
