//! Capabilities: what this process has, and what each part needs.

use super::Finding;
use super::facts::{Agent, Facts};

const CHECK: &str = "capabilities";

const NET_ADMIN: (u8, &str) = (12, "CAP_NET_ADMIN");
const SYS_ADMIN: (u8, &str) = (21, "CAP_SYS_ADMIN");
const BPF: (u8, &str) = (39, "CAP_BPF");

/// What an agent needs, a relay's own too: it enters network namespaces by CAP_SYS_ADMIN, which includes CAP_PERFMON.
const NEEDED: [(u8, &str); 3] = [BPF, NET_ADMIN, SYS_ADMIN];

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if let Agent::Answers(..) = facts.agent {
        return vec![Finding::ok(CHECK, "the agent has them; a relay needs none")];
    }
    let mask = facts.process.capabilities;
    let needed = NEEDED.into_iter().filter(|needed| !has(mask, *needed));
    let missing: Vec<&str> = needed.map(|(_, name)| name).collect();
    if missing.is_empty() {
        return vec![Finding::ok(CHECK, "enough for an agent")];
    }
    let text = format!("{} missing, and no agent answers", missing.join(", "));
    let advice = "start underpass agent as root, or run the relay as root or with AmbientCapabilities= in its unit";
    vec![Finding::bad(CHECK, text, advice)]
}

/// The process has CAP_SYS_ADMIN.
pub(super) fn may_mount(facts: &Facts) -> bool {
    has(facts.process.capabilities, SYS_ADMIN)
}

fn has(mask: u64, (bit, _): (u8, &str)) -> bool {
    mask & (1 << bit) != 0
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn found(capabilities: &[(u8, &str)], agent: Option<Agent>) -> Finding {
        let mut facts = Facts::healthy();
        facts.process.capabilities = capabilities
            .iter()
            .fold(0, |mask, (bit, _)| mask | 1 << bit);
        if let Some(agent) = agent {
            facts.agent = agent;
        }
        check(&facts).remove(0)
    }

    #[test]
    fn what_is_missing_is_named() {
        let finding = found(&[NET_ADMIN], None);
        assert_eq!(finding.verdict, Verdict::Bad);
        assert!(finding.text.starts_with("CAP_BPF, CAP_SYS_ADMIN missing"));
        assert_eq!(found(&NEEDED, None).verdict, Verdict::Ok);
    }

    #[test]
    fn beside_an_agent_none_is_needed() {
        let agent = Agent::Answers("/run/underpass/agent.sock".into(), 0);
        assert_eq!(found(&[], Some(agent)).verdict, Verdict::Ok);
        let agent = Agent::Broken("/run/underpass/agent.sock".into(), "is silent".to_owned());
        assert_eq!(found(&[], Some(agent)).verdict, Verdict::Bad);
    }
}
