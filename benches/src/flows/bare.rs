//! The limit: one system call per entry of a hash map with keys and values as long as a flow's.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::limit::Flow;
use anyhow::Result;
use aya::Ebpf;

use super::clock::{Cost, Watch};
use crate::limit;

/// The bare program's flow map, of which only the map is used.
pub(super) struct Map {
    ebpf: Ebpf,
    entries: usize,
}

impl Map {
    /// A map for so many entries.
    pub(super) fn load(most: usize) -> Result<Self> {
        let ebpf = limit::load(u32::try_from(most)?.max(1) * 5 / 4 + 8)?;
        Ok(Self { ebpf, entries: 0 })
    }

    /// Inserts entries until there are so many.
    pub(super) fn insert_up_to(&mut self, entries: usize) -> Result<Cost> {
        let mut map = limit::flows(&mut self.ebpf)?;
        let flow = Flow::default();
        let watch = Watch::start();
        for n in self.entries..entries {
            limit::insert(&mut map, key(n), &flow)?;
        }
        self.entries = entries;
        Ok(watch.cost())
    }

    /// Deletes entries until only so many are left.
    pub(super) fn delete_down_to(&mut self, entries: usize) -> Result<Cost> {
        let mut map = limit::flows(&mut self.ebpf)?;
        let watch = Watch::start();
        for n in (entries..self.entries).rev() {
            limit::remove(&mut map, key(n))?;
        }
        self.entries = entries;
        Ok(watch.cost())
    }
}

/// 50,000 ports on each of several addresses.
fn key(n: usize) -> SocketAddrV4 {
    let host = Ipv4Addr::new(10, 0, 0, (n / 50_000) as u8);
    SocketAddrV4::new(host, 10_000 + (n % 50_000) as u16)
}
