//! The memory of a relay's BPF maps, as the kernel tells it of their descriptors.

use std::collections::BTreeMap;
use std::fs;

use underpass::datapath::MAX_FLOWS;

/// What a relay's maps take together.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableMemory {
    /// All maps, bytes.
    pub(super) bytes: u64,
    /// Flows that fit, as configured by default.
    pub(super) flows: u32,
}

impl TableMemory {
    /// Of all maps that the process holds open; `None` if it holds none.
    pub(super) fn of(process: u32) -> Option<Self> {
        let mut maps = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{process}/fdinfo")).ok()? {
            let Ok(text) = fs::read_to_string(entry.ok()?.path()) else {
                continue;
            };
            maps.extend(map(&text));
        }
        let bytes = maps.values().sum();
        (bytes > 0).then_some(Self {
            bytes,
            flows: MAX_FLOWS,
        })
    }
}

/// Id and bytes of a map; `None` for other descriptors.
fn map(text: &str) -> Option<(u64, u64)> {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse().ok()
    };
    Some((field("map_id:")?, field("memlock:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_told_by_its_fields() {
        let text = "pos:\t0\nflags:\t02000002\nmap_type:\t1\nkey_size:\t8\nmax_entries:\t64\nmemlock:\t4096\nmap_id:\t9\n";
        assert_eq!(map(text), Some((9, 4096)));
    }

    #[test]
    fn other_descriptors_are_no_maps() {
        assert_eq!(map("pos:\t0\nflags:\t02\nmnt_id:\t9\n"), None);
    }
}
