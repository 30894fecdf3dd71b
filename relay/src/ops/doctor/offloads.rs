//! What the device does before a program sees a packet: queues, merging, large frames.

use super::facts::{Facts, Interface};
use super::{Finding, interfaces};

/// The largest packet that most drivers take with native XDP: a page less its headroom and tail.
const MAX_XDP_MTU: u32 = 3498;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let physical = facts
        .interfaces
        .iter()
        .filter(|interface| !interface.is_anchor && interface.kind.is_none());
    physical.flat_map(of).collect()
}

fn of(interface: &Interface) -> Vec<Finding> {
    let name = &interface.name;
    let mut findings = Vec::new();
    match (&interface.hashes_ports, interface.queues) {
        (Ok(Some(false)), 2..) => findings.push(Finding::warn(
            "rss",
            format!("{name} chooses the queue of UDP packets by addresses alone: a SIP trunk between two addresses uses one core"),
            format!("ethtool -N {name} rx-flow-hash udp4 sdfn, and udp6"),
        )),
        (Ok(_), 2..) => {}
        (Err(why), 2..) => findings.push(Finding::unseen("rss", format!("{name}: {why}"))),
        (_, _) => {}
    }
    if !interfaces::may_get_xdp(interface) {
        return findings;
    }
    if interface.mtu > MAX_XDP_MTU {
        findings.push(Finding::warn(
            "mtu",
            format!(
                "{name} has an MTU of {}: most drivers refuse native XDP above {MAX_XDP_MTU}",
                interface.mtu
            ),
            format!("ip link set {name} mtu 1500, where nothing needs more; else tc forwards"),
        ));
    }
    if interface.lro == Some(true) {
        findings.push(Finding::warn(
            "lro",
            format!(
                "{name} has large receive offload on, with which some drivers refuse native XDP"
            ),
            format!("ethtool -K {name} lro off"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use crate::datapath::EngineChoice;

    fn checks(interface: &Interface) -> Vec<(&'static str, Verdict)> {
        of(interface).iter().map(|f| (f.check, f.verdict)).collect()
    }

    #[test]
    fn several_queues_are_to_be_chosen_by_ports_too() {
        let with = |queues, hashes_ports| Interface {
            queues,
            hashes_ports,
            ..Interface::physical()
        };
        assert_eq!(checks(&with(4, Ok(Some(true)))), []);
        assert_eq!(checks(&with(4, Ok(Some(false)))), [("rss", Verdict::Warn)]);
        assert_eq!(checks(&with(1, Ok(Some(false)))), []);
        assert_eq!(checks(&with(4, Ok(None))), []);
        let unseen = with(4, Err("no ethtool".to_owned()));
        assert_eq!(checks(&unseen), [("rss", Verdict::Unseen)]);
    }

    #[test]
    fn what_keeps_native_xdp_away_matters_where_xdp_is_tried() {
        let mut interface = Interface {
            mtu: 9000,
            lro: Some(true),
            ..Interface::physical()
        };
        assert_eq!(
            checks(&interface),
            [("mtu", Verdict::Warn), ("lro", Verdict::Warn)]
        );
        interface.choice = EngineChoice::Tc;
        assert_eq!(checks(&interface), []);
    }

    #[test]
    fn virtual_links_are_not_looked_at() {
        let mut facts = Facts::healthy();
        facts.interfaces = vec![Interface {
            mtu: 9000,
            ..Interface::veth()
        }];
        assert_eq!(check(&facts), []);
    }
}
