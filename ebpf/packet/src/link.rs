//! Ethernet with 802.1Q and 802.1ad tags.

use core::hint::cold_path;
use core::mem::offset_of;

use underpass_abi::{Flow, Outcome};

use crate::{Plain, Read};

const TAG_802_1Q: u16 = 0x8100;
const TAG_802_1AD: u16 = 0x88a8;

/// An Ethernet header.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ethernet {
    /// Destination address.
    pub destination: [u8; 6],
    /// Source address.
    pub source: [u8; 6],
    /// What follows; network order.
    pub ethertype: u16,
}

/// What an 802.1Q tag adds after the addresses' ethertype.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vlan {
    /// Priority and VLAN id; network order.
    pub control: u16,
    /// What follows; network order.
    pub ethertype: u16,
}

// SAFETY: bytes and words without padding.
unsafe impl Plain for Ethernet {}
// SAFETY: as above.
unsafe impl Plain for Vlan {}

/// The link-layer part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// What follows the tags; host order.
    pub ethertype: u16,
    /// Bytes before the network layer.
    pub length: usize,
}

impl Link {
    /// Of a frame without tags.
    #[inline(always)]
    #[must_use]
    pub fn untagged(ethertype: u16) -> Self {
        Self {
            ethertype,
            length: size_of::<Ethernet>(),
        }
    }

    /// Parses the Ethernet header and up to two tags.
    ///
    /// # Errors
    /// [`Outcome::NotIp`] where the frame is cut short.
    #[inline(always)]
    pub fn parse(frame: impl Read) -> Result<Self, Outcome> {
        let ethernet: Ethernet = frame.read(0).ok_or(Outcome::NotIp)?;
        let mut link = Self {
            ethertype: u16::from_be(ethernet.ethertype),
            length: size_of::<Ethernet>(),
        };
        for offset in [14, 18] {
            if link.ethertype != TAG_802_1Q && link.ethertype != TAG_802_1AD {
                break;
            }
            let tag: Vlan = frame.read(offset).ok_or(Outcome::NotIp)?;
            link.ethertype = u16::from_be(tag.ethertype);
            link.length = offset + size_of::<Vlan>();
        }
        Ok(link)
    }
}

/// Whether a frame is for the flow's [`Flow::local_mac`] (all zero: for any host), and not for a group.
#[inline(always)]
#[must_use]
pub fn is_for(frame: impl Read, flow: &Flow) -> bool {
    const { assert!(offset_of!(Flow, local_mac) % 8 == 0) };
    // SAFETY: inside the flow, since more follows, and aligned as asserted; any bytes are a number.
    let local = unsafe {
        (&raw const *flow)
            .cast::<u8>()
            .add(offset_of!(Flow, local_mac))
            .cast::<u64>()
            .read()
    };
    let Some(destination) = frame.read::<u64>(0) else {
        return false;
    };
    // Six of the eight bytes. A group address is none of ours.
    if u64::from_le(local ^ destination) << 16 == 0 {
        return true;
    }
    cold_path();
    let group = u64::from_le(destination) & 1 != 0;
    !group && u64::from_le(local) << 16 == 0
}

/// The ethertype that announces one tag.
pub(crate) const TAG: u16 = TAG_802_1Q.to_be();
