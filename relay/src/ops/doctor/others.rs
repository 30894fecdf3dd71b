//! Programs of others on the same interfaces.

use super::Finding;
use super::facts::{Facts, Interface, Program};
use crate::datapath::EngineChoice;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let looked_at = facts
        .interfaces
        .iter()
        .filter(|interface| !interface.is_anchor && interface.choice != EngineChoice::Null);
    looked_at.flat_map(on).collect()
}

fn on(interface: &Interface) -> Vec<Finding> {
    let name = &interface.name;
    let mut findings = Vec::new();
    match &interface.foreign_xdp {
        Ok(there) if there.is_empty() => {}
        Ok(there) => findings.push(Finding::warn(
            "xdp",
            format!("{name} has another XDP program, {}", listed(there)),
            format!(
                "it sees media first, and no XDP engine can be attached; tc takes its place. If nobody needs it: ip link \
                 set {name} xdp off"
            ),
        )),
        Err(why) => findings.push(Finding::unseen("xdp", format!("{name}: {why}"))),
    }
    match &interface.foreign_tcx {
        Ok(there) if there.is_empty() => {}
        Ok(there) => findings.push(Finding::warn(
            "tcx",
            format!("{name} has TCX programs before ours, {}", listed(there)),
            "they see media first, and may take it: if it comes up to user space or is lost, look at those",
        )),
        Err(why) => findings.push(Finding::unseen("tcx", format!("{name}: {why}"))),
    }
    match &interface.foreign_filters {
        Ok(there) if there.is_empty() => {}
        Ok(there) => findings.push(Finding::warn(
            "clsact",
            format!("{name} has ingress filters of others, {}", listed(there)),
            "they do not see media that is forwarded by XDP or TCX, and before 6.6 may take it before it is: a policy or a \
             meter among them misses it",
        )),
        Err(why) => findings.push(Finding::unseen("clsact", format!("{name}: {why}"))),
    }
    findings
}

fn listed(programs: &[Program]) -> String {
    let one = |program: &Program| match program.name.as_str() {
        "" => program.id.to_string(),
        name => format!("{name} ({})", program.id),
    };
    let all: Vec<String> = programs.iter().map(one).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn some(name: &str) -> Result<Vec<Program>, String> {
        Ok(vec![Program {
            id: 7,
            name: name.to_owned(),
        }])
    }

    #[test]
    fn every_kind_of_program_is_named() {
        let mut interface = Interface::physical();
        interface.foreign_xdp = some("cil_xdp_entry");
        interface.foreign_tcx = some("");
        interface.foreign_filters = some("flower");
        let texts: Vec<String> = on(&interface).into_iter().map(|f| f.text).collect();
        assert_eq!(
            texts,
            [
                "eth0 has another XDP program, cil_xdp_entry (7)",
                "eth0 has TCX programs before ours, 7",
                "eth0 has ingress filters of others, flower (7)",
            ]
        );
    }

    #[test]
    fn what_may_not_be_seen_is_said_and_no_fault() {
        let mut interface = Interface::veth();
        interface.foreign_tcx = Err("takes CAP_NET_ADMIN".to_owned());
        let found = on(&interface);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].verdict, Verdict::Unseen);
    }

    #[test]
    fn an_interface_without_an_engine_is_left_alone() {
        let mut facts = Facts::healthy();
        facts.interfaces[0].foreign_xdp = some("x");
        facts.interfaces[0].choice = EngineChoice::Null;
        assert_eq!(check(&facts), []);
    }
}
