//! The UDP checksum of a packet that leaves, where nobody says how to read the one it came with.
//!
//! A sender on the same machine leaves the checksum to the device (CHECKSUM_PARTIAL): the field then holds the folded sum
//! of the pseudo-header, not complemented, and XDP is not told. One complete checksum in 65,536 looks the same.

use core::hint::cold_path;

use underpass_abi::{Flow, Outcome};

use crate::{Internet, Read, Udp, add, carry, leaves_by, sum};

/// Who fills in a checksum that the sender left to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nobody: native XDP sends bytes, so it must be complete.
    Native,
    /// The device: generic XDP keeps the packet's state, so the field must stay a pseudo-header's sum.
    Generic,
}

/// Whether the checksum of a packet of `flow` is what a sender leaves that leaves it to the device.
#[inline(always)]
#[must_use]
pub fn is_pseudo(flow: &Flow, udp: &Udp) -> bool {
    udp.checksum == add(flow.arriving_sum, udp.length)
}

/// The checksum that a packet of `flow` leaves with, which came by `I` with the header `udp`. `packet` begins at its UDP
/// header.
///
/// # Errors
/// [`Outcome::Checksum`] if there is none, and must be towards IPv6 (RFC 8200 section 8.1), or if it can be read both ways
/// and that makes a difference.
#[inline(always)]
pub fn udp_checksum<I: Internet>(
    flow: &Flow,
    udp: &Udp,
    packet: impl Read,
    reading: Reading,
) -> Result<u16, Outcome> {
    if is_pseudo(flow, udp) {
        cold_path();
        return left_to_device(flow, udp, packet, reading);
    }
    if udp.checksum == 0 {
        cold_path();
        return if I::FAMILY == 4 && leaves_by::<I>(flow) {
            Ok(0)
        } else {
            Err(Outcome::Checksum)
        };
    }
    Ok(carry(udp.checksum, flow.udp_difference))
}

#[inline(always)]
fn left_to_device(
    flow: &Flow,
    udp: &Udp,
    packet: impl Read,
    reading: Reading,
) -> Result<u16, Outcome> {
    let length = usize::from(u16::from_be(udp.length));
    let bytes = sum(packet, length).ok_or(Outcome::Checksum)?;
    let all = bytes.with(flow.arriving_sum.into()).with(udp.length.into());
    match reading {
        // Right in both readings: a complete checksum of these bytes is what it was, too.
        Reading::Native => Ok(carry(
            !all.without(udp.checksum.into()).fold(),
            flow.udp_difference,
        )),
        Reading::Generic if all.fold() == 0xffff => Err(Outcome::Checksum),
        Reading::Generic => Ok(add(udp.checksum, flow.address_difference)),
    }
}
