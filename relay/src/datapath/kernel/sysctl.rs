//! The system's defaults for fresh packets.

use std::collections::BTreeMap;
use std::fs;

/// Linux's own default, where the sysctl can't be read.
const DEFAULT: u8 = 64;

/// TTLs and hop limits, read once each.
#[derive(Debug, Default)]
pub(super) struct HopLimits {
    ttl: Option<u8>,
    by_name: BTreeMap<String, u8>,
}

impl HopLimits {
    /// The TTL of a fresh IPv4 packet.
    pub(super) fn ttl(&mut self) -> u8 {
        *self
            .ttl
            .get_or_insert_with(|| read("/proc/sys/net/ipv4/ip_default_ttl"))
    }

    /// The hop limit of a fresh IPv6 packet through the interface `name`.
    pub(super) fn hop_limit(&mut self, name: &str) -> u8 {
        if let Some(limit) = self.by_name.get(name) {
            return *limit;
        }
        let limit = read(&format!("/proc/sys/net/ipv6/conf/{name}/hop_limit"));
        self.by_name.insert(name.to_owned(), limit);
        limit
    }

    /// They may have changed.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

fn read(path: &str) -> u8 {
    fs::read_to_string(path)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .filter(|limit| *limit > 0)
        .unwrap_or(DEFAULT)
}
