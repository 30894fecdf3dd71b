//! A table in the hands of its owner: what was granted, and the maps behind it.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use serde_json::Value;
use underpass_abi::{ANY_SSRC, Flow, HEAD_WORDS, Header, Outcome, Outcomes, Record};
use underpass_packet::Addressing;

use crate::bpf::MapInfo;
use crate::endpoint::now_ns;
use crate::memory::Memory;
use crate::tenant::Tenant;

/// Places for ports of one address in PORTS.
const PORTS: usize = 65_536;

/// A table that the test itself owns.
#[derive(Debug)]
pub struct Table {
    /// What the agent granted.
    pub granted: Value,
    /// HEADER.
    pub header: Memory,
    /// PORTS.
    pub ports: Memory,
    /// RECORDS.
    pub records: Memory,
    /// OUTCOMES, as it was handed out.
    pub outcomes: OwnedFd,
    /// Tells everybody that the owner lives, until it is dropped.
    pub lock: OwnedFd,
    /// What else came along: maps of the generation before, sockets at the node.
    pub rest: Vec<OwnedFd>,
    /// The kernel's ids of HEADER, PORTS, RECORDS, OUTCOMES.
    pub map_ids: [u32; 4],
}

impl Table {
    /// Makes a claim and maps what it gives.
    ///
    /// # Errors
    /// The refusal.
    #[track_caller]
    pub fn claim(tenant: &Tenant, claim: &Value) -> Result<Self, Value> {
        let (granted, descriptors) = tenant.claim(claim)?;
        let mut descriptors = descriptors.into_iter();
        let mut next = || descriptors.next().expect("five descriptors");
        let maps = [next(), next(), next()];
        let (outcomes, lock) = (next(), next());
        let id = |map: &OwnedFd| MapInfo::of(map.as_fd()).id;
        let map_ids = [id(&maps[0]), id(&maps[1]), id(&maps[2]), id(&outcomes)];
        let [header, ports, records] =
            maps.map(|map| Memory::of(map.as_fd(), true).expect("the owner writes its maps"));
        let table = Self {
            granted,
            header,
            ports,
            records,
            outcomes,
            lock,
            rest: descriptors.collect(),
            map_ids,
        };
        table.give_sign_of_life(now_ns());
        Ok(table)
    }

    /// As [`Table::claim`], and at work at once.
    ///
    /// # Errors
    /// The refusal.
    #[track_caller]
    pub fn settled(tenant: &Tenant, claim: &Value) -> Result<Self, Value> {
        let table = Self::claim(tenant, claim)?;
        table.give_sign_of_life(now_ns());
        tenant
            .say(&serde_json::json!({"message": "settled"}), &[])
            .unwrap();
        let _ = tenant.hear_of(&["settled"]);
        Ok(table)
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.granted["table"].as_u64().expect("a number")
    }

    /// Says when the owner last lived.
    pub fn give_sign_of_life(&self, alive_ns: u64) {
        let header: Header = self.header.read(0);
        self.header.write(0, Header { alive_ns, ..header });
    }

    /// Puts a flow at a place of PORTS: `port` of the granted address number `address`.
    pub fn install(&self, record: u32, flow: Flow, address: usize, port: u16) {
        let stats_record = record;
        let flow = Flow {
            stats_record,
            ..flow
        };
        let place = record as usize;
        self.records.write(
            place,
            Record {
                flow,
                ..Record::default()
            },
        );
        self.ports
            .write(address * PORTS + usize::from(port), record + 1);
    }

    /// What stands at a port: a record's number plus one, [`underpass_abi::HELD`], 0.
    pub fn set_port(&self, address: usize, port: u16, what: u32) {
        self.ports.write(address * PORTS + usize::from(port), what);
    }

    /// How many packets had this outcome.
    #[must_use]
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        let lines = MapInfo::of(self.outcomes.as_fd()).max_entries;
        let memory = Memory::of(self.outcomes.as_fd(), false).expect("the owner reads OUTCOMES");
        let of = |line| memory.read::<Outcomes>(line).0[outcome as usize];
        (0..lines).map(of).sum()
    }

    /// Packets forwarded for a record, by its own count.
    #[must_use]
    pub fn forwarded(&self, record: u32) -> u64 {
        let record: Record = self.records.read(record as usize);
        record.stats.packets + record.stats.other_packets
    }

    /// The slot of the way out at the interface with this index, in the table's own namespace.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    #[track_caller]
    pub fn egress(&self, place: &str, ifindex: u32) -> u32 {
        let ways = self.granted["placement"]["egresses"].as_array();
        let mut ways = ways.into_iter().flatten();
        let way = ways.find(|way| way["place"] == place && way["ifindex"] == ifindex);
        let slot = way.and_then(|way| way["slot"].as_u64());
        let slot = slot.unwrap_or_else(|| panic!("no way out at {ifindex}: {}", self.granted));
        u32::try_from(slot).expect("a slot")
    }
}

/// A flow that passes everything RTP, as a relay would write it.
#[must_use]
pub fn flow(addressing: &Addressing, egress: u32, from_local: u16) -> Flow {
    let mut flow = Flow {
        payload_types: [u64::MAX; 2],
        egress,
        clock_rate: 8000,
        egress_mtu: 1500,
        from_local,
        flags: ANY_SSRC,
        ..Flow::default()
    };
    addressing.fill(&mut flow);
    flow
}

/// Where packets arrive, must come from, leave from and go to.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Where they arrive.
    pub local: SocketAddr,
    /// Where they must come from.
    pub source: SocketAddr,
    /// Source of what leaves.
    pub from: SocketAddr,
    /// Destination of what leaves.
    pub to: SocketAddr,
}

impl Route {
    /// With link-layer addresses as `ip link` writes them.
    #[must_use]
    pub fn addressing(self, from_mac: &str, to_mac: &str) -> Addressing {
        Addressing {
            local: self.local,
            source: self.source,
            from: self.from,
            to: self.to,
            from_mac: mac(from_mac),
            to_mac: mac(to_mac),
            tos: 184,
            ttl: 64,
        }
    }
}

/// A link-layer address from its text.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn mac(text: &str) -> [u8; 6] {
    let mut bytes = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).expect("hex"));
    std::array::from_fn(|_| bytes.next().expect("six bytes"))
}

/// The frame's head that the flow writes, as bytes.
#[must_use]
pub fn head(flow: &Flow) -> [u8; HEAD_WORDS * 8] {
    let mut bytes = [0; HEAD_WORDS * 8];
    for (place, word) in bytes.chunks_exact_mut(8).zip(flow.head) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}

/// The flow with one change to its head, its header checksum worked out again.
#[must_use]
pub fn with_head(mut flow: Flow, change: impl FnOnce(&mut [u8; HEAD_WORDS * 8])) -> Flow {
    let mut bytes = head(&flow);
    change(&mut bytes);
    for (word, place) in flow.head.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_ne_bytes(place.try_into().expect("eight bytes"));
    }
    flow
}
