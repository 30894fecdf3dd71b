use super::*;

#[test]
fn an_installed_flow_is_at_its_port() {
    let mut table = table(4, 4);
    let report = install(&mut table, 1, 30_000);
    assert_eq!(report.state(), FlowState::Kernel);
    assert!(leads(&table, &flow(30_000)));
    assert_eq!(table.store.memory.header().flows, 1);
}

#[test]
fn neighbouring_ports_have_nothing() {
    let mut table = table(4, 4);
    install(&mut table, 1, 30_000);
    for port in [0, 29_999, 30_001, 30_016, 65_534] {
        assert_eq!(found(&table, local(port)), None);
    }
}

#[test]
fn the_first_and_the_last_port_of_two_addresses_are_told_apart() {
    let mut table = table(4, 4);
    let at = |local: &str| Flow {
        local: local.parse().unwrap(),
        ..flow(0)
    };
    let flows = ["192.0.2.1:65534", "192.0.2.2:0", "192.0.2.2:65534"].map(at);
    for (id, flow) in (1..).zip(&flows) {
        put(
            &mut table,
            id,
            flow.clone(),
            &Arc::new(FlowReport::default()),
        );
    }
    assert!(flows.iter().all(|flow| leads(&table, flow)));
    assert_eq!(found(&table, local(0)), None);
}

#[test]
fn a_removed_flow_is_not_at_its_port() {
    let mut table = table(4, 4);
    let report = install(&mut table, 1, 30_000);
    table.remove(FlowId(1));
    assert_eq!(report.state(), FlowState::UserSpace(Reason::NotInstalled));
    assert_eq!(found(&table, local(30_000)), None);
    assert_eq!(table.store.memory.header().flows, 0);
}

#[test]
fn a_flow_without_room_waits_until_another_ends() {
    let mut table = table(1, 1);
    install(&mut table, 1, 30_000);
    let second = install(&mut table, 2, 30_002);
    assert_eq!(second.state(), FlowState::UserSpace(Reason::TableFull));
    table.remove(FlowId(1));
    assert_eq!(second.state(), FlowState::Kernel);
}

#[test]
fn a_flow_waits_for_a_record_that_rests() {
    let mut table = table(1, 0);
    install(&mut table, 1, 30_000);
    table.remove(FlowId(1));
    let second = install(&mut table, 2, 30_002);
    assert_eq!(second.state(), FlowState::UserSpace(Reason::TableFull));
    ticks(&mut table, 2);
    assert_eq!(second.state(), FlowState::Kernel);
}

#[test]
fn a_lost_next_hop_takes_the_flow_out_and_a_new_one_brings_it_back() {
    let mut table = table(4, 4);
    let report = install(&mut table, 1, 30_000);
    for id in table.on_path(&path()) {
        table.reroute(id, &path(), Err(Reason::NextHopUnresolved));
    }
    let out = FlowState::UserSpace(Reason::NextHopUnresolved);
    assert_eq!(report.state(), out);
    assert_eq!(found(&table, local(30_000)), None);
    ticks(&mut table, 3);
    assert_eq!(report.state(), out);
    reroute(&mut table, 1, Ok(way(1)));
    assert_eq!(report.state(), FlowState::Kernel);
    assert!(leads(&table, &flow(30_000)));
}

#[test]
fn a_port_belongs_to_the_flow_installed_there_last() {
    let mut table = table(4, 4);
    let old = install(&mut table, 1, 30_000);
    let new = Arc::new(FlowReport::default());
    put(&mut table, 2, moved(30_000), &new);
    assert_eq!(old.state(), FlowState::UserSpace(Reason::NotInstalled));
    assert!(leads(&table, &moved(30_000)));

    reroute(&mut table, 1, Ok(way(7)));
    ticks(&mut table, 3);
    assert!(leads(&table, &moved(30_000)));

    table.remove(FlowId(1));
    assert_eq!(new.state(), FlowState::Kernel);
    assert!(leads(&table, &moved(30_000)));
}

#[test]
fn a_flow_that_waits_does_not_take_its_port_from_a_newer_one() {
    let mut table = table(1, 1);
    install(&mut table, 1, 30_000);
    let waits = install(&mut table, 2, 30_002);
    let newer = Arc::new(FlowReport::default());
    put(&mut table, 3, moved(30_002), &newer);
    table.remove(FlowId(1));
    ticks(&mut table, 3);
    assert_eq!(waits.state(), FlowState::UserSpace(Reason::NotInstalled));
    assert_eq!(newer.state(), FlowState::Kernel);
    assert!(leads(&table, &moved(30_002)));
}

#[test]
fn unknown_flows_are_ignored() {
    let mut table = table(4, 4);
    assert!(table.remove(FlowId(9)).is_empty());
    reroute(&mut table, 9, Ok(way(1)));
    table.sweep_some(&[FlowId(9)]);
    assert_eq!(table.sizes(), (0, 0));
}

#[test]
fn a_table_that_is_lost_leaves_no_flow_said_to_be_in_the_kernel() {
    let mut table = table(4, 4);
    let report = install(&mut table, 1, 30_000);
    drop(table);
    assert_eq!(report.state(), FlowState::UserSpace(Reason::NoEngine));
}
