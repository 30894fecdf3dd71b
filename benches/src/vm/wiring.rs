//! Ethernet addresses of the wires between guest and host.

/// The guest's device on the caller's side.
pub(super) const GUEST_A: [u8; 6] = [2, 0, 0, 0, 1, 1];
/// The caller.
pub(super) const OUTSIDE_A: [u8; 6] = [2, 0, 0, 0, 1, 2];
/// The guest's device on the callee's side.
pub(super) const GUEST_B: [u8; 6] = [2, 0, 0, 0, 2, 1];
/// The callee.
pub(super) const OUTSIDE_B: [u8; 6] = [2, 0, 0, 0, 2, 2];

/// An address as `ip` and QEMU write it.
#[must_use]
pub(super) fn text(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}
