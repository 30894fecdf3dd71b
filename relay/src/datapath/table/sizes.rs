//! How large the maps of a table are.

use underpass_abi::MAX_LOCALS;

/// Blocks of ports beyond one for each media address: 256 KiB each.
const SPARE_BLOCKS: u32 = 4;

/// What a table has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Flows, of both families.
    pub(crate) flows: u32,
    /// Records: one for each flow, and some that rest after their flow has ended or take its replacement in.
    pub(crate) records: u32,
    /// Local addresses.
    pub(crate) blocks: u32,
}

impl Sizes {
    /// Room for `max_flows` flows, at least one, at the ports of `addresses` media addresses.
    pub(crate) fn new(max_flows: u32, addresses: usize) -> Self {
        let flows = max_flows.max(1);
        let blocks = u32::try_from(addresses).unwrap_or(u32::MAX);
        Self {
            flows,
            records: flows.saturating_add(flows / 8 + 64),
            blocks: blocks
                .saturating_add(SPARE_BLOCKS)
                .min(2 * MAX_LOCALS as u32),
        }
    }
}
