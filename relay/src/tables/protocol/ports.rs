//! The ports that a claim asks for, and a grant has.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ports {
    /// Lowest.
    pub first: u16,
    /// Highest.
    pub last: u16,
}

/// A range of ports at each of several addresses.
///
/// Peers that know no [`Self::at`] go by [`Self::all`] everywhere: it holds every other range, so they keep from others more
/// than is needed, and grant nothing twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressPorts {
    /// From the lowest port of any address to the highest: the range of those that [`Self::at`] does not name.
    #[serde(flatten)]
    pub all: Ports,
    /// The ranges of addresses that have less than that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub at: BTreeMap<IpAddr, Ports>,
}

impl Ports {
    /// Whether there are any, all from 1 on.
    #[must_use]
    pub fn are_valid(self) -> bool {
        0 < self.first && self.first <= self.last
    }

    /// Whether all of `others` are among these.
    #[must_use]
    pub fn hold(self, others: Self) -> bool {
        self.first <= others.first && others.last <= self.last
    }

    /// Whether some are in both.
    #[must_use]
    pub fn overlap(self, others: Self) -> bool {
        self.first <= others.last && others.first <= self.last
    }
}

impl AddressPorts {
    /// The range of an address.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> Ports {
        self.at.get(&address).copied().unwrap_or(self.all)
    }
}

/// The same range everywhere.
impl From<Ports> for AddressPorts {
    fn from(all: Ports) -> Self {
        let at = BTreeMap::new();
        Self { all, at }
    }
}

impl FromIterator<(IpAddr, Ports)> for AddressPorts {
    fn from_iter<I: IntoIterator<Item = (IpAddr, Ports)>>(ranges: I) -> Self {
        let mut at: BTreeMap<IpAddr, Ports> = ranges.into_iter().collect();
        let ends = at.values().copied().reduce(|all, ports| Ports {
            first: all.first.min(ports.first),
            last: all.last.max(ports.last),
        });
        let all = ends.unwrap_or(Ports { first: 0, last: 0 });
        at.retain(|_, ports| *ports != all);
        Self { all, at }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LOW: Ports = Ports { first: 1, last: 9 };
    const HIGH: Ports = Ports { first: 5, last: 20 };

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn every_address_has_its_own_range() {
        let ports: AddressPorts = [(address(1), LOW), (address(2), HIGH)]
            .into_iter()
            .collect();
        assert_eq!(ports.of(address(1)), LOW);
        assert_eq!(ports.of(address(2)), HIGH);
        assert_eq!(ports.all, Ports { first: 1, last: 20 });
    }

    #[test]
    fn a_range_that_all_have_is_said_as_ever() {
        let ports: AddressPorts = [(address(1), LOW), (address(2), LOW)].into_iter().collect();
        assert_eq!(ports, LOW.into());
        let said = serde_json::to_value(&ports).unwrap();
        assert_eq!(said, json!({"first": 1, "last": 9}));
        assert_eq!(serde_json::from_value::<AddressPorts>(said).unwrap(), ports);
    }

    #[test]
    fn a_peer_that_knows_one_range_only_sees_one_that_holds_all() {
        let ports: AddressPorts = [(address(1), LOW), (address(2), HIGH)]
            .into_iter()
            .collect();
        let said = serde_json::to_value(&ports).unwrap();
        assert_eq!(
            serde_json::from_value::<AddressPorts>(said.clone()).unwrap(),
            ports
        );
        let known: Ports = serde_json::from_value(said).unwrap();
        assert!(known.hold(LOW) && known.hold(HIGH));
    }
}
