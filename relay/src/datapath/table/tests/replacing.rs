use super::*;

#[test]
fn a_replacement_is_written_elsewhere_and_counted_where_it_was() {
    let mut table = table(1, 1);
    let report = install(&mut table, 1, 30_000);
    forward(&mut table, 30_000, 10);
    let (before, _) = found(&table, local(30_000)).unwrap();

    put(&mut table, 1, moved(30_000), &report);

    let (after, says) = found(&table, local(30_000)).unwrap();
    assert_ne!(before, after);
    assert_eq!(says.stats_record, before);
    assert!(leads(&table, &moved(30_000)));
    forward(&mut table, 30_000, 5);
    table.sweep();
    assert_eq!(report.packets(), 15);
    assert_eq!(report.ssrcs()[0].packets, 15);
    assert_eq!(report.state(), FlowState::Kernel);
}

#[test]
fn what_a_program_may_still_read_is_not_written_until_it_has_rested() {
    let mut table = table(2, 2);
    let report = install(&mut table, 1, 30_000);
    let (first, says) = found(&table, local(30_000)).unwrap();
    put(&mut table, 1, moved(30_000), &report);
    put(&mut table, 1, flow(30_000), &report);
    install(&mut table, 2, 30_002);
    assert_eq!(table.store.memory.flow(first), says);
    ticks(&mut table, 1);
    assert_eq!(table.store.memory.flow(first), says);
}

#[test]
fn a_replaced_flow_goes_home_and_needs_one_record() {
    let mut table = table(1, 1);
    let report = install(&mut table, 1, 30_000);
    let (home, _) = found(&table, local(30_000)).unwrap();
    for round in 0..5 {
        let flow = if round % 2 == 0 { moved } else { flow };
        put(&mut table, 1, flow(30_000), &report);
        assert_eq!(report.state(), FlowState::Kernel, "round {round}");
        forward(&mut table, 30_000, 1);
        ticks(&mut table, 2);
        assert_eq!(found(&table, local(30_000)).unwrap().0, home);
        assert!(leads(&table, &flow(30_000)));
        forward(&mut table, 30_000, 1);
        ticks(&mut table, 2);
    }
    table.sweep();
    assert_eq!(report.packets(), 10);
}

#[test]
fn an_equal_flow_is_left_where_it_is() {
    let mut table = table(1, 0);
    let report = install(&mut table, 1, 30_000);
    let before = found(&table, local(30_000));
    let again = Arc::new(FlowReport::default());
    put(&mut table, 1, flow(30_000), &again);
    assert_eq!(found(&table, local(30_000)), before);
    assert_eq!(again.state(), FlowState::Kernel);
    forward(&mut table, 30_000, 3);
    table.sweep();
    assert_eq!((report.packets(), again.packets()), (0, 3));
}

#[test]
fn without_a_record_for_the_replacement_nothing_goes_to_the_old_destination() {
    let mut table = table(1, 0);
    let report = install(&mut table, 1, 30_000);
    forward(&mut table, 30_000, 10);

    put(&mut table, 1, moved(30_000), &report);

    assert_eq!(found(&table, local(30_000)), None);
    assert_eq!(report.state(), FlowState::UserSpace(Reason::TableFull));
    ticks(&mut table, 2);
    assert_eq!(report.state(), FlowState::Kernel);
    assert!(leads(&table, &moved(30_000)));
    forward(&mut table, 30_000, 5);
    table.sweep();
    assert_eq!(report.packets(), 15);
    assert_eq!(report.bytes(), 15 * PAYLOAD);
}

#[test]
fn a_full_table_whose_next_hop_changes_has_all_flows_back_once_records_have_rested() {
    let mut table = table(100, 10);
    let reports: Vec<_> = (0..100)
        .map(|id| install(&mut table, id, 30_000 + id as u16))
        .collect();
    for id in table.on_path(&path()) {
        table.reroute(id, &path(), Ok(way(9)));
    }
    let in_kernel = || reports.iter().filter(|r| r.state() == FlowState::Kernel);
    assert_eq!(in_kernel().count(), 10);
    ticks(&mut table, 2);
    assert_eq!(in_kernel().count(), 100);
    for id in 0..100 {
        let (_, says) = found(&table, local(30_000 + id)).unwrap();
        let expected = value(&flow(30_000 + id), &way(9), says.stats_record);
        assert_eq!(says, expected);
    }
}

#[test]
fn a_flow_that_moves_to_another_port_leaves_the_old_one() {
    let mut table = table(1, 1);
    let report = install(&mut table, 1, 30_000);
    forward(&mut table, 30_000, 10);
    put(&mut table, 1, flow(30_002), &report);
    assert_eq!(found(&table, local(30_000)), None);
    assert!(leads(&table, &flow(30_002)));
    forward(&mut table, 30_002, 1);
    table.sweep();
    assert_eq!(report.packets(), 11);
    assert_eq!(table.sizes(), (1, 1));
    let other = install(&mut table, 2, 30_000);
    assert_eq!(other.state(), FlowState::UserSpace(Reason::TableFull));
}
