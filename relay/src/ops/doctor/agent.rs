//! The node's agent: whether it is there and answers.

use super::Finding;
use super::facts::{Agent, Facts};
use crate::tables::AgentChoice;

const CHECK: &str = "agent";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    vec![match &facts.agent {
        Agent::NotAsked => Finding::ok(CHECK, "the relay is its own, by configuration"),
        Agent::Missing(path) if facts.wanted.agent == AgentChoice::Auto => {
            let path = path.display();
            Finding::ok(CHECK, format!("none at {path}: the relay is its own"))
        }
        Agent::Missing(path) => Finding::bad(
            CHECK,
            format!("there is no socket {}", path.display()),
            "start underpass agent with --socket there, mount its directory into the container, or use agent = embedded",
        ),
        Agent::Gone(path) => {
            let text = format!("nobody listens at {}: the agent is gone", path.display());
            let advice = "restart underpass agent; what it has attached forwards on meanwhile";
            match facts.wanted.agent {
                // The relay is its own then, if it may.
                AgentChoice::Auto => Finding::warn(CHECK, text, advice),
                _ => Finding::bad(CHECK, text, advice),
            }
        }
        Agent::Broken(path, what) => Finding::bad(
            CHECK,
            format!("the agent at {} {what}", path.display()),
            "look at its log; restart underpass agent: what it has attached forwards on meanwhile",
        ),
        Agent::Answers(path, tables) => Finding::ok(
            CHECK,
            format!("answers at {}, tables claimed: {tables}", path.display()),
        ),
    }]
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn verdict(agent: Agent, choice: AgentChoice) -> Verdict {
        let mut facts = Facts::healthy();
        facts.agent = agent;
        facts.wanted.agent = choice;
        check(&facts)[0].verdict
    }

    #[test]
    fn no_agent_is_well_unless_one_is_asked_for() {
        let missing = || Agent::Missing("/run/a.sock".into());
        assert_eq!(verdict(missing(), AgentChoice::Auto), Verdict::Ok);
        let asked = AgentChoice::At("/run/a.sock".into());
        assert_eq!(verdict(missing(), asked), Verdict::Bad);
    }

    #[test]
    fn an_agent_that_is_gone_is_bad_for_whoever_depends_on_it() {
        let gone = || Agent::Gone("/run/a.sock".into());
        assert_eq!(verdict(gone(), AgentChoice::Auto), Verdict::Warn);
        let asked = AgentChoice::At("/run/a.sock".into());
        assert_eq!(verdict(gone(), asked), Verdict::Bad);
    }

    #[test]
    fn an_agent_that_does_not_answer_is_bad_and_one_that_does_is_well() {
        let broken = Agent::Broken("/run/a.sock".into(), "does not answer".to_owned());
        assert_eq!(verdict(broken, AgentChoice::Auto), Verdict::Bad);
        let answers = Agent::Answers("/run/a.sock".into(), 3);
        assert_eq!(verdict(answers, AgentChoice::Auto), Verdict::Ok);
    }
}
