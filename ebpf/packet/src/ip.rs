//! IPv4 and IPv6 headers: what a packet must look like to be forwarded, and the header it leaves with.

use underpass_abi::{Grant, GrantedV4, GrantedV6, HEAD_WORDS, MAX_LOCALS, Outcome};

use crate::checksum::add;
use crate::{Addressing, Ethernet, Granted, Head, Plain, Read, Sum, Write, refuse};

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
    /// The words of [`underpass_abi::Flow::head`] that headers of this family take.
    const HEAD_WORDS: usize;

    /// An address that a table may have.
    type Granted: Granted;

    /// Those of a table, of which the first so many count.
    fn granted(grant: &Grant) -> (&[Self::Granted; MAX_LOCALS], u32);

    /// Whether it is for `local`'s address.
    fn is_to(&self, local: &Self::Granted) -> bool;

    /// Whether what begins with `head` is a whole UDP datagram from `local`, whatever its link layer.
    fn is_granted(head: &Head, local: &Self::Granted) -> bool;

    /// Checks that this is a header as every sender of RTP writes it, on one whole UDP datagram; the UDP datagram's
    /// length. `available`: bytes from the header to the end of the frame.
    ///
    /// # Errors
    /// What it is instead.
    fn udp_length(&self, available: usize) -> Result<usize, Outcome>;

    /// Whether the own checksum, if it has one, of the header that `packet` begins with is right.
    fn is_intact(packet: impl Read) -> bool;

    /// Whether `address` sent it.
    fn is_from(&self, address: &[u8; 16]) -> bool;

    /// The sum over both addresses.
    fn address_sum(&self) -> Sum;

    /// The sum over the header less that over its addresses; of IPv4 if its checksum is right.
    fn rest_sum(&self) -> Sum;

    /// The sum over the header's first 20 bytes; of IPv4 if its checksum is right.
    fn first_20_bytes_sum(&self) -> Sum;

    /// The header of what leaves as it stands in [`underpass_abi::Flow::head`].
    fn head(addressing: &Addressing) -> Self;

    /// That header for a UDP datagram of `udp_length` (network order).
    fn leaving(head: &Head, udp_length: u16) -> Self;

    /// Writes `head` to a frame from `offset` on, completed for a UDP datagram of `udp_length` (network order) with this
    /// checksum. `None`, and nothing written, if the frame is too short.
    fn write(
        frame: &mut impl Write,
        offset: usize,
        head: &Head,
        udp_length: u16,
        udp_checksum: u16,
    ) -> Option<()>;
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
    const HEAD_WORDS: usize = 5;

    type Granted = GrantedV4;

    #[inline(always)]
    fn granted(grant: &Grant) -> (&[GrantedV4; MAX_LOCALS], u32) {
        (&grant.v4, grant.v4_count)
    }

    #[inline(always)]
    fn is_to(&self, local: &GrantedV4) -> bool {
        self.destination == u32::from_ne_bytes(local.address)
    }

    #[inline(always)]
    fn is_granted(head: &Head, local: &GrantedV4) -> bool {
        // Bytes 12 to 14: IPv4 in Ethernet, without options. 20, 21, 23: no fragment, UDP. 26 to 29: the source. 34, 35: its
        // port.
        let version = head.word(1) >> 32 & 0x00ff_ffff == 0x45_0008;
        let datagram = head.word(2) & 0xff00_ffbf_0000_0000 == 17 << 56;
        let source = (head.word(3) >> 16) as u32 == u32::from_le_bytes(local.address);
        let port = ((head.word(4) >> 16) as u16).swap_bytes();
        version && datagram && source && local.has(port)
    }

    #[inline(always)]
    fn udp_length(&self, available: usize) -> Result<usize, Outcome> {
        if self.version_length != 0x45 {
            return match self.version_length {
                0x46..=0x4f => refuse(Outcome::Options),
                _ => refuse(Outcome::NotIp),
            };
        }
        let total = usize::from(u16::from_be(self.total_length));
        if total < Self::LENGTH || total > available {
            return refuse(Outcome::NotIp);
        }
        if u16::from_be(self.fragment) & FRAGMENT_BITS != 0 {
            return refuse(Outcome::Fragment);
        }
        if self.protocol != UDP {
            return refuse(Outcome::NotUdp);
        }
        Ok(total - Self::LENGTH)
    }

    #[inline(always)]
    fn is_intact(packet: impl Read) -> bool {
        packet
            .read::<[u32; 5]>(0)
            .is_some_and(|words| Sum::default().with_all(words).fold() == 0xffff)
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
    fn rest_sum(&self) -> Sum {
        Sum::default().minus(self.address_sum())
    }

    #[inline(always)]
    fn first_20_bytes_sum(&self) -> Sum {
        Sum::default()
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
        // SAFETY: both are twenty plain bytes.
        let words: [u32; 5] = unsafe { core::mem::transmute(header) };
        Self {
            checksum: Sum::default().with_all(words).fold(),
            ..header
        }
    }

    #[inline(always)]
    fn leaving(head: &Head, udp_length: u16) -> Self {
        let header: Self = header_in(head);
        let total_length = (u16::from_be(udp_length) + 20).to_be();
        Self {
            total_length,
            checksum: !add(header.checksum, total_length),
            ..header
        }
    }

    #[inline(always)]
    fn write(
        frame: &mut impl Write,
        offset: usize,
        head: &Head,
        udp_length: u16,
        udp_checksum: u16,
    ) -> Option<()> {
        let total_length = (u16::from_be(udp_length) + 20).to_be();
        let Head([a, b, c, d, e, ..]) = *head;
        let sum = first_two_bytes(d);
        let words = [
            a,
            b,
            c | at(0, total_length),
            d ^ at(0, sum ^ !add(sum, total_length)),
            e | at(6, udp_length),
        ];
        frame.write(offset + 40, udp_checksum)?;
        frame.write(offset, words)
    }
}

impl Internet for Ipv6 {
    const LENGTH: usize = 40;
    const ETHERTYPE: u16 = 0x86dd;
    const FAMILY: u8 = 6;
    const HEAD_WORDS: usize = 8;

    type Granted = GrantedV6;

    #[inline(always)]
    fn granted(grant: &Grant) -> (&[GrantedV6; MAX_LOCALS], u32) {
        (&grant.v6, grant.v6_count)
    }

    #[inline(always)]
    fn is_to(&self, local: &GrantedV6) -> bool {
        same(self.destination, words(&local.address))
    }

    #[inline(always)]
    fn is_granted(head: &Head, local: &GrantedV6) -> bool {
        // Bytes 12 to 14: IPv6 in Ethernet. 20: UDP. 22 to 37: the source. 54, 55: its port.
        let version = head.word(1) >> 32 & 0x00f0_ffff == 0x60_dd86;
        let datagram = head.word(2) >> 32 & 0xff == 17;
        let [a, b, c, d] = words(&local.address).map(|word| u64::from(u32::from_le(word)));
        let source = [
            head.word(2) >> 48 | head.word(3) << 16,
            head.word(3) >> 48 | head.word(4) << 16,
        ];
        let port = ((head.word(6) >> 48) as u16).swap_bytes();
        version && datagram && source == [a | b << 32, c | d << 32] && local.has(port)
    }

    #[inline(always)]
    fn udp_length(&self, available: usize) -> Result<usize, Outcome> {
        if u32::from_be(self.version_class_label) >> 28 != 6 {
            return refuse(Outcome::NotIp);
        }
        let payload = usize::from(u16::from_be(self.payload_length));
        if payload + Self::LENGTH > available {
            return refuse(Outcome::NotIp);
        }
        if self.next_header != UDP {
            return match self.next_header {
                44 => refuse(Outcome::Fragment),
                // Hop-by-hop, routing, ESP, AH, destination options, mobility, HIP, shim6 (the IANA list of extension
                // headers).
                0 | 43 | 50 | 51 | 60 | 135 | 139 | 140 => refuse(Outcome::Options),
                _ => refuse(Outcome::NotUdp),
            };
        }
        Ok(payload)
    }

    #[inline(always)]
    fn is_intact(_: impl Read) -> bool {
        true
    }

    #[inline(always)]
    fn is_from(&self, address: &[u8; 16]) -> bool {
        same(self.source, words(address))
    }

    #[inline(always)]
    fn address_sum(&self) -> Sum {
        Sum::default()
            .with_all(self.source)
            .with_all(self.destination)
    }

    #[inline(always)]
    fn rest_sum(&self) -> Sum {
        let last = u16::from_ne_bytes([self.next_header, self.hop_limit]);
        Sum::default()
            .with(self.version_class_label)
            .with(self.payload_length.into())
            .with(last.into())
    }

    #[inline(always)]
    fn first_20_bytes_sum(&self) -> Sum {
        let [a, b, c, _] = self.source;
        self.rest_sum().with_all([a, b, c])
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
    fn leaving(head: &Head, udp_length: u16) -> Self {
        Self {
            payload_length: udp_length,
            ..header_in(head)
        }
    }

    #[inline(always)]
    fn write(
        frame: &mut impl Write,
        offset: usize,
        head: &Head,
        udp_length: u16,
        udp_checksum: u16,
    ) -> Option<()> {
        let Head([a, b, c, d, e, f, g, h]) = *head;
        let words = [a, b, c | at(2, udp_length), d, e, f, g];
        let [first, second, ..] = h.to_ne_bytes();
        frame.write(offset + 60, udp_checksum)?;
        frame.write(offset + 58, udp_length)?;
        frame.write(offset + 56, u16::from_ne_bytes([first, second]))?;
        frame.write(offset, words)
    }
}

/// `value` as it lies in memory at byte `offset` of a word.
#[inline(always)]
fn at(offset: usize, value: u16) -> u64 {
    let mut bytes = [0; 8];
    let [first, second] = value.to_ne_bytes();
    bytes[offset] = first;
    bytes[offset + 1] = second;
    u64::from_ne_bytes(bytes)
}

/// The first two bytes of a word as they lie in memory.
#[inline(always)]
fn first_two_bytes(word: u64) -> u16 {
    let [first, second, ..] = word.to_ne_bytes();
    u16::from_ne_bytes([first, second])
}

/// The IP header after the Ethernet header.
#[inline(always)]
fn header_in<I: Internet>(Head(head): &Head) -> I {
    const { assert!(size_of::<Ethernet>() + I::LENGTH <= HEAD_WORDS * 8 && size_of::<I>() == I::LENGTH) };
    // SAFETY: inside the array, as just asserted; any bytes are a header, and no alignment is asked for.
    unsafe {
        head.as_ptr()
            .cast::<u8>()
            .add(size_of::<Ethernet>())
            .cast::<I>()
            .read_unaligned()
    }
}

/// Without a branch a word.
#[inline(always)]
fn same(a: [u32; 4], b: [u32; 4]) -> bool {
    (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) == 0
}

#[inline(always)]
pub(crate) fn words(address: &[u8; 16]) -> [u32; 4] {
    let words = address.as_ptr().cast::<[u32; 4]>();
    // SAFETY: both are sixteen plain bytes. BPF loads need no alignment, and the compiler would split them into bytes.
    #[cfg(target_arch = "bpf")]
    return unsafe { *words };
    // SAFETY: both are sixteen plain bytes.
    #[cfg(not(target_arch = "bpf"))]
    unsafe {
        words.read_unaligned()
    }
}
