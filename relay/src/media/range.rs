//! Which ports media may have at an address.

use std::fmt;

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// Lowest.
    pub first: u16,
    /// Highest.
    pub last: u16,
}

/// The ports that media may have: ranges in ascending order, with a gap between each and the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaPorts {
    ranges: Vec<PortRange>,
}

impl PortRange {
    /// Not one port.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.first > self.last
    }

    /// What is below `excluded` and what is above, if anything is.
    fn without(self, excluded: PortRange) -> impl Iterator<Item = PortRange> {
        let below = excluded.first.checked_sub(1).map(|last| PortRange {
            first: self.first,
            last: self.last.min(last),
        });
        let above = excluded.last.checked_add(1).map(|first| PortRange {
            first: self.first.max(first),
            last: self.last,
        });
        let parts = [below, above].into_iter().flatten();
        parts.filter(|part| !part.is_empty())
    }
}

impl MediaPorts {
    /// The ports of `range` that none of `excluded` has.
    #[must_use]
    pub fn new(range: PortRange, excluded: &[PortRange]) -> Self {
        let mut ranges = vec![range];
        ranges.retain(|range| !range.is_empty());
        for excluded in excluded {
            let parts = ranges.iter().flat_map(|range| range.without(*excluded));
            ranges = parts.collect();
        }
        Self { ranges }
    }

    /// The ports that any of `all` has.
    #[must_use]
    pub fn union<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let all = all.into_iter().flat_map(|ports| &ports.ranges);
        let mut sorted: Vec<PortRange> = all.copied().collect();
        sorted.sort_unstable_by_key(|range| range.first);
        let mut ranges: Vec<PortRange> = Vec::new();
        for next in sorted {
            match ranges.last_mut() {
                Some(range) if next.first <= range.last.saturating_add(1) => {
                    range.last = range.last.max(next.last);
                }
                _ => ranges.push(next),
            }
        }
        Self { ranges }
    }

    /// The ranges, ascending.
    #[must_use]
    pub fn ranges(&self) -> &[PortRange] {
        &self.ranges
    }

    /// From the lowest port to the highest, whatever is excluded between them.
    #[must_use]
    pub fn span(&self) -> PortRange {
        PortRange {
            first: self.ranges.first().map_or(0, |range| range.first),
            last: self.ranges.last().map_or(0, |range| range.last),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        let of = |range: &PortRange| u64::from(range.last - range.first) + 1;
        self.ranges.iter().map(of).sum()
    }

    /// The even ports whose odd neighbours are there, too, ascending.
    pub fn pairs(&self) -> impl Iterator<Item = u16> {
        let ranges = self.ranges.iter();
        ranges
            .flat_map(|range| range.first.max(2)..range.last)
            .filter(|port| port % 2 == 0)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// As sysctls have it: `30000-31999,32002-39999`.
impl fmt::Display for MediaPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.ranges.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{range}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u16, last: u16) -> PortRange {
        PortRange { first, last }
    }

    fn ports(first: u16, last: u16, excluded: &[(u16, u16)]) -> MediaPorts {
        let excluded: Vec<PortRange> = excluded.iter().map(|of| range(of.0, of.1)).collect();
        MediaPorts::new(range(first, last), &excluded)
    }

    #[test]
    fn a_pair_is_an_even_port_and_the_next() {
        let pairs: Vec<u16> = ports(101, 106, &[]).pairs().collect();
        assert_eq!(pairs, [102, 104]);
        let last: Vec<u16> = ports(65_533, 65_535, &[]).pairs().collect();
        assert_eq!(last, [65_534]);
        assert_eq!(ports(1, 2, &[]).pairs().count(), 0);
        assert_eq!(ports(9, 8, &[]).pairs().count(), 0);
    }

    #[test]
    fn an_excluded_port_takes_its_neighbour_along() {
        let pairs: Vec<u16> = ports(100, 109, &[(103, 104)]).pairs().collect();
        assert_eq!(pairs, [100, 106, 108]);
    }

    #[test]
    fn excluded_ranges_may_overlap_each_other_and_the_ends() {
        let of = |excluded| ports(100, 200, excluded).to_string();
        assert_eq!(of(&[]), "100-200");
        assert_eq!(of(&[(150, 150)]), "100-149,151-200");
        assert_eq!(of(&[(150, 160), (155, 170)]), "100-149,171-200");
        assert_eq!(of(&[(0, 109), (190, 65_535)]), "110-189");
        assert_eq!(of(&[(10, 20), (300, 400)]), "100-200");
        assert_eq!(of(&[(0, 65_535)]), "");
    }

    #[test]
    fn a_union_has_every_port_once() {
        let all = [
            ports(300, 400, &[]),
            ports(100, 200, &[(150, 160)]),
            ports(155, 170, &[]),
            ports(201, 210, &[]),
        ];
        let union = MediaPorts::union(&all);
        assert_eq!(union.to_string(), "100-149,155-210,300-400");
        assert_eq!(union.span(), range(100, 400));
        assert_eq!(union.count(), 50 + 56 + 101);
    }
}
