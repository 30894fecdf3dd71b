//! What hands the packets of one interface to several tables' instances: its program and maps, pinned in a directory,
//! and filled in from the tenants' deeds alone, so that any agent can go on with it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use underpass_abi::share::{
    ADDRESSES, INSTANCES, OWNER_LINES, OWNERS, OwnerLine, PORTS_PER_LINE, TABLES, words,
};

use super::addresses::Addresses;
use super::bpf;
use super::deed::Deed;
use super::programs::{self, SHARE_PROGRAM};
use crate::datapath::Engine;
use crate::datapath::mapped::{Access, Mapped};
use crate::tables::protocol::Ports;

/// A table that has part of an interface.
#[derive(Debug)]
pub(super) struct Part {
    /// Its number.
    pub(super) table: u32,
    /// Its instance.
    pub(super) program: OwnedFd,
    /// Its addresses and ports.
    pub(super) deed: Deed,
}

/// Addresses that some tables have, together.
pub(super) fn addresses(parts: &[Part]) -> u32 {
    let addresses: BTreeSet<IpAddr> = parts
        .iter()
        .flat_map(|part| part.deed.addresses.iter().copied())
        .collect();
    addresses.len() as u32
}

/// One that is loaded.
#[derive(Debug)]
pub(super) struct Share {
    program: OwnedFd,
    addresses: Addresses,
    instances: OwnedFd,
    owners: Mapped<OwnerLine>,
}

impl Share {
    /// Makes one in a directory, with room for so many addresses.
    ///
    /// # Errors
    /// What the kernel, or its verifier, says.
    pub(super) fn make(directory: &Path, engine: Engine, room: u32) -> Result<Self, String> {
        programs::make_share(directory, engine, room)?;
        Self::open(directory).map_err(|error| format!("{}: {error}", directory.display()))
    }

    /// Finds one again.
    ///
    /// # Errors
    /// It is not there, or not as this build makes it.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let open = |name| bpf::open(&directory.join(name));
        let owners = open(OWNERS)?;
        let size = bpf::map_size(owners.as_fd())?;
        if size.value != size_of::<OwnerLine>() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Self {
            program: open(SHARE_PROGRAM)?,
            addresses: Addresses::new(open(ADDRESSES)?.as_fd())?,
            instances: open(INSTANCES)?,
            owners: Mapped::new(owners.as_fd(), size.elements, Access::Write)?,
        })
    }

    /// What is to be attached.
    pub(super) fn program(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }

    /// Addresses it has room for.
    pub(super) fn room(&self) -> u32 {
        self.owners.count() / OWNER_LINES
    }

    /// Has these tables share, and no others. What a table keeps it has all the time, and an instance is replaced by
    /// another from one packet to the next.
    ///
    /// # Errors
    /// What the kernel says; OutOfMemory: there is no room.
    pub(super) fn divide(&self, parts: &[Part]) -> io::Result<()> {
        for part in parts {
            let program = part.program.as_raw_fd().to_ne_bytes();
            bpf::update(self.instances.as_fd(), &part.table.to_ne_bytes(), &program)?;
        }
        let mut wanted: BTreeMap<[u64; 2], Vec<(&Part, Ports)>> = BTreeMap::new();
        for part in parts {
            for address in &part.deed.addresses {
                let ports = part.deed.ports.of(*address);
                wanted
                    .entry(words(*address))
                    .or_default()
                    .push((part, ports));
            }
        }
        let mut blocks = self.addresses.blocks();
        for (address, parts) in &wanted {
            let block = match blocks.get(address) {
                Some(block) => *block,
                None => {
                    let block = self.free(&blocks)?;
                    blocks.insert(*address, block);
                    block
                }
            };
            self.own(block, parts);
            self.addresses.give(*address, block)?;
        }
        for (address, block) in blocks {
            if !wanted.contains_key(&address) {
                self.addresses.take(address);
                self.own(block, &[]);
            }
        }
        for table in 0..TABLES {
            if !parts.iter().any(|part| part.table == table) {
                // Most have none.
                let _ = bpf::delete(self.instances.as_fd(), &table.to_ne_bytes());
            }
        }
        Ok(())
    }

    fn free(&self, blocks: &BTreeMap<[u64; 2], u32>) -> io::Result<u32> {
        let used: BTreeSet<u32> = blocks.values().copied().collect();
        (0..self.room())
            .find(|block| !used.contains(block))
            .ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// Says who has which ports of a block.
    fn own(&self, block: u32, parts: &[(&Part, Ports)]) {
        let mut owners = vec![0_u8; 1 << 16];
        for (part, ports) in parts {
            let ports = usize::from(ports.first)..=usize::from(ports.last);
            if let Some(owned) = owners.get_mut(ports) {
                owned.fill(part.table as u8 + 1);
            }
        }
        if block >= self.room() {
            return;
        }
        for (line, owners) in (block * OWNER_LINES..).zip(owners.chunks_exact(PORTS_PER_LINE)) {
            let words = self.owners.at(line).cast::<u64>();
            for (word, owners) in owners.as_chunks::<8>().0.iter().enumerate() {
                // SAFETY: an aligned word of the line, inside the mapping, which is only accessed atomically.
                let word = unsafe { AtomicU64::from_ptr(words.add(word)) };
                let owners = u64::from_ne_bytes(*owners);
                // What does not change stays in the caches of those who read it.
                if word.load(Ordering::Relaxed) != owners {
                    word.store(owners, Ordering::Release);
                }
            }
        }
    }
}
