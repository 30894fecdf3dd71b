//! The UDP checksum of a packet that leaves, where nobody says how to read the one it came with.
//!
//! A sender on the same machine leaves the checksum to the device (CHECKSUM_PARTIAL): the field then holds the folded sum
//! of the pseudo-header, not complemented, and XDP is not told. One complete checksum in 65,536 looks the same.

use underpass_abi::Outcome;

use crate::{Datagram, Internet, Plain, Read, Sum, sum};

/// Who fills in a checksum that the sender left to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nobody: native XDP sends bytes, so it must be complete.
    Native,
    /// The device: generic XDP keeps the packet's state, so the field must stay a pseudo-header's sum.
    Generic,
}

/// What of a UDP checksum goes on with the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdpChecksum {
    /// There is none (RFC 768).
    Absent,
    /// The sum over all but addresses and ports.
    Complete(Sum),
    /// Left to the device.
    Pseudo,
}

impl UdpChecksum {
    /// Reads the checksum of `arrived`. `udp` begins at its UDP header.
    ///
    /// # Errors
    /// [`Outcome::Checksum`] if it can be read both ways and that makes a difference.
    #[inline(always)]
    pub fn read<I: Internet>(
        arrived: &Datagram<I>,
        udp: impl Read,
        reading: Reading,
    ) -> Result<Self, Outcome>
    where
        Datagram<I>: Plain,
    {
        if arrived.udp.checksum == 0 {
            return if I::FAMILY == 4 {
                Ok(Self::Absent)
            } else {
                Err(Outcome::Checksum)
            };
        }
        if arrived.udp.checksum != arrived.pseudo_sum().fold() {
            // RFC 1624 equation 3: a complete checksum is the complement of the sum over everything else.
            let all = Sum::default().without(arrived.udp.checksum.into());
            return Ok(Self::Complete(
                all.minus(arrived.ip.address_sum())
                    .minus(arrived.port_sum()),
            ));
        }
        let length = usize::from(u16::from_be(arrived.udp.length));
        let bytes = sum(udp, length).ok_or(Outcome::Checksum)?;
        let all = bytes.plus(arrived.pseudo_sum());
        match reading {
            // Right in both readings: a complete checksum of these bytes is what it was, too.
            Reading::Native => {
                let all = all.without(arrived.udp.checksum.into());
                Ok(Self::Complete(
                    all.minus(arrived.ip.address_sum())
                        .minus(arrived.port_sum()),
                ))
            }
            Reading::Generic if all.fold() == 0xffff => Err(Outcome::Checksum),
            Reading::Generic => Ok(Self::Pseudo),
        }
    }

    /// The checksum field that `leaving` has.
    ///
    /// # Errors
    /// [`Outcome::Checksum`] if there is none, and must be towards IPv6 (RFC 8200 section 8.1).
    #[inline(always)]
    pub fn of<O: Internet>(self, leaving: &Datagram<O>) -> Result<u16, Outcome>
    where
        Datagram<O>: Plain,
    {
        match self {
            Self::Absent if O::FAMILY == 4 => Ok(0),
            Self::Absent => Err(Outcome::Checksum),
            Self::Complete(rest) => Ok(rest
                .plus(leaving.ip.address_sum())
                .plus(leaving.port_sum())
                .udp_checksum()),
            Self::Pseudo => Ok(leaving.pseudo_sum().fold()),
        }
    }
}
