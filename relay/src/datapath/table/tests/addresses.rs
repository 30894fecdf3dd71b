use std::net::Ipv4Addr;

use super::*;

fn at(address: impl Into<IpAddr>) -> Flow {
    Flow {
        local: SocketAddr::new(address.into(), 30_000),
        ..flow(0)
    }
}

/// The `n`th of many addresses.
fn v4(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, n)
}

fn at_v4(table: &mut FlowTable, n: u8) -> Arc<FlowReport> {
    let report = Arc::new(FlowReport::default());
    put(table, u64::from(n), at(v4(n)), &report);
    report
}

/// A table with room for all the addresses that a header holds, and with a flow at each IPv4 one.
fn full() -> FlowTable {
    let mut table = FlowTable::new(Memory::in_memory(200, 64), 100);
    for n in 0..32 {
        assert_eq!(at_v4(&mut table, n).state(), FlowState::Kernel);
    }
    table
}

#[test]
fn addresses_of_both_families_have_ports_of_their_own() {
    let mut table = table(4, 4);
    let v6 = Flow {
        source: "[2001:db8::9]:4000".parse().unwrap(),
        ..at("2001:db8::1".parse::<IpAddr>().unwrap())
    };
    put(&mut table, 1, v6.clone(), &Arc::default());
    put(&mut table, 2, at(v4(1)), &Arc::default());
    assert!(leads(&table, &v6));
    assert!(leads(&table, &at(v4(1))));
}

#[test]
fn the_33rd_address_of_a_family_is_left_to_user_space_with_a_reason() {
    let mut table = full();
    let report = at_v4(&mut table, 32);
    let no_room = FlowState::UserSpace(Reason::TooManyAddresses);
    assert_eq!(report.state(), no_room);
    ticks(&mut table, 3);
    assert_eq!(report.state(), no_room);
    assert!((0..32).all(|n| leads(&table, &at(v4(n)))));
    let v6 = Arc::new(FlowReport::default());
    let other_family = Flow {
        source: "[2001:db8::9]:4000".parse().unwrap(),
        ..at("2001:db8::1".parse::<IpAddr>().unwrap())
    };
    put(&mut table, 99, other_family, &v6);
    assert_eq!(v6.state(), FlowState::Kernel);
}

#[test]
fn an_address_whose_flows_are_gone_makes_room_after_a_rest() {
    let mut table = full();
    let report = at_v4(&mut table, 32);
    table.remove(FlowId(5));
    assert_eq!(table.store.memory.header().v4[5].address, [0; 4]);
    table.tick();
    assert_ne!(report.state(), FlowState::Kernel, "no rest yet");
    table.tick();
    assert_eq!(report.state(), FlowState::Kernel);
    assert!(leads(&table, &at(v4(32))));
    assert_eq!(found(&table, at(v4(5)).local), None);
}

#[test]
fn an_address_that_comes_back_while_it_makes_room_keeps_its_ports() {
    let mut table = full();
    let waits = at_v4(&mut table, 32);
    table.remove(FlowId(5));
    table.tick();
    let back = at_v4(&mut table, 5);
    ticks(&mut table, 3);
    assert_eq!(back.state(), FlowState::Kernel);
    assert!(leads(&table, &at(v4(5))));
    assert_ne!(waits.state(), FlowState::Kernel);
}

#[test]
fn without_a_block_an_address_waits() {
    let mut table = FlowTable::new(Memory::in_memory(8, 1), 4);
    at_v4(&mut table, 1);
    let waits = at_v4(&mut table, 2);
    assert_eq!(
        waits.state(),
        FlowState::UserSpace(Reason::TooManyAddresses)
    );
    table.remove(FlowId(1));
    ticks(&mut table, 3);
    assert_eq!(waits.state(), FlowState::Kernel);
    assert!(leads(&table, &at(v4(2))));
}
