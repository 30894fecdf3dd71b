//! Ethernet with 802.1Q and 802.1ad tags.

use underpass_abi::Outcome;

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
    /// Destination address.
    pub destination: [u8; 6],
    /// What follows the tags; host order.
    pub ethertype: u16,
    /// Bytes before the network layer.
    pub length: usize,
}

impl Link {
    /// Parses the Ethernet header and up to two tags.
    ///
    /// # Errors
    /// [`Outcome::NotIp`] where the frame is cut short.
    #[inline(always)]
    pub fn parse(frame: impl Read) -> Result<Self, Outcome> {
        let ethernet: Ethernet = frame.read(0).ok_or(Outcome::NotIp)?;
        let mut link = Self {
            destination: ethernet.destination,
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

    /// Whether the frame is for `local` (all zero: any host), and not for a group.
    #[inline(always)]
    #[must_use]
    pub fn is_for(&self, local: [u8; 6]) -> bool {
        let group = self.destination[0] & 1 != 0;
        let [ours, theirs] = [words(local), words(self.destination)];
        let any = ours[0] | ours[1] | ours[2] == 0;
        !group && (any || (ours[0] == theirs[0] && ours[1] == theirs[1] && ours[2] == theirs[2]))
    }
}

/// The ethertype that announces one tag.
pub(crate) const TAG: u16 = TAG_802_1Q.to_be();

/// By words, since BPF compares an array of bytes one by one.
#[inline(always)]
fn words(mac: [u8; 6]) -> [u16; 3] {
    let [a, b, c, d, e, f] = mac;
    [
        u16::from_ne_bytes([a, b]),
        u16::from_ne_bytes([c, d]),
        u16::from_ne_bytes([e, f]),
    ]
}
