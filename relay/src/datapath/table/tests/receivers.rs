use super::*;

#[test]
fn every_receiver_of_a_flow_has_its_record() {
    for receivers in 1..=8 {
        let mut table = table(8, 0);
        let report = Arc::default();
        put(&mut table, 1, several(30_000, receivers), &report);
        assert_eq!(report.state(), FlowState::Kernel);
        assert!(leads(&table, &several(30_000, receivers)));
        assert_eq!(table.store.memory.header().flows, 1);
    }
}

#[test]
fn receivers_come_and_go_in_place() {
    let mut table = table(8, 24);
    let report = Arc::default();
    for receivers in [1, 3, 2, 8, 1, 4] {
        put(&mut table, 1, several(30_000, receivers), &report);
        assert_eq!(report.state(), FlowState::Kernel);
        assert!(leads(&table, &several(30_000, receivers)));
        forward(&mut table, 30_000, 10);
    }
    table.sweep();
    assert_eq!(report.packets(), 60);
}

#[test]
fn an_equal_flow_to_several_is_left_where_it_is() {
    let mut table = table(3, 0);
    let report = Arc::default();
    put(&mut table, 1, several(30_000, 3), &report);
    let before = found(&table, local(30_000));
    put(&mut table, 1, several(30_000, 3), &report);
    assert_eq!(found(&table, local(30_000)), before);
    assert_eq!(report.state(), FlowState::Kernel);
}

#[test]
fn records_of_a_receiver_that_left_are_not_written_until_they_have_rested() {
    let mut table = table(8, 8);
    let report = Arc::default();
    put(&mut table, 1, several(30_000, 3), &report);
    let (first, _) = found(&table, local(30_000)).unwrap();
    let further = table.store.memory.further(first);
    let says = |table: &FlowTable| {
        further
            .iter()
            .map(|r| table.store.memory.flow(*r))
            .collect()
    };
    let before: Vec<abi::Flow> = says(&table);
    put(&mut table, 1, flow(30_000), &report);
    for id in 2..9 {
        install(&mut table, id, 30_000 + 2 * id as u16);
    }
    ticks(&mut table, 1);
    assert_eq!(before, says(&table));
}

#[test]
fn a_flow_to_several_goes_home_with_its_receivers() {
    let mut table = table(8, 8);
    let report = install(&mut table, 1, 30_000);
    let (home, _) = found(&table, local(30_000)).unwrap();
    put(&mut table, 1, several(30_000, 3), &report);
    assert_ne!(found(&table, local(30_000)).unwrap().0, home);
    ticks(&mut table, 4);
    assert_eq!(found(&table, local(30_000)).unwrap().0, home);
    assert!(leads(&table, &several(30_000, 3)));
    // What it has come home with still rests when it goes.
    table.remove(FlowId(1));
    ticks(&mut table, 2);
    for id in 2..10 {
        let report = install(&mut table, id, 30_000 + 2 * id as u16);
        assert_eq!(report.state(), FlowState::Kernel);
    }
}

#[test]
fn receivers_take_the_room_of_flows() {
    let mut table = table(4, 8);
    let several_of = Arc::default();
    put(&mut table, 1, several(30_000, 3), &several_of);
    let second = install(&mut table, 2, 30_002);
    let third = install(&mut table, 3, 30_004);
    assert_eq!(second.state(), FlowState::Kernel);
    assert_eq!(third.state(), FlowState::UserSpace(Reason::TableFull));
    put(&mut table, 1, several(30_000, 2), &several_of);
    table.tick();
    assert_eq!(third.state(), FlowState::Kernel);
}

#[test]
fn a_flow_that_has_not_room_for_all_its_receivers_is_served_to_none() {
    let mut table = table(8, 0);
    let full: Vec<_> = (2..8)
        .map(|id| install(&mut table, id, 30_000 + 2 * id as u16))
        .collect();
    let report = install(&mut table, 1, 30_000);
    put(&mut table, 1, several(30_000, 3), &report);
    assert_eq!(report.state(), FlowState::UserSpace(Reason::TableFull));
    assert_eq!(found(&table, local(30_000)), None);
    assert!(full.iter().all(|other| other.state() == FlowState::Kernel));
    table.remove(FlowId(2));
    ticks(&mut table, 3);
    assert_eq!(report.state(), FlowState::Kernel);
    assert!(leads(&table, &several(30_000, 3)));
}

/// Two receivers along the usual path, one elsewhere.
fn install_apart(table: &mut FlowTable, report: &Arc<FlowReport>) -> [Path; 2] {
    let elsewhere = Path {
        to: "198.51.100.77".parse().unwrap(),
        ..path()
    };
    let leg = |path| Leg {
        path,
        way: Ok(way(1)),
    };
    let legs = [path(), elsewhere, path()].map(leg).into_iter().collect();
    table.install(FlowId(1), several(30_000, 3), legs, report.clone());
    [path(), elsewhere]
}

#[test]
fn a_flow_is_found_by_each_of_its_paths_until_it_goes() {
    let mut table = table(8, 8);
    let report = Arc::default();
    let paths = install_apart(&mut table, &report);
    for path in &paths {
        assert_eq!(table.on_path(path), [FlowId(1)]);
    }
    put(&mut table, 1, several(30_000, 2), &report);
    assert_eq!(table.on_path(&paths[0]), [FlowId(1)]);
    assert_eq!(table.on_path(&paths[1]), []);
    table.remove(FlowId(1));
    assert_eq!(table.on_path(&paths[0]), []);
}

#[test]
fn a_next_hop_that_one_receiver_loses_takes_the_flow_out_for_all() {
    let mut table = table(8, 8);
    let report = Arc::default();
    let [_, elsewhere] = install_apart(&mut table, &report);
    table.reroute(FlowId(1), &elsewhere, Err(Reason::NextHopUnresolved));
    let out = FlowState::UserSpace(Reason::NextHopUnresolved);
    assert_eq!(report.state(), out);
    assert_eq!(found(&table, local(30_000)), None);
    reroute(&mut table, 1, Ok(way(1)));
    assert_eq!(report.state(), out);
    table.reroute(FlowId(1), &elsewhere, Ok(way(1)));
    assert_eq!(report.state(), FlowState::Kernel);
    assert!(leads(&table, &several(30_000, 3)));
}

#[test]
fn a_receiver_from_an_address_that_is_not_granted_keeps_all_in_user_space() {
    let mut table = table(8, 8);
    let report = Arc::default();
    let mut flow = several(30_000, 3);
    flow.further[1].from = "192.0.2.200:40000".parse().unwrap();
    put(&mut table, 1, flow, &report);
    assert_eq!(report.state(), FlowState::UserSpace(Reason::NotGranted));
}

#[test]
fn a_table_that_is_taken_over_goes_on_from_what_was_counted_for_several() {
    let mut before = table(8, 8);
    put(&mut before, 1, several(30_000, 3), &Arc::default());
    forward(&mut before, 30_000, 10);
    let previous = Previous::of(before);
    let mut table = table(8, 8);
    let report = Arc::default();
    put(&mut table, 9, several(30_000, 3), &report);
    assert_eq!(table.take_over(&previous), 1);
    assert_eq!(report.packets(), 10);
}
