//! Netfilter: packets that user space sends pass it, packets that the kernel path forwards do not.

use super::Finding;
use super::facts::Facts;

/// Rules that are named; more are counted.
const NAMED: usize = 3;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![match &facts.nat {
        Err(why) => Finding::unseen("nat", why.clone()),
        Ok(rules) if rules.is_empty() => Finding::ok("nat", "no rule changes the source of media"),
        Ok(rules) => {
            let mut named: Vec<String> =
                rules.iter().take(NAMED).map(|r| r.place.clone()).collect();
            if rules.len() > NAMED {
                named.push(format!("{} more", rules.len() - NAMED));
            }
            let text = format!("media may have its source changed by {}", named.join("; "));
            Finding::warn(
                "nat",
                text,
                format!(
                    "what the kernel forwards passes it by, what user space sends does not, and one stream would have two \
                     sources: exempt udp sport {} before it",
                    nft_ports(facts)
                ),
            )
        }
    }];
    findings.extend(conntrack(facts));
    findings
}

fn conntrack(facts: &Facts) -> Option<Finding> {
    let conntrack = facts.conntrack?;
    let ports = facts.wanted.sockets;
    let text = format!(
        "connections are tracked, {} of {}: each stream whose packets reach a socket takes one",
        conntrack.count, conntrack.max
    );
    if conntrack.count.saturating_add(ports) <= conntrack.max {
        return Some(Finding::ok("conntrack", text));
    }
    let media = nft_ports(facts);
    Some(Finding::warn(
        "conntrack",
        format!("{text}, and {ports} media ports may need more than there are"),
        format!(
            "exempt media: nft add rule of a chain at hook prerouting and one at output, priority raw: udp dport \
             {media} notrack, udp sport {media} notrack"
        ),
    ))
}

/// The media ports as nft has them: a range, or a set of ranges.
fn nft_ports(facts: &Facts) -> String {
    let ports = &facts.wanted.ports;
    match ports.ranges() {
        [range] => range.to_string(),
        _ => format!("{{ {ports} }}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::facts::{Conntrack, NatRule};
    use super::*;
    use crate::media::{MediaPorts, PortRange};

    #[test]
    fn rules_are_named_but_not_all_of_them() {
        let rule = |at: u32| NatRule {
            place: format!("rule {at}"),
        };
        let facts = Facts {
            nat: Ok((0..5).map(rule).collect()),
            ..Facts::healthy()
        };
        let found = check(&facts).remove(0);
        assert_eq!(found.verdict, Verdict::Warn);
        assert!(found.text.ends_with("rule 0; rule 1; rule 2; 2 more"));
        assert!(found.advice.unwrap().contains("30000-39999"));
    }

    #[test]
    fn several_ranges_of_ports_are_a_set_of_nft() {
        let mut facts = Facts::healthy();
        let range = |first, last| PortRange { first, last };
        facts.wanted.ports = MediaPorts::new(range(30_000, 39_999), &[range(35_000, 35_001)]);
        assert_eq!(nft_ports(&facts), "{ 30000-34999,35002-39999 }");
    }

    #[test]
    fn what_cannot_be_listed_is_said() {
        let facts = Facts {
            nat: Err("neither nft nor iptables-save".to_owned()),
            ..Facts::healthy()
        };
        assert_eq!(check(&facts)[0].verdict, Verdict::Unseen);
    }

    #[test]
    fn tracking_has_to_have_room_for_every_port() {
        let with = |max| {
            let facts = Facts {
                conntrack: Some(Conntrack { count: 10, max }),
                ..Facts::healthy()
            };
            check(&facts)[1].verdict
        };
        assert_eq!(with(262_144), Verdict::Ok);
        assert_eq!(with(8192), Verdict::Warn);
    }
}
