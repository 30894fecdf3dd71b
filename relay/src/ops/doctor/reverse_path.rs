//! Reverse path filtering: the first packets of a stream reach a socket only if it lets them.

use super::Finding;
use super::facts::{Facts, Interface};

const CHECK: &str = "rp_filter";
const STRICT: u8 = 1;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let receiving: Vec<&Interface> = facts
        .interfaces
        .iter()
        .filter(|interface| !interface.is_anchor && !interface.is_uplink)
        .collect();
    let is_elsewhere = receiving.len() < facts.interfaces.iter().filter(|i| !i.is_uplink).count();
    // With one interface that carries all addresses the way back is the way in.
    if receiving.len() < 2 && !is_elsewhere {
        return vec![];
    }
    let strict = receiving
        .iter()
        .filter(|interface| interface.rp_filter == Some(STRICT));
    let warning = |interface: &&Interface| {
        let name = &interface.name;
        Finding::warn(
            CHECK,
            format!(
                "{name} takes packets only from where it would send to (strict), and media addresses are on several \
                 interfaces: first packets may be dropped"
            ),
            format!("sysctl -w net.ipv4.conf.{name}.rp_filter=2"),
        )
    };
    strict.map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(interfaces: Vec<Interface>) -> usize {
        let facts = Facts {
            interfaces,
            ..Facts::healthy()
        };
        check(&facts).len()
    }

    fn strict() -> Interface {
        Interface {
            rp_filter: Some(STRICT),
            ..Interface::physical()
        }
    }

    #[test]
    fn strict_filtering_matters_where_packets_may_come_in_elsewhere() {
        let anchor = Interface {
            is_anchor: true,
            ..Interface::physical()
        };
        assert_eq!(found(vec![strict()]), 0);
        assert_eq!(found(vec![strict(), strict()]), 2);
        assert_eq!(found(vec![anchor, strict()]), 1);
    }

    #[test]
    fn loose_filtering_or_none_is_well() {
        for mode in [Some(0), Some(2), None] {
            let interface = Interface {
                rp_filter: mode,
                ..Interface::physical()
            };
            assert_eq!(found(vec![interface.clone(), interface]), 0);
        }
    }
}
