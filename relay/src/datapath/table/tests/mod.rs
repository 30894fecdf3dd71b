mod addresses;
mod counting;
mod flows;
mod histories;
mod holding;
mod receivers;
mod replacing;
mod taking_over;

use underpass_abi as abi;

use super::memory::{Port, Says};
use super::*;
use crate::datapath::{PayloadTypes, Receiver, SsrcFilter};
use crate::tables::protocol::{Granted, Place, Placement, Ports};

/// Bytes of UDP payload that each packet has here.
const PAYLOAD: u64 = 172;

/// A table of at most `max_flows` flows, with `spare` records more.
fn table(max_flows: u32, spare: u32) -> FlowTable {
    let memory = Memory::in_memory(max_flows + spare, ADDRESSES.len() as u32);
    let grant = grant(memory.blocks());
    FlowTable::new(memory, grant, max_flows)
}

/// What the relay is granted here; ports 0 to 65534.
const ADDRESSES: [&str; 4] = ["192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"];

fn grant(blocks: u32) -> Grant {
    let granted = Granted {
        version: 1,
        table: 0,
        generation: 1,
        lease_ms: 1,
        max_flows: 1,
        addresses: ADDRESSES.iter().map(|a| a.parse().unwrap()).collect(),
        ports: Ports {
            first: 0,
            last: 65_534,
        }
        .into(),
        takes_over: false,
        has_previous: false,
        has_node_sockets: false,
        placement: Placement::default(),
    };
    Grant::new(&granted, blocks)
}

fn flow(port: u16) -> Flow {
    Flow {
        local: local(port),
        source: "198.51.100.1:4000".parse().unwrap(),
        from: "192.0.2.1:40000".parse().unwrap(),
        to: "198.51.100.2:5000".parse().unwrap(),
        tos: 0,
        further: Box::default(),
        payload_types: PayloadTypes::ALL,
        ssrcs: SsrcFilter::Any,
        clock_rate: 8000,
    }
}

/// To so many receivers; those who change places get the same.
fn several(port: u16, receivers: u16) -> Flow {
    let further = (1..receivers).map(|n| Receiver {
        to: SocketAddr::new("198.51.100.2".parse().unwrap(), 5000 + n),
        from: "192.0.2.1:40000".parse().unwrap(),
        tos: 0,
    });
    Flow {
        further: further.collect(),
        ..flow(port)
    }
}

/// The same to another destination.
fn moved(port: u16) -> Flow {
    Flow {
        to: "198.51.100.9:6000".parse().unwrap(),
        ..flow(port)
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::new("192.0.2.1".parse().unwrap(), port)
}

fn path() -> Path {
    Path {
        place: Place::Own,
        to: "198.51.100.2".parse().unwrap(),
        from: "192.0.2.1".parse().unwrap(),
        oif: 0,
    }
}

fn way(mac: u8) -> Way {
    Way {
        hop: NextHop {
            ifindex: 3,
            mtu: 1500,
            hop_limit: None,
            to_mac: [mac; 6],
        },
        egress: 1,
        from_mac: [2; 6],
        ttl: 64,
        local_mac: [3; 6],
        between: between(),
    }
}

fn between() -> Between {
    [2, 3].map(|ifindex| Device {
        place: Place::Own,
        ifindex,
    })
}

fn install(table: &mut FlowTable, id: u64, port: u16) -> Arc<FlowReport> {
    let report = Arc::new(FlowReport::default());
    put(table, id, flow(port), &report);
    report
}

fn put(table: &mut FlowTable, id: u64, flow: Flow, report: &Arc<FlowReport>) {
    let leg = Leg {
        path: path(),
        way: Ok(way(1)),
    };
    let legs = flow.receivers().map(|_| leg).collect();
    table.install(FlowId(id), flow, legs, report.clone());
}

fn ticks(table: &mut FlowTable, count: usize) {
    for _ in 0..count {
        table.tick();
    }
}

/// What the kernel program finds at a port: the record, and what it says.
fn found(table: &FlowTable, local: SocketAddr) -> Option<(u32, abi::Flow)> {
    let memory = &table.store.memory;
    match says(table, local) {
        Says::Record(record) => Some((record, memory.flow(record))),
        Says::Nothing | Says::Held => None,
    }
}

/// What a granted address's port says.
fn says(table: &FlowTable, local: SocketAddr) -> Says {
    let is_it = |address: &&str| address.parse() == Ok(local.ip());
    let block = ADDRESSES.iter().position(is_it).unwrap() as u32;
    let memory = &table.store.memory;
    memory.says(Port::new(block, local.port()))
}

/// A flow's next hop is another one from now on, or none.
fn reroute(table: &mut FlowTable, id: u64, way: Result<Way, Reason>) {
    table.reroute(FlowId(id), &path(), way);
}

/// What a record says of a flow of these tests that has one receiver.
fn value(flow: &Flow, way: &Way, home: u32) -> abi::Flow {
    let exit = encode::Exit {
        way: *way,
        from_local: 0,
    };
    let exits = [exit];
    let mut values = encode::values(flow, &exits, &[0], home);
    values.next().unwrap().1
}

/// True: a packet at the port would leave as `flow` says, by the way of [`put`].
fn leads(table: &FlowTable, flow: &Flow) -> bool {
    leads_by(table, flow, &way(1))
}

/// The same, by this way.
fn leads_by(table: &FlowTable, flow: &Flow, way: &Way) -> bool {
    let Some((first, found)) = found(table, flow.local) else {
        return false;
    };
    let memory = &table.store.memory;
    let records: Vec<u32> = std::iter::once(first)
        .chain(memory.further(first))
        .collect();
    let exit = encode::Exit {
        way: *way,
        from_local: 0,
    };
    let exits = vec![exit; flow.receivers().count()];
    let mut values = encode::values(flow, &exits, &records, found.stats_record);
    records.len() == exits.len() && values.all(|(record, value)| memory.flow(record) == value)
}

/// Counts packets at a port as the program does.
fn forward(table: &mut FlowTable, port: u16, packets: u64) {
    let (_, flow) = found(table, local(port)).unwrap();
    count_in(table, flow.stats_record, packets);
}

/// Counts packets in a record.
fn count_in(table: &mut FlowTable, record: u32, packets: u64) {
    let mut stats = table.store.memory.stats(record);
    stats.packets += packets;
    stats.bytes += packets * PAYLOAD;
    stats.last_packet_ns = 5_000_000;
    stats.ssrcs[0].ssrc = 7;
    stats.ssrcs[0].packets += packets;
    stats.ssrcs[0].base_sequence = 1;
    stats.ssrcs[0].highest_sequence = stats.ssrcs[0].packets as u32;
    table.store.memory.set_stats(record, stats);
}

/// Everything forwarded, as whoever looks at the maps finds it.
fn packets_in_maps(table: &FlowTable) -> u64 {
    let memory = &table.store.memory;
    let counted: u64 = (0..memory.records()).map(|at| memory.packets(at)).sum();
    memory.header().past_packets + counted
}
