//! The state directory: with it, calls survive a crash.

use super::Finding;
use super::facts::Facts;

const CHECK: &str = "state";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(directory) = &facts.wanted.state_dir else {
        let text = "no journal, by configuration: calls end with the relay";
        return vec![Finding::ok(CHECK, text)];
    };
    let directory = directory.display();
    vec![if facts.state_is_writable == Some(false) {
        Finding::warn(
            CHECK,
            format!("{directory} can't be written: calls would end with the relay"),
            "make it for this user, or choose another with --state-dir",
        )
    } else {
        Finding::ok(CHECK, format!("calls are journalled in {directory}"))
    }]
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_directory_that_is_wanted_has_to_be_writable() {
        let mut facts = Facts::healthy();
        facts.state_is_writable = Some(false);
        assert_eq!(check(&facts)[0].verdict, Verdict::Warn);
        facts.wanted.state_dir = None;
        assert_eq!(check(&facts)[0].verdict, Verdict::Ok);
    }
}
