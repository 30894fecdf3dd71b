//! The maps between user space and the kernel program: keys, values and their layout version.
//!
//! Everything is `repr(C)` without padding the compiler could leave uninitialised; addresses, ports and MACs are byte
//! arrays in network order, all other integers are in host order.
#![no_std]

/// Changes whenever a map's name, key or value does; part of the pin path. The feature `next-layout` makes a build whose
/// layout differs, for tests of an upgrade.
pub const LAYOUT_VERSION: u32 = if cfg!(feature = "next-layout") { 6 } else { 5 };

/// Array of one [`Grant`] for each place that an instance of the program can be at: the relay's own network namespace, and
/// the node's. Written by the agent alone; memory-mappable.
pub const GRANT: &str = "GRANT";
/// Array of one [`Header`]; memory-mappable.
pub const HEADER: &str = "HEADER";
/// Array of [`PortLine`]s: [`PORT_LINES`] for each granted address, by [`GrantedV4::block`]; memory-mappable.
pub const PORTS: &str = "PORTS";
/// Array of [`Record`]s; memory-mappable.
pub const RECORDS: &str = "RECORDS";
/// Array of [`Outcomes`], one for each CPU; memory-mappable.
pub const OUTCOMES: &str = "OUTCOMES";

/// Index into [`GRANT`] of an instance in the relay's own network namespace.
pub const PLACE_OWN: u32 = 0;
/// Index into [`GRANT`] of an instance at an uplink.
pub const PLACE_NODE: u32 = 1;

/// Granted addresses of each family, at most.
pub const MAX_LOCALS: usize = 32;
/// Ways out of one table, at most.
pub const MAX_EGRESSES: usize = 32;

/// Ports of one [`PortLine`].
pub const PORTS_PER_LINE: usize = 16;

/// Lines of one address: every port has a place.
pub const PORT_LINES: u32 = 65_536 / PORTS_PER_LINE as u32;

/// What stands at neighbouring ports: the number of the port's [`Record`] plus one; [`HELD`]: no flow, but a socket of the
/// owner; 0: nothing. A flow's port is held, too. Port `n` of an address is place `n % 16` of its line `n / 16`. One cache
/// line.
///
/// The owner changes a place by one aligned store; it writes a record before it names it, and writes none that was named
/// until every program that may have read the name has returned.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortLine(pub [u32; PORTS_PER_LINE]);

/// See [`PortLine`].
pub const HELD: u32 = u32::MAX;

/// A granted IPv4 address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrantedV4 {
    /// Network order.
    pub address: [u8; 4],
    /// Its ports begin at line `block * PORT_LINES` of [`PORTS`].
    pub block: u32,
    /// Lowest granted port, host order.
    pub first_port: u16,
    /// Highest granted port, host order.
    pub last_port: u16,
}

/// A granted IPv6 address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrantedV6 {
    /// Network order.
    pub address: [u8; 16],
    /// As [`GrantedV4::block`].
    pub block: u32,
    /// Lowest granted port, host order.
    pub first_port: u16,
    /// Highest granted port, host order.
    pub last_port: u16,
}

/// A way out that a table may use.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// The only link-layer source that frames leave with, in the last six bytes; the first two are zero.
    pub mac: [u8; 8],
    /// The interface, at this place; 0: none.
    pub ifindex: u32,
    /// 802.1Q tag control information of what leaves, 0 for untagged. Host order.
    pub vlan: u16,
    /// Zero.
    pub reserved: u16,
}

/// What a table may do, whatever its owner writes into it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// How long after [`Header::alive_ns`] it may forward, ns; 0: not at all (any more).
    pub lease_ns: u64,
    /// The first of [`Grant::v4`] that count.
    pub v4_count: u32,
    /// The first of [`Grant::v6`] that count.
    pub v6_count: u32,
    /// Granted IPv4 addresses.
    pub v4: [GrantedV4; MAX_LOCALS],
    /// Granted IPv6 addresses.
    pub v6: [GrantedV6; MAX_LOCALS],
    /// Ways out, by [`Flow::egress`].
    pub egresses: [Egress; MAX_EGRESSES],
}

/// What the owner of a table says of it, beside its flows.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// When the owner last gave a sign of life, ns of CLOCK_MONOTONIC. First in every layout, so that every agent can read it.
    pub alive_ns: u64,
    /// Flows named in [`PORTS`].
    pub flows: u64,
    /// Packets that were forwarded for flows whose records have been freed since.
    pub past_packets: u64,
    /// Their UDP payload bytes.
    pub past_bytes: u64,
}

/// The maps of the program that several tables' interfaces have: it finds the owner of an address and port, and hands the
/// packet to that table's instance.
pub mod share {
    use core::net::IpAddr;

    /// Array of [`PLACES`] [`Address`]es, each at its [`home`] or at one of the places after it; memory-mappable.
    pub const ADDRESSES: &str = "ADDRESSES";
    /// Array of [`OwnerLine`]s, [`OWNER_LINES`] for each block.
    pub const OWNERS: &str = "OWNERS";
    /// Program array of the tables' instances, by table.
    pub const INSTANCES: &str = "INSTANCES";
    /// Ports of one [`OwnerLine`].
    pub const PORTS_PER_LINE: usize = 64;
    /// Lines of one address.
    pub const OWNER_LINES: u32 = 65_536 / PORTS_PER_LINE as u32;
    /// Tables of a node.
    pub const TABLES: u32 = 64;
    /// Places of [`ADDRESSES`]: twice as many as all tables' addresses together; a power of two.
    pub const PLACES: u32 = 8192;
    /// Places that are looked at for an address, at most.
    pub const PROBES: u32 = 64;

    /// An address that a table has.
    #[repr(C, align(32))]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Address {
        /// What [`words`] says; all zero where none has ever been, and so no search goes further.
        pub words: [u64; 2],
        /// Its block of [`OWNERS`] plus one; 0: no table has it any more.
        pub block: u32,
        /// Zero.
        pub reserved: [u32; 3],
    }

    /// An address as it lies in a packet, IPv4 mapped into IPv6 (`::ffff:a.b.c.d`).
    #[must_use]
    pub fn words(address: IpAddr) -> [u64; 2] {
        let bytes = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        let (words, _) = bytes.as_chunks::<8>();
        [words[0], words[1]].map(u64::from_ne_bytes)
    }

    /// The place where the search for an address begins. The addresses of one network lie far apart.
    #[inline(always)]
    #[must_use]
    pub fn home(words: [u64; 2]) -> u32 {
        // 2 to the 64th over the golden ratio (Knuth's multiplicative hashing).
        let spread = (words[0] ^ words[1]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (spread >> (64 - PLACES.trailing_zeros())) as u32
    }

    /// Which table has each of 64 neighbouring ports: its number plus one, 0: none.
    #[repr(C, align(64))]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct OwnerLine(pub [u8; PORTS_PER_LINE]);
}

/// SSRCs a flow can know.
pub const MAX_SSRCS: usize = 4;

/// [`Flow::flags`]: every SSRC passes.
pub const ANY_SSRC: u8 = 1;
/// [`Flow::flags`]: [`Flow::further`] names receivers beside the first.
pub const SEVERAL_RECEIVERS: u8 = 2;

/// Receivers that a flow can have beside the first.
pub const MAX_FURTHER: usize = 7;

/// 8-byte words of [`Flow::head`].
pub const HEAD_WORDS: usize = 8;

/// What to do with the packets of one source at one local port.
///
/// What follows from its addresses alone is worked out beforehand: `underpass_packet::Addressing` fills those fields in
/// ([`Flow::source_port`], [`Flow::arriving_sum`], [`Flow::udp_difference`], [`Flow::address_difference`],
/// [`Flow::source_address`] and [`Flow::head`]). Sums are ones' complement sums (RFC 1071) of words as they lie in memory,
/// folded to 16 bits. IPv4 needs the first two cache lines, IPv6 the third, too.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Payload types passed on: bit `n % 64` of word `n / 64`.
    pub payload_types: [u64; 2],
    /// The first [`Flow::ssrc_count`] are passed on. Host order.
    pub ssrcs: [u32; MAX_SSRCS],
    /// The way out: the index into [`Grant::egresses`].
    pub egress: u32,
    /// The record whose [`Record::stats`] it is counted in: its own, or, where it has replaced another flow at the same
    /// port, the first one's.
    pub stats_record: u32,
    /// RTP clock in Hz, for jitter.
    pub clock_rate: u32,
    /// Largest IP packet the egress interface takes, bytes.
    pub egress_mtu: u16,
    /// Source port accepted.
    pub source_port: [u8; 2],
    /// The link-layer address that frames arrive at: the interface that holds the local address. XDP sees the frames of
    /// other hosts too (promiscuous mode, mirrored ports), and must leave them alone. All zero: any unicast address.
    pub local_mac: [u8; 6],
    /// Which granted address it leaves from: the index into [`Grant::v4`] or [`Grant::v6`], whichever family leaves.
    pub from_local: u16,
    /// The sum over the pseudo-header of what arrives, but for its length.
    pub arriving_sum: u16,
    /// The sum over the addresses and ports of what leaves, less that over those of what arrives.
    pub udp_difference: u16,
    /// The addresses' part of [`Flow::udp_difference`].
    pub address_difference: u16,
    /// [`ANY_SSRC`], [`SEVERAL_RECEIVERS`].
    pub flags: u8,
    /// How many of [`Flow::ssrcs`] count.
    pub ssrc_count: u8,
    /// The only source accepted; of the local address's family. IPv4 in the first four bytes, the rest zero.
    pub source_address: [u8; 16],
    /// What leaves begins with this: an Ethernet header without tags, an IP and a UDP header. Lengths and UDP checksum are
    /// zero, and in place of an IPv4 header's checksum stands the sum over the header.
    pub head: [u64; HEAD_WORDS],
    /// With [`SEVERAL_RECEIVERS`]: the records, numbers plus one, that say what each further receiver is sent; 0 ends them.
    /// Of such a record only what leaves counts, and its sums are reckoned from what the receiver before it is sent.
    pub further: [u32; MAX_FURTHER],
    /// Zero.
    pub reserved: [u32; 5],
}

const _: () = assert!(
    size_of::<Flow>() == 192,
    "a flow is three cache lines, without padding"
);

/// What was measured for one SSRC (RFC 3550 sections 6.4.1 and A.1).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SsrcStats {
    /// Packets counted; 0: the entry is unused.
    pub packets: u64,
    /// The synchronisation source.
    pub ssrc: u32,
    /// Sequence number of the first packet. Packets expected: `highest_sequence - base_sequence + 1`, wrapping; a restart
    /// of the sender's numbering moves it so that the jump counts as no loss.
    pub base_sequence: u32,
    /// Extended highest sequence number: cycles in the upper 16 bits.
    pub highest_sequence: u32,
    /// Jitter times 16, RTP clock units.
    pub jitter_x16: u32,
    /// Arrival time less RTP timestamp of the latest packet, RTP clock units.
    pub transit: u32,
    /// The sequence number that would confirm a restart, plus 65536; 0: none expected. The kernel's own.
    pub restart: u32,
}

/// What the kernel counted for one flow. Its first cache line is all that most packets touch.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowStats {
    /// Packets that the CPU of [`FlowStats::owner`] forwarded.
    pub packets: u64,
    /// Their UDP payload bytes.
    pub bytes: u64,
    /// When the last one was forwarded, ns of CLOCK_MONOTONIC; 0 never.
    pub last_packet_ns: u64,
    /// The CPU that counts without atomic operations, plus one: the first that a packet of the flow came to. 0: none yet.
    pub owner: u64,
    /// Per SSRC; with [`ANY_SSRC`] the first entry alone, for the latest SSRC.
    pub ssrcs: [SsrcStats; MAX_SSRCS],
    /// Packets that other CPUs forwarded.
    pub other_packets: u64,
    /// Their UDP payload bytes.
    pub other_bytes: u64,
}

/// A flow and what was counted for it, together, so that a packet meets one page of memory. Processors fetch cache lines in
/// pairs: what one CPU counts must not share a pair with another's flow.
#[repr(C, align(128))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// What was done.
    #[cfg(feature = "next-layout")]
    pub stats: FlowStats,
    /// What to do.
    pub flow: Flow,
    /// What was done.
    #[cfg(not(feature = "next-layout"))]
    pub stats: FlowStats,
    /// Packets that were counted elsewhere for the same stream: in earlier records, and under earlier owners of the table.
    /// User space's own, so that one record tells all there is to tell.
    pub earlier_packets: u64,
    /// Their UDP payload bytes.
    pub earlier_bytes: u64,
}

const _: () = assert!(
    size_of::<Record>() == 384,
    "a record is three pairs of cache lines, without padding"
);

/// What became of packets on one CPU, by [`Outcome`]. Whole pairs of cache lines, so that no CPU disturbs another.
#[repr(C, align(128))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcomes(pub [u64; 32]);

/// What became of a packet; the index into [`Outcomes`]. All but `Forwarded` and `OwnerGone` went up the stack untouched.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Rewritten and sent. Not counted here: every flow counts its own ([`FlowStats`]).
    Forwarded = 0,
    /// Neither IPv4 nor IPv6, or cut short.
    NotIp = 1,
    /// A fragment.
    Fragment = 2,
    /// IPv4 options or IPv6 extension headers.
    Options = 3,
    /// Not UDP, or its length disagrees with IP's.
    NotUdp = 4,
    /// No flow at this address and port.
    Miss = 5,
    /// Another source than the flow's.
    OtherSource = 6,
    /// STUN (RFC 7983: first byte 0 to 3).
    Stun = 7,
    /// DTLS (RFC 7983: first byte 20 to 63).
    Dtls = 8,
    /// RTCP (RFC 5761: packet type 192 to 223).
    Rtcp = 9,
    /// Not RTP version 2, or shorter than its header.
    NotRtp = 10,
    /// A payload type that is not passed on.
    PayloadType = 11,
    /// An SSRC not known yet.
    Ssrc = 12,
    /// Does not fit the egress MTU, or a merged (GSO) packet.
    TooBig = 13,
    /// A UDP checksum that can't be carried over (absent towards IPv6, or ambiguous), or a wrong IPv4 header checksum.
    Checksum = 14,
    /// A helper refused to make room. The packet went up untouched, or, if a VLAN tag had been taken off before, was
    /// dropped.
    HelperFailed = 15,
    /// Addressed to another host's link-layer address, or to a group.
    OtherHost = 16,
    /// The flow would leave from an address, a port or a link-layer address, or through an interface, that the table is not
    /// granted, or not as UDP.
    OutsideGrant = 17,
    /// The owner's lease is over.
    LeaseOver = 18,
    /// At a port that the owner holds but has no socket at: it is gone, for now. Dropped, since the kernel would answer
    /// that the port is unreachable.
    OwnerGone = 19,
    /// For several receivers, which XDP can't send to; or one of them has no record, or leaves in the other address family.
    SeveralReceivers = 20,
}

/// Number of [`Outcome`]s.
pub const OUTCOMES_LEN: u32 = 21;

impl Outcome {
    /// Every outcome, in the order of its index.
    pub const ALL: [Self; OUTCOMES_LEN as usize] = [
        Self::Forwarded,
        Self::NotIp,
        Self::Fragment,
        Self::Options,
        Self::NotUdp,
        Self::Miss,
        Self::OtherSource,
        Self::Stun,
        Self::Dtls,
        Self::Rtcp,
        Self::NotRtp,
        Self::PayloadType,
        Self::Ssrc,
        Self::TooBig,
        Self::Checksum,
        Self::HelperFailed,
        Self::OtherHost,
        Self::OutsideGrant,
        Self::LeaseOver,
        Self::OwnerGone,
        Self::SeveralReceivers,
    ];
}
