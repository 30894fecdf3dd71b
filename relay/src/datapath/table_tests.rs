use std::collections::BTreeMap;

use super::*;
use crate::datapath::{PayloadTypes, SsrcFilter};

/// Maps in memory, with room for `room` entries.
struct Fake {
    entries: BTreeMap<SocketAddr, abi::Flow>,
    stats: BTreeMap<u32, FlowStats>,
    room: usize,
    refuse: bool,
    deletes: usize,
}

fn local(key: Key) -> SocketAddr {
    match key {
        Key::V4(key) => (key.address, u16::from_be_bytes(key.port)).into(),
        Key::V6(key) => (key.address, u16::from_be_bytes(key.port)).into(),
    }
}

impl FlowMap for Fake {
    fn write(&mut self, key: Key, value: &abi::Flow) -> Result<(), WriteError> {
        let key = local(key);
        if self.refuse {
            return Err(WriteError::Refused);
        }
        if self.entries.len() == self.room && !self.entries.contains_key(&key) {
            return Err(WriteError::Full);
        }
        self.entries.insert(key, *value);
        Ok(())
    }

    fn delete(&mut self, key: Key) {
        self.deletes += 1;
        self.entries.remove(&local(key));
    }

    fn stats(&mut self, slot: u32) -> FlowStats {
        self.stats.get(&slot).copied().unwrap_or_default()
    }

    fn clear(&mut self, slot: u32) {
        self.stats.remove(&slot);
    }
}

fn table(room: usize) -> FlowTable<Fake> {
    let fake = Fake {
        entries: BTreeMap::new(),
        stats: BTreeMap::new(),
        room,
        refuse: false,
        deletes: 0,
    };
    FlowTable::new(fake, 2 * room as u32)
}

fn flow(port: u16) -> Flow {
    Flow {
        local: format!("192.0.2.1:{port}").parse().unwrap(),
        source: "198.51.100.1:4000".parse().unwrap(),
        from: "192.0.2.1:40000".parse().unwrap(),
        to: "198.51.100.2:5000".parse().unwrap(),
        tos: 0,
        payload_types: PayloadTypes::ALL,
        ssrcs: SsrcFilter::Any,
        clock_rate: 8000,
    }
}

fn path() -> Path {
    Path {
        to: "198.51.100.2".parse().unwrap(),
        from: "192.0.2.1".parse().unwrap(),
        oif: 0,
    }
}

fn way(mac: u8) -> Result<Way, Reason> {
    Ok(Way {
        hop: NextHop {
            ifindex: 2,
            mtu: 1500,
            hop_limit: None,
            from_mac: [2; 6],
            to_mac: [mac; 6],
        },
        ttl: 64,
        ingress: 2,
        local_mac: [3; 6],
    })
}

fn install(table: &mut FlowTable<Fake>, id: u64, port: u16) -> Arc<FlowReport> {
    let report = Arc::new(FlowReport::default());
    table.install(FlowId(id), flow(port), path(), report.clone(), way(1));
    report
}

fn counted(table: &mut FlowTable<Fake>, id: u64, packets: u64) {
    let slot = table.flows[&FlowId(id)].slot.unwrap();
    table.map.stats.insert(
        slot,
        FlowStats {
            packets,
            bytes: packets * 172,
            last_packet_ns: 5_000_000,
            ..FlowStats::default()
        },
    );
}

#[test]
fn an_installed_flow_is_in_the_kernel() {
    let mut table = table(4);
    let report = install(&mut table, 1, 30_000);
    assert_eq!(report.state(), FlowState::Kernel);
    assert!(table.map.entries.contains_key(&flow(30_000).local));
}

#[test]
fn a_replaced_flow_keeps_its_slot_and_is_never_out() {
    let mut table = table(1);
    let report = install(&mut table, 1, 30_000);
    counted(&mut table, 1, 10);
    let moved = Flow {
        to: "198.51.100.9:6000".parse().unwrap(),
        ..flow(30_000)
    };
    table.install(FlowId(1), moved, path(), report.clone(), way(1));
    table.sweep();
    assert_eq!(table.map.deletes, 0);
    assert_eq!(report.packets(), 10);
    let entry = table.map.entries[&flow(30_000).local];
    assert_eq!(entry.to_port, 6000_u16.to_be_bytes());
}

#[test]
fn a_removed_flow_leaves_its_final_counters() {
    let mut table = table(4);
    let report = install(&mut table, 1, 30_000);
    counted(&mut table, 1, 10);
    table.remove(FlowId(1));
    assert_eq!(report.packets(), 10);
    assert_eq!(report.last_packet_ms(), 5);
    assert_eq!(report.state(), FlowState::UserSpace(Reason::NotInstalled));
    assert!(table.map.entries.is_empty());
}

#[test]
fn packets_counted_while_the_flow_was_removed_are_not_lost() {
    let mut table = table(4);
    let report = install(&mut table, 1, 30_000);
    counted(&mut table, 1, 10);
    let slot = table.flows[&FlowId(1)].slot.unwrap();
    table.remove(FlowId(1));
    table.map.stats.get_mut(&slot).unwrap().packets = 11;
    table.tick();
    table.tick();
    assert_eq!(report.packets(), 11);
}

#[test]
fn a_stream_installed_again_counts_on() {
    for ticks in [0, 5] {
        let mut table = table(4);
        let report = install(&mut table, 1, 30_000);
        counted(&mut table, 1, 10);
        table.remove(FlowId(1));
        for _ in 0..ticks {
            table.tick();
        }
        table.install(FlowId(1), flow(30_000), path(), report.clone(), way(1));
        let slot = table.flows[&FlowId(1)].slot.unwrap();
        table.map.stats.entry(slot).or_default().packets += 5;
        table.sweep();
        assert_eq!(report.packets(), 15, "after {ticks} ticks");
    }
}

#[test]
fn a_slot_is_zeroed_before_another_flow_gets_it() {
    let mut table = table(1);
    install(&mut table, 1, 30_000);
    counted(&mut table, 1, 10);
    table.remove(FlowId(1));
    for _ in 0..3 {
        table.tick();
    }
    let other = install(&mut table, 2, 30_002);
    table.sweep();
    assert_eq!(other.packets(), 0);
}

#[test]
fn a_flow_without_room_waits_until_another_ends() {
    let mut table = table(1);
    let first = install(&mut table, 1, 30_000);
    let second = install(&mut table, 2, 30_002);
    assert_eq!(second.state(), FlowState::UserSpace(Reason::TableFull));
    table.remove(FlowId(1));
    assert_eq!(second.state(), FlowState::Kernel);
    assert_eq!(first.state(), FlowState::UserSpace(Reason::NotInstalled));
}

#[test]
fn a_refused_flow_is_tried_again() {
    let mut table = table(2);
    table.map.refuse = true;
    let report = install(&mut table, 1, 30_000);
    assert_eq!(report.state(), FlowState::UserSpace(Reason::KernelRefused));
    table.map.refuse = false;
    table.tick();
    assert_eq!(report.state(), FlowState::Kernel);
}

#[test]
fn a_refused_replacement_takes_the_old_entry_out() {
    let mut table = table(2);
    let report = install(&mut table, 1, 30_000);
    table.map.refuse = true;
    table.install(FlowId(1), flow(30_000), path(), report.clone(), way(2));
    assert!(table.map.entries.is_empty());
    assert_eq!(report.state(), FlowState::UserSpace(Reason::KernelRefused));
}

#[test]
fn a_lost_next_hop_takes_the_flow_out_and_a_new_one_brings_it_back() {
    let mut table = table(4);
    let report = install(&mut table, 1, 30_000);
    for id in table.on_path(&path()) {
        table.reroute(id, Err(Reason::NextHopUnresolved));
    }
    assert_eq!(
        report.state(),
        FlowState::UserSpace(Reason::NextHopUnresolved)
    );
    assert!(table.map.entries.is_empty());
    table.reroute(FlowId(1), way(7));
    assert_eq!(report.state(), FlowState::Kernel);
    assert_eq!(table.map.entries[&flow(30_000).local].to_mac, [7; 6]);
}

#[test]
fn removing_the_old_owner_of_a_port_leaves_the_new_one_in() {
    let mut table = table(4);
    install(&mut table, 1, 30_000);
    let new = install(&mut table, 2, 30_000);
    table.remove(FlowId(1));
    assert_eq!(new.state(), FlowState::Kernel);
    assert!(table.map.entries.contains_key(&flow(30_000).local));
}

#[test]
fn the_sweep_tells_what_went_from_where_to_where() {
    let mut table = table(4);
    install(&mut table, 1, 30_000);
    install(&mut table, 2, 30_002);
    counted(&mut table, 1, 10);
    counted(&mut table, 2, 5);
    assert_eq!(table.sweep(), Forwarded::from([((2, 2), 15)]));
    assert_eq!(table.sweep(), Forwarded::new());
}

#[test]
fn unknown_flows_are_ignored() {
    let mut table = table(4);
    assert_eq!(table.remove(FlowId(9)), None);
    table.reroute(FlowId(9), way(1));
    assert_eq!(table.sizes(), (0, 0));
}

#[test]
fn a_table_that_is_lost_leaves_no_flow_said_to_be_in_the_kernel() {
    let mut table = table(4);
    let report = install(&mut table, 1, 30_000);
    drop(table);
    assert_eq!(report.state(), FlowState::UserSpace(Reason::NoEngine));
}
