//! What a generation was made for, pinned beside its maps in words that agents of every layout understand: who shares
//! an interface with it has to know its addresses and ports, and whoever looks after it where its node's uplinks are.
//! So all agents that look after it agree, whatever namespace they are in and whatever uplinks they are told of.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::bpf;
use crate::tables::protocol::AddressPorts;

/// The pin, an array map of one element: JSON, padded with spaces. The same in every layout.
pub(super) const DEED: &str = "DEED";

const KEY: [u8; 4] = 0_u32.to_ne_bytes();

/// What every agent has to know of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Deed {
    /// Granted addresses.
    pub(super) addresses: Vec<IpAddr>,
    /// Granted ports at each.
    pub(super) ports: AddressPorts,
    /// The inode of the namespace that was the node's for the agent that made it.
    #[serde(default)]
    pub(super) home: u64,
    /// The names of the uplinks there that it knew.
    #[serde(default)]
    pub(super) uplinks: Vec<String>,
}

impl Deed {
    /// Pins it in a generation's directory.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec(self)?;
        text.resize(text.len().next_multiple_of(8), b' ');
        let map = bpf::create_map(&text, DEED)?;
        bpf::pin(map.as_fd(), &directory.join(DEED))
    }

    /// Reads that of a generation's directory.
    ///
    /// # Errors
    /// It is not there, or not understood.
    pub(super) fn read(directory: &Path) -> io::Result<Self> {
        let map = bpf::open(&directory.join(DEED))?;
        Ok(serde_json::from_slice(&bpf::lookup(map.as_fd(), &KEY)?)?)
    }
}
