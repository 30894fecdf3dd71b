//! How large the maps of a table are.

/// What a table has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Records: one for each flow, of either family, and some that rest after their flow has ended or take its
    /// replacement in.
    pub(crate) records: u32,
    /// Blocks of ports: one for each local address.
    pub(crate) blocks: u32,
}

impl Sizes {
    /// Room for `max_flows` flows, at least one, at the ports of `addresses` media addresses, at least one.
    pub(crate) fn new(max_flows: u32, addresses: usize) -> Self {
        let flows = max_flows.max(1);
        Self {
            records: flows.saturating_add(flows / 8 + 64),
            blocks: u32::try_from(addresses).unwrap_or(u32::MAX).max(1),
        }
    }
}
