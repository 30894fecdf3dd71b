//! IPv4 and IPv6 headers: what a packet must look like to be forwarded, and the header it leaves with.

use underpass_abi::Outcome;

use crate::{Addressing, Plain, Sum};

const UDP: u8 = 17;
const DONT_FRAGMENT: u16 = 0x4000;
const FRAGMENT_BITS: u16 = 0x3fff;

/// A network layer.
pub trait Internet: Plain {
    /// Header length, bytes.
    const LENGTH: usize;
    /// Host order.
    const ETHERTYPE: u16;
    /// 4 or 6.
    const FAMILY: u8;

    /// Checks that this is a header as every sender of RTP writes it, on one whole UDP datagram; the UDP datagram's
    /// length. `available`: bytes from the header to the end of the frame.
    ///
    /// # Errors
    /// What it is instead.
    fn udp_length(&self, available: usize) -> Result<usize, Outcome>;

    /// Whether the header's own checksum, if it has one, is right.
    fn is_intact(&self) -> bool;

    /// Whether `address` sent it.
    fn is_from(&self, address: &[u8; 16]) -> bool;

    /// The sum over both addresses.
    fn address_sum(&self) -> Sum;

    /// The sum over the whole header.
    fn header_sum(&self) -> Sum;

    /// The sum over the header's first 20 bytes.
    fn first_20_bytes_sum(&self) -> Sum;

    /// The header of what leaves as it stands in [`underpass_abi::Flow::head`]: without its length, and with the sum over
    /// it where the checksum will be.
    fn head(addressing: &Addressing) -> Self;

    /// That header completed for a UDP datagram of `udp_length` (network order).
    fn completed(self, udp_length: u16) -> Self;
}

/// An IPv4 header without options; fields in network order.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4 {
    /// 0x45.
    pub version_length: u8,
    /// TOS byte.
    pub tos: u8,
    /// Header and payload.
    pub total_length: u16,
    /// Identification.
    pub id: u16,
    /// Flags and offset.
    pub fragment: u16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol.
    pub protocol: u8,
    /// Of the header.
    pub checksum: u16,
    /// Source address.
    pub source: u32,
    /// Destination address.
    pub destination: u32,
}

/// An IPv6 header; fields in network order.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    /// Version, traffic class, flow label.
    pub version_class_label: u32,
    /// All that follows the header.
    pub payload_length: u16,
    /// Protocol.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source address.
    pub source: [u32; 4],
    /// Destination address.
    pub destination: [u32; 4],
}

// SAFETY: bytes and words without padding: 20 and 40 bytes, as asserted.
unsafe impl Plain for Ipv4 {}
// SAFETY: as above.
unsafe impl Plain for Ipv6 {}
const _: () = assert!(size_of::<Ipv4>() == 20 && size_of::<Ipv6>() == 40);

impl Internet for Ipv4 {
    const LENGTH: usize = 20;
    const ETHERTYPE: u16 = 0x0800;
    const FAMILY: u8 = 4;

    #[inline(always)]
    fn udp_length(&self, available: usize) -> Result<usize, Outcome> {
        match self.version_length {
            0x45 => {}
            0x46..=0x4f => return Err(Outcome::Options),
            _ => return Err(Outcome::NotIp),
        }
        let total = usize::from(u16::from_be(self.total_length));
        if total < Self::LENGTH || total > available {
            return Err(Outcome::NotIp);
        }
        if u16::from_be(self.fragment) & FRAGMENT_BITS != 0 {
            return Err(Outcome::Fragment);
        }
        if self.protocol != UDP {
            return Err(Outcome::NotUdp);
        }
        Ok(total - Self::LENGTH)
    }

    #[inline(always)]
    fn is_intact(&self) -> bool {
        self.header_sum().fold() == 0xffff
    }

    #[inline(always)]
    fn is_from(&self, address: &[u8; 16]) -> bool {
        self.source == words(address)[0]
    }

    #[inline(always)]
    fn address_sum(&self) -> Sum {
        Sum::default().with(self.source).with(self.destination)
    }

    #[inline(always)]
    fn header_sum(&self) -> Sum {
        let first = u16::from_ne_bytes([self.version_length, self.tos]);
        let fifth = u16::from_ne_bytes([self.ttl, self.protocol]);
        [
            first,
            self.total_length,
            self.id,
            self.fragment,
            fifth,
            self.checksum,
        ]
        .into_iter()
        .fold(self.address_sum(), |sum, word| sum.with(word.into()))
    }

    #[inline(always)]
    fn first_20_bytes_sum(&self) -> Sum {
        self.header_sum()
    }

    fn head(addressing: &Addressing) -> Self {
        let [source, destination] = addressing.leaving_words();
        let header = Self {
            version_length: 0x45,
            tos: addressing.tos,
            total_length: 0,
            id: 0,
            fragment: DONT_FRAGMENT.to_be(),
            ttl: addressing.ttl,
            protocol: UDP,
            checksum: 0,
            source: source[0],
            destination: destination[0],
        };
        Self {
            checksum: header.header_sum().fold(),
            ..header
        }
    }

    #[inline(always)]
    fn completed(self, udp_length: u16) -> Self {
        let total_length = (u16::from_be(udp_length) + 20).to_be();
        let sum = Sum::default()
            .with(self.checksum.into())
            .with(total_length.into());
        Self {
            total_length,
            checksum: sum.ip_checksum(),
            ..self
        }
    }
}

impl Internet for Ipv6 {
    const LENGTH: usize = 40;
    const ETHERTYPE: u16 = 0x86dd;
    const FAMILY: u8 = 6;

    #[inline(always)]
    fn udp_length(&self, available: usize) -> Result<usize, Outcome> {
        if u32::from_be(self.version_class_label) >> 28 != 6 {
            return Err(Outcome::NotIp);
        }
        let payload = usize::from(u16::from_be(self.payload_length));
        if payload + Self::LENGTH > available {
            return Err(Outcome::NotIp);
        }
        match self.next_header {
            UDP => Ok(payload),
            44 => Err(Outcome::Fragment),
            // Hop-by-hop, routing, ESP, AH, destination options, mobility, HIP, shim6 (the IANA list of extension headers).
            0 | 43 | 50 | 51 | 60 | 135 | 139 | 140 => Err(Outcome::Options),
            _ => Err(Outcome::NotUdp),
        }
    }

    #[inline(always)]
    fn is_intact(&self) -> bool {
        true
    }

    #[inline(always)]
    fn is_from(&self, address: &[u8; 16]) -> bool {
        let address = words(address);
        let [a, b, c, d] = self.source;
        (a ^ address[0]) | (b ^ address[1]) | (c ^ address[2]) | (d ^ address[3]) == 0
    }

    #[inline(always)]
    fn address_sum(&self) -> Sum {
        Sum::default()
            .with_all(self.source)
            .with_all(self.destination)
    }

    #[inline(always)]
    fn header_sum(&self) -> Sum {
        let last = u16::from_ne_bytes([self.next_header, self.hop_limit]);
        self.address_sum()
            .with(self.version_class_label)
            .with(self.payload_length.into())
            .with(last.into())
    }

    #[inline(always)]
    fn first_20_bytes_sum(&self) -> Sum {
        self.header_sum()
            .without(self.source[3])
            .minus(Sum::default().with_all(self.destination))
    }

    fn head(addressing: &Addressing) -> Self {
        let [source, destination] = addressing.leaving_words();
        Self {
            version_class_label: (0x6000_0000 | u32::from(addressing.tos) << 20).to_be(),
            payload_length: 0,
            next_header: UDP,
            hop_limit: addressing.ttl,
            source,
            destination,
        }
    }

    #[inline(always)]
    fn completed(self, udp_length: u16) -> Self {
        Self {
            payload_length: udp_length,
            ..self
        }
    }
}

#[inline(always)]
pub(crate) fn words(address: &[u8; 16]) -> [u32; 4] {
    // SAFETY: both are sixteen plain bytes.
    unsafe { core::mem::transmute(*address) }
}
