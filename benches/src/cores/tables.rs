//! The kernel program with a few flows, each of which turns its packet into itself: it can be run again and again.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, anyhow};
use aya::maps::Array;
use aya::programs::{Xdp, XdpMode};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfLoader};
use lab::{Lab, Netns};
use underpass_abi::{
    ANY_SSRC, Egress, Flow, GRANT, Grant, GrantedV4, GrantedV6, MAX_EGRESSES, MAX_LOCALS, OUTCOMES,
    PLACE_OWN, PORT_LINES, PORTS, PORTS_PER_LINE, PortLine, RECORDS, Record,
};
use underpass_packet::Addressing;

use crate::bytes::bytes_of;
use crate::packet::rtp_frame;

const LOCAL: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 1);
/// The index that the address has in the grant that packets leave from.
const FROM: u16 = 1;
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// No such interface: the program only says that it would redirect.
const EGRESS: u32 = 1_000_000;

/// The program, loaded.
pub(super) struct Tables {
    ebpf: Ebpf,
    /// Holds the attachment: an interface without traffic.
    attached_in: Netns,
}

/// Where a flow lies.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Its local port.
    pub(super) port: u16,
    /// Its record.
    pub(super) record: u32,
}

impl Tables {
    /// The XDP program with room for `records`.
    pub(super) fn load(records: u32) -> Result<Self> {
        let mut loader = EbpfLoader::new();
        loader.map_max_entries(PORTS, PORT_LINES);
        loader.map_max_entries(RECORDS, records);
        let cpus = nr_cpus().map_err(|(path, error)| anyhow!("{path}: {error}"))?;
        loader.map_max_entries(OUTCOMES, cpus as u32);
        let lab = Lab::open().context("running programs needs root")?;
        let ns = lab.netns("cores");
        ns.veth("idle", &ns, "peer");
        let mut tables = Self {
            ebpf: loader.load(underpass_object::INSTANCE)?,
            attached_in: ns,
        };
        let xdp: &mut Xdp = tables
            .ebpf
            .program_mut(underpass_object::XDP)
            .context("no XDP program in the object")?
            .try_into()?;
        xdp.load()?;
        // The kernel calls attached programs by a list of its own. BPF_PROG_TEST_RUN puts a program on it and takes it off
        // again, for which it waits, longer than the program runs; one that is on it already it leaves there.
        let ns = &tables.attached_in;
        ns.run(|| xdp.attach("idle", XdpMode::Driver))?;
        tables.set::<_, { size_of::<Grant>() }>(GRANT, PLACE_OWN, &grant())?;
        Ok(tables)
    }

    /// Puts a flow there, with nothing counted.
    pub(super) fn install(&mut self, place: Place) -> Result<()> {
        let (local, source) = ends(place.port);
        let mut flow = Flow {
            payload_types: [u64::MAX; 2],
            from_local: FROM,
            stats_record: place.record,
            clock_rate: 8000,
            egress_mtu: 1500,
            flags: ANY_SSRC,
            ..Flow::default()
        };
        let addressing = Addressing {
            local,
            source,
            from: source,
            to: local,
            from_mac: MAC,
            to_mac: MAC,
            tos: 0,
            ttl: 64,
        };
        addressing.fill(&mut flow);
        let record = Record {
            flow,
            ..Record::default()
        };
        self.set::<_, { size_of::<Record>() }>(RECORDS, place.record, &record)?;
        let (line, at) = (
            u32::from(place.port) / PORTS_PER_LINE as u32,
            usize::from(place.port) % PORTS_PER_LINE,
        );
        let map = self.ebpf.map(PORTS).context("no ports in the object")?;
        let map: Array<_, [u32; PORTS_PER_LINE]> = Array::try_from(map)?;
        let mut ports = PortLine(map.get(&line, 0)?);
        ports.0[at] = place.record + 1;
        self.set::<_, { size_of::<PortLine>() }>(PORTS, line, &ports)
    }

    /// To run it; several threads may at once.
    pub(super) fn program(&self) -> Result<&Xdp> {
        let program = self.ebpf.program(underpass_object::XDP);
        Ok(program
            .context("no XDP program in the object")?
            .try_into()?)
    }

    fn set<T: Copy, const N: usize>(&mut self, map: &str, index: u32, value: &T) -> Result<()> {
        let map = self
            .ebpf
            .map_mut(map)
            .with_context(|| format!("no map {map} in the object"))?;
        let mut map: Array<_, [u8; N]> = Array::try_from(map)?;
        Ok(map.set(index, bytes_of(value), 0)?)
    }
}

/// Both addresses and the way out, by a lease that does not end.
fn grant() -> Grant {
    let mut grant = Grant {
        lease_ns: u64::MAX / 2,
        v4_count: 2,
        v6_count: 0,
        v4: [GrantedV4::default(); MAX_LOCALS],
        v6: [GrantedV6::default(); MAX_LOCALS],
        egresses: [Egress::default(); MAX_EGRESSES],
    };
    for (local, address) in grant.v4.iter_mut().zip([LOCAL, SOURCE]) {
        *local = GrantedV4 {
            address: address.octets(),
            block: 0,
            first_port: 1,
            last_port: u16::MAX,
        };
    }
    grant.egresses[0].mac[2..].copy_from_slice(&MAC);
    grant.egresses[0].ifindex = EGRESS;
    grant
}

/// The packet that a flow at `port` turns into itself.
pub(super) fn frame(port: u16) -> Vec<u8> {
    let (local, source) = ends(port);
    rtp_frame(source, local, MAC)
}

/// Where it arrives and where it comes from.
fn ends(port: u16) -> (SocketAddr, SocketAddr) {
    (
        SocketAddr::from((LOCAL, port)),
        SocketAddr::from((SOURCE, port)),
    )
}
