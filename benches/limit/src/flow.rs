//! What the bare programs know of a flow.

/// A flow between IPv4 addresses, which stand in the first four bytes of their fields.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Flow {
    /// The only source accepted.
    pub source_address: [u8; 16],
    /// Source address of what leaves.
    pub from_address: [u8; 16],
    /// Destination of what leaves.
    pub to_address: [u8; 16],
    /// Source port accepted.
    pub source_port: [u8; 2],
    /// Source port of what leaves.
    pub from_port: [u8; 2],
    /// Destination port of what leaves.
    pub to_port: [u8; 2],
    /// Link-layer destination: the next hop.
    pub to_mac: [u8; 6],
    /// Link-layer source: the egress interface.
    pub from_mac: [u8; 6],
    /// Zero.
    pub reserved: [u8; 2],
    /// The interface it leaves through.
    pub egress_ifindex: u32,
}

const _: () = assert!(size_of::<Flow>() == 72, "without padding");
