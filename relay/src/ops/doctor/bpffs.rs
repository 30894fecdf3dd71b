//! The BPF file system, where tables are pinned to outlive whoever made them.

use super::Finding;
use super::facts::{Agent, Facts};
use super::privilege::may_mount;

const CHECK: &str = "bpffs";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let path = facts.wanted.bpffs.display();
    if let Agent::Answers(..) = facts.agent {
        return vec![Finding::ok(CHECK, "the agent's matter")];
    }
    vec![match (facts.bpffs.mounted, facts.bpffs.writable) {
        (true, true) => Finding::ok(CHECK, format!("{path} is mounted and can be written")),
        (true, false) => Finding::bad(
            CHECK,
            format!("{path} can't be written by this process"),
            "run as root, or mount it with a mode and owner that let this user write",
        ),
        (false, _) if may_mount(facts) => Finding::ok(
            CHECK,
            format!("{path} is not mounted; it will be when first needed"),
        ),
        (false, _) => Finding::bad(
            CHECK,
            format!("{path} is not mounted"),
            format!("mount -t bpf bpffs {path}"),
        ),
    }]
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::facts::Bpffs;
    use super::*;

    fn verdict(mounted: bool, writable: bool, capabilities: u64) -> Verdict {
        let mut facts = Facts::healthy();
        facts.bpffs = Bpffs { mounted, writable };
        facts.process.capabilities = capabilities;
        check(&facts)[0].verdict
    }

    #[test]
    fn it_has_to_be_there_and_writable_or_to_be_had() {
        assert_eq!(verdict(true, true, 0), Verdict::Ok);
        assert_eq!(verdict(true, false, u64::MAX), Verdict::Bad);
        assert_eq!(verdict(false, false, u64::MAX), Verdict::Ok);
        assert_eq!(verdict(false, false, 0), Verdict::Bad);
    }

    #[test]
    fn beside_an_agent_it_does_not_matter() {
        let mut facts = Facts::healthy();
        facts.bpffs.mounted = false;
        facts.process.capabilities = 0;
        facts.agent = Agent::Answers("/run/underpass/agent.sock".into(), 1);
        assert_eq!(check(&facts)[0].verdict, Verdict::Ok);
    }
}
